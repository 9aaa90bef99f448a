//! The recipes of ESO's KMOS pipeline, as data: what each takes, at which quality level, and what it makes.
//!
//! Frames are whole, with all detectors and arms, and one calibration holds all rotator angles, so that there is one task for each template.
//! Minima by ESO's rules: 3 darks, 6 flats (lamp on and off), 2 arcs (on and off). Inputs as in the help texts of the recipes (pipeline 1.4.3).
//!
//! `kmos_gen_telluric`, `kmos_sky_tweak` and the molecfit recipes are not here: the first makes sense with a static RESPONSE only, the second is
//! what `kmos_sci_red` does with `sky_tweak`.

mod calibration;
mod combine;
mod cubes;
mod inputs;
mod pairing;
mod sci_red;
mod shifts;

use ifured_core::recipe::{Grouping, InputSpec, MainInput, Memory, ProductSpec};
use ifured_core::{AnyRecipe, RecipeDescription, RecipeError, Signature};
use ifured_eso::Recipes;
use ifured_eso::esorex::{EsorexRecipe, RecipeParameters};
use serde_json::{Value, json};

use crate::frames::gratings;

/// Keyword by which ESO groups frames.
const TEMPLATE: &str = "ESO TPL START";
/// Tag of an illumination correction of lamp flats, which is an ILLUM_CORR for the recipes.
const ILLUM_CORR_LAMP: &str = "ILLUM_CORR_LAMP";
/// Role of the exposures that may give sky.
const EXPOSURES: &str = "exposures-of-the-night";

fn parameters() -> Result<RecipeParameters, RecipeError> {
    RecipeParameters::parse(include_str!("../parameters/kmos.json"))
}

/// The recipes, in the order of the work.
pub fn recipes() -> Recipes {
    let parameters = parameters()?;
    let mut all: Vec<Box<dyn AnyRecipe>> = Vec::new();
    all.extend(calibration::recipes(&parameters)?.into_iter().map(|r| Box::new(r) as Box<dyn AnyRecipe>));
    all.push(Box::new(pairing::PairingRecipe));
    all.push(Box::new(sci_red::recipe(&parameters)?));
    all.push(Box::new(combine::recipe(&parameters)?));
    Ok(all)
}

/// Whole frames of three detectors: the process, and each frame with what is made of it. (`kmos_flat` takes 390 MB for 6 frames, `kmos_sci_red`
/// 295 MB for 3, measured with pipeline 1.4.3.)
const MEMORY: Memory = Memory { per_frame: 0.1e9, ..Memory::fixed(0.3e9) };

/// What a recipe is, before its parameters.
struct About<'a> {
    recipe: &'a str,
    title: &'a str,
    description: &'a str,
    main: MainInput,
    inputs: Vec<InputSpec>,
    products: Vec<ProductSpec>,
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
            memory: MEMORY,
            ..RecipeDescription::default()
        };
        EsorexRecipe::new(description, self.recipe, parameters)
    }
}

/// Frames of one template, of equal signature.
fn template(tags: &[&str], mut signature: Signature, least: usize) -> MainInput {
    signature.0.extend(Signature::exact(&[TEMPLATE]).0);
    let group = Grouping { signature, min_frames: least, ..Grouping::default() };
    MainInput { tags: tags.iter().map(|t| (*t).into()).collect(), group, ..MainInput::default() }
}

/// A product of a recipe, named after the first frame.
fn product(recipe: &str, tag: &str, title: &str) -> ProductSpec {
    ProductSpec::new(tag, title, &format!("{recipe}/{{night}}/{tag}_{{stem}}.fits"), &gratings())
}

/// Gives a parameter another default than the pipeline has.
fn default(mut recipe: EsorexRecipe, name: &str, value: Value) -> EsorexRecipe {
    recipe.parameters.iter_mut().filter(|p| p.name == name).for_each(|p| p.default = value.clone());
    recipe
}

/// Schema of a parameter that names a file, and may be empty.
fn file_parameter(title: &str, description: &str, example: &str) -> Value {
    json!({
        "title": title, "description": description, "type": "string", "default": "", "x-default": "empty",
        "x-file": true, "x-optional": true, "examples": [example]
    })
}

#[cfg(test)]
mod tests {
    use ifured_core::Instrument;

    use super::*;

    #[test]
    fn every_recipe_has_its_parameters_and_no_two_share_a_name() {
        let description = crate::KMOS.description().unwrap();
        assert_eq!(description.recipes.len(), 9);
        assert_eq!(description.problems(), Vec::<String>::new());
        // Two recipes of one name would be two engines of one recipe.
        assert!(description.recipes.iter().all(|r| r.engines.len() == 1));
    }

    #[test]
    fn a_recipe_whose_parameters_are_not_shipped_is_an_error_and_not_left_out() {
        let mut parameters = parameters().unwrap();
        parameters.recipes.remove("kmos_flat");
        let error = calibration::recipes(&parameters).err().unwrap();
        assert!(error.what.contains("parameters of kmos_flat"), "{error}");
    }

    #[test]
    fn frames_are_whole() {
        assert!(recipes().unwrap().iter().all(|r| r.description().main.each_extension.is_none()));
    }
}
