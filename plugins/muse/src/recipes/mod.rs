//! The recipes of ESO's MUSE pipeline, as data: what each takes, at which quality level, and what it makes.
//!
//! One task reduces one channel (`--nifu`), so that channels run side by side within cores and memory, one that fails costs one, and a
//! changed parameter runs again what depends on it. What the pipeline merges, exposures and standards, is one task for each exposure.
//! Inputs as in the man pages of the recipes (pipeline 2.8.7).

mod by_date;
mod create_sky;
mod detector;
mod exposures;
mod field;
mod inputs;
mod register;
mod sky_table;

use ifured_core::recipe::{InputSpec, MainInput, Memory, ProductSpec};
use ifured_core::{AnyRecipe, RecipeDescription, RecipeError, Signature, Task};
use ifured_eso::Recipes;
use ifured_eso::esorex::{EsorexRecipe, RecipeParameters};
use serde_json::{Value, json};

/// Extensions of raw frames, one a channel.
pub const CHANNELS: &str = "CHAN??";

/// Recipes whose parameters are shipped, in the order of the work.
pub fn recipes() -> Recipes {
    let parameters = RecipeParameters::parse(include_str!("../parameters/muse_2.8.7.json"))?;
    let mut all: Vec<Box<dyn AnyRecipe>> = Vec::new();
    for recipe in detector::recipes(&parameters)?.into_iter().chain(exposures::recipes(&parameters)?) {
        match recipe.recipe.as_str() {
            "muse_exp_align" | "muse_exp_combine" => all.push(Box::new(by_date::ByDate(recipe))),
            _ => all.push(Box::new(recipe)),
        }
    }
    all.extend(create_sky::recipes(&parameters)?.into_iter().map(|r| Box::new(r) as Box<dyn AnyRecipe>));
    all.push(Box::new(register::Register));
    Ok(all)
}

/// What a recipe is, before its parameters.
struct About<'a> {
    recipe: &'a str,
    title: &'a str,
    description: &'a str,
    main: MainInput,
    inputs: Vec<InputSpec>,
    products: Vec<ProductSpec>,
    memory: Memory,
}

impl About<'_> {
    fn with(self, parameters: &RecipeParameters) -> Result<EsorexRecipe, RecipeError> {
        let description = RecipeDescription {
            name: self.recipe.into(),
            title: self.title.into(),
            description: self.description.into(),
            main: self.main,
            inputs: self.inputs,
            products: self.products,
            memory: self.memory,
            ..RecipeDescription::default()
        };
        Ok(EsorexRecipe::new(description, self.recipe, parameters)?.hide(&["nifu", "merge"]))
    }
}

/// The number of the channel of a task; all channels one after the other where the frames do not say which they have.
fn channel_of(task: &Task) -> Result<Vec<(String, Value)>, RecipeError> {
    let Some(extension) = &task.extension else { return Ok(vec![("nifu".into(), json!(0))]) };
    let number = extension.strip_prefix("CHAN").and_then(|n| n.parse::<u8>().ok()).filter(|n| (1..=24).contains(n));
    let number = number.ok_or_else(|| RecipeError::new(format!("{extension} is no channel of MUSE"), "channels are CHAN01 to CHAN24"))?;
    Ok(vec![("nifu".into(), json!(number))])
}

/// Gives a parameter another default than the pipeline has.
fn default(mut recipe: EsorexRecipe, name: &str, value: Value) -> EsorexRecipe {
    recipe.parameters.iter_mut().filter(|p| p.name == name).for_each(|p| p.default = value.clone());
    recipe
}

/// Bytes of a recipe that merges the pixel tables of the channels of an exposure: so many for each channel, which is a file.
fn of_tables(each: f64) -> Memory {
    Memory { per_frame: each, ..Memory::fixed(1.0e9) }
}

/// A product of one channel.
fn of_channel(recipe: &str, tag: &str, title: &str, signature: &Signature) -> ProductSpec {
    ProductSpec::new(tag, title, &format!("{recipe}/{{night}}/{tag}_{{stem}}{{extension}}.fits"), signature)
}

