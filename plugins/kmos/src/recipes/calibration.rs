//! Recipes of the calibrations: darks to telluric spectra.

use ifured_core::RecipeError;
use ifured_core::recipe::{ProductSpec, Take};
use ifured_eso::esorex::{EsorexRecipe, ProductRule, RecipeParameters};

use super::{About, ILLUM_CORR_LAMP, inputs, product, template};
use crate::frames::{exposure, gratings, set_up};

/// Extensions of calibrations of all detectors.
const DETECTORS: [&str; 3] = ["DET.1.DATA", "DET.2.DATA", "DET.3.DATA"];
const BAD_PIXELS: [&str; 3] = ["DET.1.BADPIX", "DET.2.BADPIX", "DET.3.BADPIX"];

/// Name of the illumination recipe for lamp flats.
const LAMP: &str = "kmos_illumination_lamp";

/// All of them.
pub fn recipes(parameters: &RecipeParameters) -> Result<Vec<EsorexRecipe>, RecipeError> {
    let mut by_lamp = illumination("FLAT_ON", "Illumination from lamp flats").with(parameters)?;
    by_lamp.description.name = LAMP.into();
    by_lamp.products = vec![ProductRule::required(ILLUM_CORR_LAMP).with_categories(&["ILLUM_CORR"])];
    Ok(vec![
        ruled(dark().with(parameters)?, &["MASTER_DARK"], &["BADPIXEL_DARK"]),
        ruled(flat().with(parameters)?, &["MASTER_FLAT", "XCAL", "YCAL"], &["BADPIXEL_FLAT", "FLAT_EDGE"]),
        ruled(wavelengths().with(parameters)?, &["LCAL"], &[]),
        illumination("FLAT_SKY", "Illumination from twilight flats").with(parameters)?,
        by_lamp,
        standard().with(parameters)?,
    ])
}

/// Products that must be there: with data of all detectors, and others.
fn ruled(mut recipe: EsorexRecipe, of_detectors: &[&str], others: &[&str]) -> EsorexRecipe {
    for rule in &mut recipe.products {
        if of_detectors.contains(&rule.tag.as_str()) {
            *rule = ProductRule::required(&rule.tag).with_extensions(&DETECTORS);
        } else if others.contains(&rule.tag.as_str()) {
            let extensions: &[&str] = if rule.tag.starts_with("BADPIXEL") { &BAD_PIXELS } else { &[] };
            *rule = ProductRule::required(&rule.tag).with_extensions(extensions).with_finite(0.0);
        }
    }
    recipe
}

fn dark() -> About<'static> {
    About {
        recipe: "kmos_dark",
        title: "Master dark",
        description: "Combines darks of one template and exposure time; finds bad pixels.",
        main: template(&["DARK"], exposure(), 3),
        inputs: vec![],
        products: vec![
            ProductSpec { signature: exposure(), ..product("kmos_dark", "MASTER_DARK", "Master dark") },
            ProductSpec { signature: exposure(), ..product("kmos_dark", "BADPIXEL_DARK", "Bad pixels of the darks") },
        ],
    }
}

fn flat() -> About<'static> {
    About {
        recipe: "kmos_flat",
        title: "Master flat, edges of the slitlets, positions on the sky of the pixels",
        description: "Combines flats of one template with the lamp on and off, at all rotator angles; finds the slitlets; gives each detector pixel \
            its place in the field of its integral-field unit.",
        // The lamp frames of ESO's rule: six, on and off together. Of each kind there must be one.
        main: template(&["FLAT_ON", "FLAT_OFF"], gratings(), 6),
        inputs: vec![
            inputs::lamp_of_template("lamp-on", "FLAT_ON"),
            inputs::lamp_of_template("lamp-off", "FLAT_OFF"),
            inputs::bad_pixels(),
        ],
        products: vec![
            product("kmos_flat", "MASTER_FLAT", "Master flat"),
            product("kmos_flat", "XCAL", "Position along x of each pixel"),
            product("kmos_flat", "YCAL", "Position along y of each pixel"),
            product("kmos_flat", "BADPIXEL_FLAT", "Bad pixels of the flats"),
            product("kmos_flat", "FLAT_EDGE", "Edges of the slitlets"),
        ],
    }
}

fn wavelengths() -> About<'static> {
    About {
        recipe: "kmos_wave_cal",
        title: "Wavelength of each pixel",
        description: "Finds and identifies arc lines in each slitlet, at all rotator angles, and fits the wavelength of each detector pixel.",
        main: template(&["ARC_ON"], gratings(), 1),
        inputs: vec![
            inputs::lamp("lamp-off", "ARC_OFF", Take::Nearest),
            inputs::xcal(),
            inputs::ycal(),
            inputs::edges(),
            inputs::arc_lines(),
            inputs::reference_lines(),
            inputs::bands(),
        ],
        products: vec![
            product("kmos_wave_cal", "LCAL", "Wavelength of each pixel"),
            product("kmos_wave_cal", "DET_IMG_WAVE", "Arc resampled in wavelength"),
        ],
    }
}

fn illumination<'a>(tag: &'a str, title: &'a str) -> About<'a> {
    let products = match tag {
        "FLAT_ON" => vec![product(LAMP, ILLUM_CORR_LAMP, "Illumination of the integral-field units, by the lamp")],
        _ => vec![
            product("kmos_illumination", "ILLUM_CORR", "Illumination of the integral-field units"),
            product("kmos_illumination", "SKYFLAT_EDGE", "Edges of the slitlets in these flats"),
        ],
    };
    About {
        recipe: "kmos_illumination",
        title,
        description: "Reconstructs flats of the sky or the lamp and collapses them: the illumination of the field of each integral-field unit.",
        main: template(&[tag], gratings(), 1),
        inputs: vec![inputs::dark(), inputs::flat(), inputs::xcal(), inputs::ycal(), inputs::lcal(), inputs::bands(), inputs::edges()],
        products,
    }
}

fn standard() -> About<'static> {
    About {
        recipe: "kmos_std_star",
        title: "Telluric spectra",
        description: "Reconstructs exposures of a standard star, extracts its spectra and divides them by what is of the star: telluric absorption and \
            response, and the zero point.",
        main: template(&["STD"], set_up(), 1),
        inputs: vec![
            inputs::xcal(),
            inputs::ycal(),
            inputs::lcal(),
            inputs::flat(),
            inputs::bands(),
            inputs::illumination(),
            inputs::sun(),
            inputs::atmosphere(),
            inputs::spectral_types(),
        ],
        products: vec![
            product("kmos_std_star", "TELLURIC", "Telluric spectra"),
            product("kmos_std_star", "STAR_SPEC", "Spectra of the standard star"),
            product("kmos_std_star", "NOISE_SPEC", "Noise of these spectra"),
            product("kmos_std_star", "STD_IMAGE", "Images of the standard star"),
            product("kmos_std_star", "STD_MASK", "Masks of the standard star"),
        ],
    }
}
