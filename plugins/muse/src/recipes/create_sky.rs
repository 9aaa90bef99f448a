//! `muse_create_sky`, with the modified subtraction for fields full of nebulae.
//!
//! Zeidler et al. 2019, AJ 158, 201: where no part of a field is free of emission of the target, only what cannot be of the target is taken for sky.
//! The recipe runs as usual; it runs again with a continuum of zero, so that lines alone explain the flux; and of those only lines of molecules (OH, O2)
//! stay. `muse_scipost` subtracts them with `skymethod = "subtract-model"`.

use ifured_core::recipe::{MainInput, TaskInput, TaskOutput};
use ifured_core::{AnyRecipe, EngineName, Host, Outcome, RecipeDescription, RecipeError, Task};
use ifured_eso::esorex::parameters::add;
use ifured_eso::esorex::{EsorexRecipe, RecipeParameters};
use serde_json::json;

use super::detector::tables;
use super::{About, inputs, of_exposure, of_tables, sky_table};
use crate::frames::mode;

/// The recipe, for exposures of blank sky, or of the object itself.
pub struct CreateSky {
    esorex: EsorexRecipe,
}

const MODIFIED: &str = "modified";

/// Both of them.
pub fn recipes(parameters: &RecipeParameters) -> Result<Vec<CreateSky>, RecipeError> {
    let sky = about("PIXTABLE_SKY", "Sky of an exposure of blank sky").with(parameters)?;
    let mut object = about("PIXTABLE_OBJECT", "Sky of a science exposure");
    object.main = object.main.go_in_as("PIXTABLE_SKY");
    // Of the field of the object, so that the self-calibration of muse_scipost can use it; that of a sky exposure shows another field.
    object.products.push(of_exposure("muse_create_sky", "SKY_MASK", "Blank sky in the field", &mode()));
    let mut object = object.with(parameters)?;
    object.description.name = "muse_create_sky_object".into();
    object.description.enabled = false;
    let built = |r: EsorexRecipe| CreateSky { esorex: tables(r, &["SKY_LINES", "SKY_CONTINUUM", "SKY_SPECTRUM"]) };
    Ok(vec![built(sky), built(object)])
}

fn about<'a>(table: &str, title: &'a str) -> About<'a> {
    About {
        recipe: "muse_create_sky",
        title,
        description: "Fits sky lines and continuum to the darkest part of the field. With `modified`, only lines of molecules and no continuum \
            are kept, for fields full of nebulae (Zeidler et al. 2019, AJ 158, 201).",
        main: MainInput::exposure(&[table]),
        inputs: vec![inputs::line_spread(), inputs::extinction(), inputs::response(), inputs::telluric(), inputs::sky_line_list()],
        products: vec![
            of_exposure("muse_create_sky", "SKY_LINES", "Fluxes of the sky lines", &mode()),
            of_exposure("muse_create_sky", "SKY_CONTINUUM", "Continuum of the sky", &mode()),
            of_exposure("muse_create_sky", "SKY_SPECTRUM", "Spectrum of the sky", &mode()),
        ],
        memory: of_tables(1.0e9),
    }
}

impl AnyRecipe for CreateSky {
    fn description(&self) -> RecipeDescription {
        let mut description = self.esorex.description();
        let modified = json!({
            "title": "Modified",
            "description": "Keep only lines of molecules (OH, O2) and no continuum, for fields full of nebulae (Zeidler et al. 2019).",
            "type": "boolean", "default": false, "examples": [true]
        });
        add(&mut description, MODIFIED, &modified);
        description
    }

    fn engine(&self) -> EngineName {
        self.esorex.engine()
    }

    fn installed_version(&self) -> Option<String> {
        self.esorex.installed_version()
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let mut task = task.clone();
        let modified = task.parameters.as_object_mut().and_then(|p| p.remove(MODIFIED)) == Some(json!(true));
        let outcome = self.esorex.execute(&task, host)?;
        if !modified {
            return Ok(outcome);
        }
        let (continuum, lines) = (output(&task, "SKY_CONTINUUM")?.clone(), output(&task, "SKY_LINES")?.clone());
        let zero = host.scratch().map_or_else(|| continuum.path.with_extension("zero.fits"), |place| place.join("zero.fits"));
        sky_table::without_flux(&continuum.path, &zero)?;
        let name = continuum.name.clone();
        let input =
            TaskInput { role: "continuum of zero".into(), tag: "SKY_CONTINUUM".into(), path: zero.clone(), name, ..TaskInput::default() };
        task.inputs.push(input);
        let second = self.esorex.execute(&task, host);
        let _ = std::fs::remove_file(&zero);
        let mut outcome = second?;
        outcome.products.retain(|p| p.tag != continuum.tag && p.tag != lines.tag);
        let (hash, bytes) = sky_table::without_flux(&continuum.path, &continuum.path)?;
        outcome.add(&continuum, hash, bytes);
        let (hash, bytes) = sky_table::keep_molecules(&lines.path)?;
        outcome.add(&lines, hash, bytes);
        outcome.notes.push("only lines of molecules (OH, O2) are kept, and no continuum (Zeidler et al. 2019)".into());
        Ok(outcome)
    }
}

fn output<'a>(task: &'a Task, tag: &str) -> Result<&'a TaskOutput, RecipeError> {
    task.output(tag).ok_or_else(|| RecipeError::new(format!("the task has no output {tag}"), "make the plan again with `ifured plan`"))
}
