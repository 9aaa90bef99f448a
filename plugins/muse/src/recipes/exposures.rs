//! Recipes of exposures: from raw frames to pixel tables, cubes, and their combination.

use ifured_core::RecipeError;
use ifured_core::lookup::TAG;
use ifured_core::recipe::{InputSpec, Level, MainInput, Memory, Requirement};
use ifured_core::rule::key;
use ifured_core::sof::AS_TAG;
use ifured_eso::esorex::{EsorexRecipe, RecipeParameters};
use serde_json::json;

use super::detector::tables;
use super::field::{REGISTERED_OFFSETS, of_field, one_field, same_field};
use super::{About, CHANNELS, channel_of, default, inputs, of_channel, of_exposure, of_tables};
use crate::frames::mode;

/// What comes out of an exposure of that tag.
const EXPOSURES: [(&str, &str); 4] =
    [("OBJECT", "PIXTABLE_OBJECT"), ("STD", "PIXTABLE_STD"), ("SKY", "PIXTABLE_SKY"), ("ASTROMETRY", "PIXTABLE_ASTROMETRY")];

/// All of them.
pub fn recipes(parameters: &RecipeParameters) -> Result<Vec<EsorexRecipe>, RecipeError> {
    let basic = |(tag, table): &(&str, &str)| Ok(of_channels(basic(tag, table).with(parameters)?, tag));
    let mut all: Vec<EsorexRecipe> = EXPOSURES.iter().map(basic).collect::<Result<_, RecipeError>>()?;
    all.extend([standard(parameters)?, align(parameters)?]);
    for variant in std::iter::once(&Variant::PLAIN).chain(&VARIANTS) {
        all.extend([post(parameters, variant)?, combine(parameters, variant)?]);
    }
    Ok(all)
}

/// A way in which exposures are reduced, whose products lie beside those of the others.
struct Variant {
    /// Behind the names of the recipes.
    name: &'static str,
    /// Behind the tags of the products.
    tag: &'static str,
    /// What differs, behind the titles.
    title: &'static str,
    /// Whether the sky is left in.
    with_sky: bool,
    /// Whether wavelengths stay as they were observed.
    without_rv: bool,
}

impl Variant {
    const PLAIN: Variant = Variant { name: "", tag: "", title: "", with_sky: false, without_rv: false };

    fn is_plain(&self) -> bool {
        self.name.is_empty()
    }

    fn tag(&self, tag: &str) -> String {
        format!("{tag}{}", self.tag)
    }

    /// Makes a recipe that of this variant; its products have the categories that they have without it.
    fn of(&self, mut recipe: EsorexRecipe) -> EsorexRecipe {
        if !self.is_plain() {
            recipe.description.variant_of = Some(recipe.description.name.clone());
            recipe.description.name += self.name;
        }
        for rule in &mut recipe.products {
            rule.categories.iter_mut().for_each(|c| *c = c.strip_suffix(self.tag).unwrap_or(c).to_owned());
        }
        recipe
    }
}

/// Off unless asked for.
const VARIANTS: [Variant; 3] = [
    Variant { name: "_with_sky", tag: "_WITH_SKY", title: ", with sky", with_sky: true, without_rv: false },
    Variant { name: "_without_rv", tag: "_WITHOUT_RV", title: ", wavelengths as observed", with_sky: false, without_rv: true },
    Variant {
        name: "_with_sky_without_rv",
        tag: "_WITH_SKY_WITHOUT_RV",
        title: ", with sky, wavelengths as observed",
        with_sky: true,
        without_rv: true,
    },
];

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
        memory: Memory::fixed(1.4e9),
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
        memory: of_tables(1.2e9),
    };
    about.with(parameters).map(|r| tables(r, &["STD_RESPONSE", "STD_TELLURIC", "STD_FLUXES"]))
}

fn post(parameters: &RecipeParameters, variant: &Variant) -> Result<EsorexRecipe, RecipeError> {
    let product = |tag: &str, title: &str| of_exposure("muse_scipost", &variant.tag(tag), &format!("{title}{}", variant.title), &mode());
    let mut about = About {
        recipe: "muse_scipost",
        title: &format!("Reduced exposure{}", variant.title),
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
            inputs::raman_lines(),
            inputs::own("output-wcs", "OUTPUT_WCS"),
        ],
        products: vec![
            product("DATACUBE_FINAL", "Cube of the exposure"),
            product("IMAGE_FOV", "Image of the field"),
            product("PIXTABLE_REDUCED", "Reduced pixel table"),
        ],
        memory: of_tables(1.1e9),
    };
    if variant.with_sky {
        about.inputs.retain(|i| !matches!(i.role.as_str(), "sky-lines" | "sky-continuum"));
    }
    let mut recipe = variant.of(default(about.with(parameters)?, "save", json!("cube,individual")));
    recipe.description.enabled = variant.is_plain();
    recipe.description.requirements = requirements_of_post(variant);
    if variant.with_sky {
        recipe = recipe.fix(SKY_METHOD, "none");
    }
    if variant.without_rv {
        recipe = recipe.fix("rvcorr", "none");
    }
    Ok(recipe)
}

