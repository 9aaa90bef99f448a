//! Recipes of exposures: from raw frames to pixel tables, cubes, and their combination.

use ifured_core::recipe::{Grouping, MainInput, ProductSpec};
use ifured_core::signature::{Compare, SignatureKey};
use ifured_core::{RecipeError, Signature};
use ifured_eso::esorex::{EsorexRecipe, RecipeParameters};
use serde_json::json;

use super::detector::tables;
use super::{About, CHANNELS, channel_of, default, inputs, of_channel, of_exposure};
use crate::frames::{MODE, mode};

/// Arcseconds within which exposures are of one field.
const SAME_FIELD: f64 = 30.0;

/// What comes out of an exposure of that tag.
const EXPOSURES: [(&str, &str); 4] =
    [("OBJECT", "PIXTABLE_OBJECT"), ("STD", "PIXTABLE_STD"), ("SKY", "PIXTABLE_SKY"), ("ASTROMETRY", "PIXTABLE_ASTROMETRY")];

/// All of them.
pub fn recipes(parameters: &RecipeParameters) -> Vec<Result<EsorexRecipe, RecipeError>> {
    let mut all: Vec<Result<EsorexRecipe, RecipeError>> =
        EXPOSURES.iter().map(|(tag, table)| basic(tag, table).with(parameters).map(|r| of_channels(r, tag))).collect();
    all.extend([standard(parameters), post(parameters), align(parameters), combine(parameters)]);
    all
}

/// `muse_scibasic` is one recipe for all kinds of exposures; their tasks differ in what they are about, so each kind has its own.
fn of_channels(mut recipe: EsorexRecipe, tag: &str) -> EsorexRecipe {
    if tag != "OBJECT" {
        recipe.description.name = format!("muse_scibasic_{}", tag.to_lowercase());
    }
    if tag == "STD" {
        // The fit of night-sky lines finds none in short exposures of bright stars.
        recipe = recipe.hide(&["skylines", "skyreject"]);
    }
    let recipe = default(recipe, "saveimage", json!(false));
    EsorexRecipe { of_task: Some(channel_of), ..recipe }
}

fn basic<'a>(tag: &'a str, table: &'a str) -> About<'a> {
    About {
        recipe: "muse_scibasic",
        title: match tag {
            "STD" => "Pixel tables of a standard star",
            "SKY" => "Pixel tables of blank sky",
            "ASTROMETRY" => "Pixel tables of an astrometric field",
            _ => "Pixel tables of a science exposure",
        },
        description: "Takes the signature of the detector away and turns one channel of an exposure into a pixel table, wavelengths corrected by sky lines.",
        main: MainInput::exposure(&[tag]).each_extension(CHANNELS),
        inputs: vec![
            inputs::illumination(),
            inputs::bias(),
            inputs::dark(),
            inputs::flat(),
            inputs::trace(),
            inputs::wavelengths(),
            inputs::geometry(),
            inputs::twilight(),
            inputs::bad_pixels(),
        ],
        products: vec![of_channel("muse_scibasic", table, "Pixel table", &inputs::with_channel(mode()))],
        memory: (1.4e9, 0.0),
    }
}

fn standard(parameters: &RecipeParameters) -> Result<EsorexRecipe, RecipeError> {
    let about = About {
        recipe: "muse_standard",
        title: "Response and telluric correction",
        description: "Measures a standard star in all channels of an exposure; response and telluric absorption from it.",
        main: MainInput::exposure(&["PIXTABLE_STD"]),
        inputs: vec![inputs::extinction(), inputs::standard_fluxes(), inputs::telluric_regions(), inputs::filters()],
        products: vec![
            of_exposure("muse_standard", "STD_RESPONSE", "Response", &mode()),
            of_exposure("muse_standard", "STD_TELLURIC", "Telluric correction", &mode()),
            of_exposure("muse_standard", "STD_FLUXES", "Fluxes of the stars in the field", &mode()),
            of_exposure("muse_standard", "DATACUBE_STD", "Cube of the standard star", &mode()),
        ],
        memory: (1.0e9, 1.2e9),
    };
    about.with(parameters).map(|r| tables(r, &["STD_RESPONSE", "STD_TELLURIC", "STD_FLUXES"]))
}