/// A product of an exposure, or of several.
fn of_exposure(recipe: &str, tag: &str, title: &str, signature: &Signature) -> ProductSpec {
    ProductSpec::new(tag, title, &format!("{recipe}/{{night}}/{tag}_{{stem}}.fits"), signature)
}

#[cfg(test)]
mod tests {
    use ifured_core::Instrument;
    use ifured_core::recipe::FrameSize;

    use super::*;

    #[test]
    fn every_recipe_has_its_parameters_and_no_two_share_a_name() {
        let description = crate::MUSE.description().unwrap();
        assert!(description.recipes.len() >= 14);
        assert_eq!(description.problems(), Vec::<String>::new());
        // Two recipes of one name would be two engines of one recipe.
        assert!(description.recipes.iter().all(|r| r.engines.len() == 1));
    }

    #[test]
    fn a_recipe_whose_parameters_are_not_shipped_is_an_error_and_not_left_out() {
        let mut parameters = RecipeParameters::parse(include_str!("../parameters/muse_2.8.7.json")).unwrap();
        parameters.recipes.remove("muse_flat");
        let error = detector::recipes(&parameters).err().unwrap();
        assert!(error.what.contains("parameters of muse_flat"), "{error}");
    }

    #[test]
    fn memory_is_what_was_measured_and_not_much_more() {
        let description = crate::MUSE.description().unwrap();
        // Main frames and peak in GB: runs of pipeline 2.8.7, those of 24 channels scaled from runs of two.
        let measured = [
            ("muse_bias", 3, 0.87),
            ("muse_flat", 3, 0.87),
            ("muse_lsf", 3, 1.40),
            ("muse_scibasic", 1, 1.36),
            ("muse_scipost", 24, 25.0),
            ("muse_exp_combine", 3, 52.0),
        ];
        for (name, frames, peak) in measured {
            // Sizes are not needed: a frame not yet made has none.
            let bytes = description.recipe(name).unwrap().engines[0].memory.bytes(FrameSize::default(), frames);
            let estimate = bytes as f64 / 1e9;
            assert!((peak..1.5 * peak).contains(&estimate), "{name}: {estimate} GB, measured {peak}");
        }
    }

    #[test]
    fn parameters_of_scipost_require_what_the_recipe_cannot_do_without() {
        let description = crate::MUSE.description().unwrap();
        let required = |recipe: &str, set: &[(&str, &str)]| {
            let recipe = description.recipe(recipe).unwrap();
            let mut parameters = recipe.engines[0].defaults.clone();
            set.iter().for_each(|(name, value)| parameters[*name] = json!(value));
            let roles: Vec<String> = recipe.requirements.iter().filter(|r| r.holds(&parameters)).map(|r| r.role.to_string()).collect();
            roles.join(" ")
        };
        for recipe in ["muse_scipost", "muse_scipost_without_rv"] {
            assert_eq!(required(recipe, &[]), "line-spread sky-lines");
            assert_eq!(required(recipe, &[("skymethod", "subtract-model")]), "line-spread sky-lines sky-continuum");
            assert_eq!(required(recipe, &[("skymethod", "simple"), ("autocalib", "deepfield")]), "");
        }
        assert_eq!(required("muse_scipost_with_sky", &[("autocalib", "user")]), "autocal-factors");
    }

    #[test]
    fn the_channel_is_that_of_the_extension() {
        let task = |extension: Option<&str>| Task { extension: extension.map(str::to_owned), ..Task::default() };
        assert_eq!(channel_of(&task(Some("CHAN07"))).unwrap(), [("nifu".to_owned(), json!(7))]);
        assert_eq!(channel_of(&task(None)).unwrap(), [("nifu".to_owned(), json!(0))]);
        assert!(channel_of(&task(Some("CHAN25"))).is_err() && channel_of(&task(Some("CHIP1"))).is_err());
    }
}