/// Parameter that says how the sky is subtracted.
const SKY_METHOD: &str = "skymethod";

/// What the help of `muse_scipost` says: both methods with a model need lines and line-spread function, and the one that does not fit them a continuum,
/// too. Without, the recipe ends with an error. Factors of the self-calibration are read where they are the user's.
fn requirements_of_post(variant: &Variant) -> Vec<Requirement> {
    let factors = Requirement::new("autocalib", "user", "autocal-factors");
    if variant.with_sky {
        return vec![factors];
    }
    let model =
        |role: &str| Requirement { values: vec![json!("model"), json!("subtract-model")], ..Requirement::new(SKY_METHOD, "model", role) };
    vec![model("line-spread"), model("sky-lines"), Requirement::new(SKY_METHOD, "subtract-model", "sky-continuum"), factors]
}

fn align(parameters: &RecipeParameters) -> Result<EsorexRecipe, RecipeError> {
    let about = About {
        recipe: "muse_exp_align",
        title: "Offsets of the exposures of a field",
        description: "Finds sources in the images of all exposures of a field and measures the offsets between them.",
        main: one_field("IMAGE_FOV", 2),
        inputs: vec![],
        products: vec![of_field("muse_exp_align", "OFFSET_LIST", "Offsets of the exposures")],
        memory: Memory { per_frame: 0.01e9, ..Memory::fixed(0.5e9) },
    };
    about.with(parameters).map(|r| tables(r, &["OFFSET_LIST"]))
}

/// The offsets of the exposures: tied to the sky where that was asked for.
fn offsets() -> InputSpec {
    let level = |tag: &str, title: &str, adapt: Option<String>| Level {
        title: title.into(),
        signature: same_field(),
        when: vec![key(TAG).is(tag)],
        adapt,
        ..Level::default()
    };
    let levels = vec![
        level(REGISTERED_OFFSETS, "tied to known positions", Some(format!("{AS_TAG}OFFSET_LIST"))),
        level("OFFSET_LIST", "same field", None),
    ];
    InputSpec {
        levels,
        ..InputSpec::optional("offsets", "OFFSET_LIST", "exposures are placed by their headers").or_tag(REGISTERED_OFFSETS)
    }
}

/// Exposures of each variant are combined, if there are some.
fn combine(parameters: &RecipeParameters, variant: &Variant) -> Result<EsorexRecipe, RecipeError> {
    let tables = one_field(&variant.tag("PIXTABLE_REDUCED"), 2);
    let main = if variant.is_plain() { tables } else { tables.go_in_as("PIXTABLE_REDUCED") };
    let product = |tag: &str, title: &str| of_field("muse_exp_combine", &variant.tag(tag), &format!("{title}{}", variant.title));
    let about = About {
        recipe: "muse_exp_combine",
        title: &format!("Cube of all exposures of a field{}", variant.title),
        description: "Places the reduced pixel tables of all exposures of a field on one grid.",
        main,
        inputs: vec![offsets(), inputs::filters(), inputs::own("output-wcs", "OUTPUT_WCS")],
        products: vec![product("DATACUBE_FINAL", "Cube of all exposures"), product(COMBINED_IMAGE, "Image of all exposures")],
        // Of each exposure the pixel tables of all channels, and the grid: 0.7 GB a channel were measured.
        memory: Memory { per_frame: 17.0e9, ..Memory::fixed(1.0e9) },
    };
    let mut recipe = variant.of(about.with(parameters)?);
    recipe.products.iter_mut().filter(|p| p.categories == [COMBINED_IMAGE]).for_each(|p| p.categories = vec!["IMAGE_FOV".into()]);
    Ok(recipe)
}

/// The image of combined exposures: not to be aligned with those of single ones.
const COMBINED_IMAGE: &str = "IMAGE_FOV_COMBINED";
