//! Recipes that tell exposures apart by their dates: offsets are kept with the date of the exposure, so that two of one date would get the offsets of one.

use ifured_core::recipe::TaskInput;
use ifured_core::{AnyRecipe, EngineName, Host, Outcome, RecipeDescription, RecipeError, Task};
use ifured_eso::esorex::EsorexRecipe;
use ifured_pixels::fits::primary_header;

/// A recipe whose main frames must be of different dates.
pub struct ByDate(pub EsorexRecipe);

impl AnyRecipe for ByDate {
    fn description(&self) -> RecipeDescription {
        self.0.description()
    }

    fn engine(&self) -> EngineName {
        self.0.engine()
    }

    fn installed_version(&self) -> Option<String> {
        self.0.installed_version()
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let dates: Vec<Option<String>> = task.main().map(date).collect();
        let twin = |n: usize| dates[..n].iter().position(|d| d.is_some() && *d == dates[n]);
        if let Some((first, second)) = (0..dates.len()).find_map(|n| Some((twin(n)?, n))) {
            let name = |n: usize| task.main().nth(n).map_or("", |i| i.name.as_str());
            return Err(RecipeError::new(
                format!(
                    "{} and {} are of one DATE-OBS ({}): {} tells exposures apart by it",
                    name(first),
                    name(second),
                    dates[first].as_deref().unwrap_or_default(),
                    task.recipe
                ),
                "if one of the raw frames is a copy, ignore it ([[frames.ignore]]); else correct DATE-OBS and MJD-OBS of one ([[frames.correct]])",
            ));
        }
        self.0.execute(task, host)
    }
}

/// `DATE-OBS` of a product, which is that of its exposure; else the time that the plan knows.
fn date(input: &TaskInput) -> Option<String> {
    let header = primary_header(&input.path).ok();
    let written = header.and_then(|h| h.text("DATE-OBS").ok().map(|d| d.trim().to_owned())).filter(|d| !d.is_empty());
    written.or_else(|| input.mjd.map(|mjd| format!("MJD {mjd:.8}")))
}