fn post(parameters: &RecipeParameters) -> Result<EsorexRecipe, RecipeError> {
    let about = About {
        recipe: "muse_scipost",
        title: "Reduced exposure",
        description: "Merges the channels of an exposure; refraction, flux, sky, velocity, position; cube, image and reduced pixel table.",
        main: MainInput::exposure(&["PIXTABLE_OBJECT"]),
        inputs: vec![
            inputs::line_spread(),
            inputs::extinction(),
            inputs::response(),
            inputs::telluric(),
            inputs::sky_lines(),
            inputs::sky_continuum(),
            inputs::astrometry(),
            inputs::filters(),
            inputs::own("sky-mask", "SKY_MASK"),
            inputs::own("autocal-factors", "AUTOCAL_FACTORS"),
            inputs::own("raman-lines", "RAMAN_LINES"),
            inputs::own("output-wcs", "OUTPUT_WCS"),
        ],
        products: vec![
            of_exposure("muse_scipost", "DATACUBE_FINAL", "Cube of the exposure", &mode()),
            of_exposure("muse_scipost", "IMAGE_FOV", "Image of the field", &mode()),
            of_exposure("muse_scipost", "PIXTABLE_REDUCED", "Reduced pixel table", &mode()),
        ],
        memory: (1.0e9, 1.1e9),
    };
    about.with(parameters).map(|r| default(r, "save", json!("cube,individual")))
}

/// Exposures of one field, at least two.
fn one_field(tag: &str) -> MainInput {
    let pointing = SignatureKey { key: "RA".into(), compare: Compare::Sky { declination: "DEC".into(), arcsec: SAME_FIELD } };
    let mut signature = Signature::exact(&[MODE]);
    signature.0.push(pointing);
    let group = Grouping { signature, min_frames: 2, ..Grouping::default() };
    MainInput { tags: vec![tag.into()], group, ..MainInput::default() }
}

fn align(parameters: &RecipeParameters) -> Result<EsorexRecipe, RecipeError> {
    let about = About {
        recipe: "muse_exp_align",
        title: "Offsets of the exposures of a field",
        description: "Finds sources in the images of all exposures of a field and measures the offsets between them.",
        main: one_field("IMAGE_FOV"),
        inputs: vec![],
        products: vec![of_field("muse_exp_align", "OFFSET_LIST", "Offsets of the exposures")],
        memory: (0.5e9, 0.01e9),
    };
    about.with(parameters).map(|r| tables(r, &["OFFSET_LIST"]))
}

fn combine(parameters: &RecipeParameters) -> Result<EsorexRecipe, RecipeError> {
    let offsets = ifured_core::recipe::InputSpec::optional("offsets", "OFFSET_LIST", "exposures are placed by their headers")
        .any_time(&one_field("").group.signature);
    let about = About {
        recipe: "muse_exp_combine",
        title: "Cube of all exposures of a field",
        description: "Places the reduced pixel tables of all exposures of a field on one grid.",
        main: one_field("PIXTABLE_REDUCED"),
        inputs: vec![offsets, inputs::filters(), inputs::own("output-wcs", "OUTPUT_WCS")],
        products: vec![
            of_field("muse_exp_combine", "DATACUBE_FINAL", "Cube of all exposures"),
            of_field("muse_exp_combine", COMBINED_IMAGE, "Image of all exposures"),
        ],
        memory: (1.0e9, 1.6e9),
    };
    about.with(parameters).map(|mut r| {
        r.products.iter_mut().filter(|p| p.tag == COMBINED_IMAGE).for_each(|p| p.categories = vec!["IMAGE_FOV".into()]);
        r
    })
}

/// The image of combined exposures: not to be aligned with those of single ones.
const COMBINED_IMAGE: &str = "IMAGE_FOV_COMBINED";

fn of_field(recipe: &str, tag: &str, title: &str) -> ProductSpec {
    of_exposure(recipe, tag, title, &one_field(tag).group.signature)
}
