//! Recipes of the single channels: bias to wavelengths, and the twilight cube of all.

use ifured_core::recipe::{MainInput, Memory};
use ifured_core::{RecipeError, Signature};
use ifured_eso::esorex::{EsorexRecipe, RecipeParameters};
use serde_json::json;

use super::{About, CHANNELS, channel_of, default, inputs, of_channel, of_exposure};
use crate::frames::{detector, mode, set_up};

/// Frames of one template in one night, of equal signature; ESO's recipes need three.
fn template(tag: &str, mut signature: Signature, least: usize) -> MainInput {
    signature.0.extend(Signature::exact(&["ESO TPL START"]).0);
    let mut main = MainInput::groups(&[tag], &signature, 24.0, least);
    main.group.span_hours = None;
    main.each_extension(CHANNELS)
}

/// Bytes of a recipe that holds the images of one channel of all its frames, with quality and variance: 4096 x 4112 pixels of 12 bytes, whatever the
/// template. 0.9 GB were measured for three frames, 1.4 GB for `muse_lsf`.
fn of_images(fixed: f64) -> Memory {
    Memory { per_frame: 0.21e9, ..Memory::fixed(fixed) }
}

/// All of them.
pub fn recipes(parameters: &RecipeParameters) -> Result<Vec<EsorexRecipe>, RecipeError> {
    let of_one = |about: About<'_>| about.with(parameters).map(|r| EsorexRecipe { of_task: Some(channel_of), ..r });
    let bias = About {
        recipe: "muse_bias",
        title: "Master bias",
        description: "Combines bias frames of one template, channel by channel; finds bad columns.",
        main: template("BIAS", detector(), 3),
        inputs: vec![inputs::bad_pixels()],
        products: vec![of_channel("muse_bias", "MASTER_BIAS", "Master bias", &inputs::with_channel(detector()))],
        memory: of_images(0.4e9),
    };
    let dark = About {
        recipe: "muse_dark",
        title: "Master dark",
        description: "Combines dark frames of one template, channel by channel; finds hot pixels. Off unless asked for: darks of MUSE are weak.",
        main: template("DARK", detector(), 3),
        inputs: vec![inputs::bias(), inputs::bad_pixels()],
        products: vec![of_channel("muse_dark", "MASTER_DARK", "Master dark", &inputs::with_channel(detector()))],
        memory: of_images(0.4e9),
    };
    let flat = About {
        recipe: "muse_flat",
        title: "Master flat and traces of the slices",
        description: "Combines lamp flats of one template, channel by channel; traces the slices.",
        main: template("FLAT", set_up(), 3),
        inputs: vec![inputs::bias(), inputs::dark(), inputs::bad_pixels()],
        products: vec![
            of_channel("muse_flat", "MASTER_FLAT", "Master flat", &inputs::with_channel(set_up())),
            of_channel("muse_flat", "TRACE_TABLE", "Traces of the slices", &inputs::with_channel(set_up())),
            of_channel("muse_flat", "TRACE_SAMPLES", "Measured edges of the slices", &inputs::with_channel(set_up())),
        ],
        memory: of_images(0.4e9),
    };
    let wavelengths = About {
        recipe: "muse_wavecal",
        title: "Wavelength solution",
        description: "Finds and identifies arc lines in each slice and fits the wavelength in two dimensions, channel by channel.",
        main: template("ARC", set_up(), 1),
        inputs: vec![inputs::bias(), inputs::dark(), inputs::trace(), inputs::line_catalogue(), inputs::bad_pixels()],
        products: vec![
            of_channel("muse_wavecal", "WAVECAL_TABLE", "Wavelength solution", &inputs::with_channel(set_up())),
            of_channel("muse_wavecal", "WAVECAL_RESIDUALS", "Residuals of the arc lines", &inputs::with_channel(set_up())),
        ],
        memory: of_images(0.4e9),
    };
    let line_spread = About {
        recipe: "muse_lsf",
        title: "Line-spread function",
        description: "Measures the line-spread function of each slice from arc lines, channel by channel.",
        main: template("ARC", set_up(), 1),
        inputs: vec![
            inputs::bias(),
            inputs::dark(),
            inputs::trace(),
            inputs::wavelengths(),
            inputs::line_catalogue(),
            inputs::bad_pixels(),
        ],
        products: vec![of_channel("muse_lsf", "LSF_PROFILE", "Line-spread function", &inputs::with_channel(set_up()))],
        memory: of_images(1.0e9),
    };
    let mut twilight_main = template("SKYFLAT", set_up(), 3);
    twilight_main.each_extension = None;
    let mut twilight_inputs = vec![inputs::illumination()];
    twilight_inputs.extend(inputs::masters_of_all_channels());
    twilight_inputs.extend([inputs::geometry(), inputs::vignetting(), inputs::bad_pixels()]);
    let twilight = About {
        recipe: "muse_twilight",
        title: "Illumination of the field",
        description: "Combines twilight flats of all channels into a smooth cube: the illumination of the field and the levels of the channels.",
        main: twilight_main,
        inputs: twilight_inputs,
        products: vec![of_exposure("muse_twilight", "TWILIGHT_CUBE", "Illumination of the field", &mode())],
        // The pixel tables of all 24 channels at once: 0.9 GB were measured with one channel, 1.3 GB with two.
        memory: Memory::fixed(10.5e9),
    };
    let mut dark = of_one(dark)?;
    dark.description.enabled = false;
    Ok(vec![
        of_one(bias)?,
        dark,
        tables(default(of_one(flat)?, "samples", json!(true)), &["TRACE_TABLE", "TRACE_SAMPLES"]),
        tables(default(of_one(wavelengths)?, "residuals", json!(true)), &["WAVECAL_TABLE", "WAVECAL_RESIDUALS"]),
        of_one(line_spread)?,
        twilight.with(parameters)?,
    ])
}

/// Products that are tables have no share of finite pixels.
pub fn tables(mut recipe: EsorexRecipe, tags: &[&str]) -> EsorexRecipe {
    recipe.products.iter_mut().filter(|p| tags.contains(&p.tag.as_str())).for_each(|p| p.finite = 0.0);
    recipe
}
