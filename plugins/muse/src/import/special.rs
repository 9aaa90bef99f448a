//! Keys whose meaning depends on their value.

use ifured_core::{Condition, Test};
use serde_json::{Value, json};

use super::{Problem, Reading};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Statics lie in `calib` below the pipeline.
pub fn pipeline_path(reading: &mut Reading<'_>) -> Result<(), Problem> {
    reading.command.pipeline = text(reading.value);
    reading
        .not_needed("no other pipeline is needed; its static calibrations are frames like all others: name their directory in the command");
    Ok(())
}

/// Another place of the statics.
pub fn static_calib_path(reading: &mut Reading<'_>) -> Result<(), Problem> {
    reading.command.statics = text(reading.value);
    reading.not_needed("static calibrations are frames like all others: name their directory in the command");
    Ok(())
}

/// Holds `raw`.
pub fn rootpath(reading: &mut Reading<'_>) -> Result<(), Problem> {
    let path = text(reading.value);
    if path == "manual" {
        reading.not_needed("`manual` stands for several OBs in old versions; name their directories in the command");
    } else {
        reading.command.root = path;
        reading.not_needed("the directories of the frames are named in the command, and remembered");
    }
    Ok(())
}

/// -1 means all, and had no effect.
pub fn cores(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if *reading.value == json!(-1) {
        reading.not_needed("all cores are used unless resources.threads says less");
    } else {
        reading.set("resources.threads", reading.value.clone(), "in MUSEpack it has no effect: it is set in a shell that ends at once");
    }
    Ok(())
}

/// False is in MUSEpack a cube without barycentric correction and with sky, which lies beside the others.
pub fn velocity(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_bool() == Some(false) {
        let note = "the cube with sky and without correction lies beside the ordinary one; MUSEpack makes it with raman only, by a slip of brackets";
        reading.set("recipes.muse_scipost_with_sky_without_rv.enabled", json!(true), note);
    } else {
        reading.set("recipes.muse_scipost.rvcorr", json!("bary"), "");
    }
    Ok(())
}

/// Master calibrations of the archive, or those made of raw frames.
pub fn masters(reading: &mut Reading<'_>) -> Result<(), Problem> {
    let source = if reading.value.as_bool() == Some(true) { "archive" } else { "raw" };
    let note = "where both are there and fit equally well; what only one of them has is taken from it";
    reading.set("calibrations.prefer", json!(source), note);
    Ok(())
}

/// False combines the exposures of each OB on their own.
pub fn several_blocks(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_bool() == Some(true) {
        reading.not_needed("exposures of one field are combined whatever their OBs");
        return Ok(());
    }
    for recipe in ["muse_exp_align", "muse_register", "muse_exp_combine"] {
        let note =
            if recipe == "muse_exp_align" { "exposures of each OB are combined on their own; without it all of a field" } else { "" };
        reading.set(&format!("grouping.{recipe}.same"), json!(["ESO OBS NAME"]), note);
    }
    Ok(())
}

/// What is removed is removed by a command.
pub fn cleanup(reading: &mut Reading<'_>) -> Result<(), Problem> {
    let tags: &[&str] = match reading.key.name {
        "execute" => &["PIXTABLE_OBJECT", "PIXTABLE_SKY", "'PIXTABLE_REDUCED*'"],
        "include_std" => &["PIXTABLE_STD", "muse_standard"],
        "include_combined" => &["'muse_exp_combine*'"],
        _ => &["muse_bias", "muse_dark", "muse_flat", "muse_wavecal", "muse_lsf", "muse_twilight"],
    };
    let asked = reading.value.as_bool() == Some(true);
    if asked && reading.key.name == "execute" {
        reading.command.cleans = true;
    }
    if asked {
        reading.command.clean.extend(tags);
    }
    reading.not_needed("nothing is removed by a run; `ifured clean` removes products, those of a tag or recipe with --tag");
    Ok(())
}

/// Raman lines are subtracted where a table of them is there.
pub fn raman(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_bool() == Some(true) {
        reading.not_needed(
            "RAMAN_LINES is a frame like all others, taken for all exposures with adaptive optics; MUSEpack takes it in narrow-field mode only",
        );
    } else {
        reading.set("association.muse_scipost.raman-lines.enabled", json!(false), "");
    }
    Ok(())
}

/// Exposures of other times become `wrong-OBJECT`, and are not reduced.
pub fn exposure_time(reading: &mut Reading<'_>) -> Result<(), Problem> {
    let Some(seconds) = reading.value.as_u64() else {
        reading.not_needed("exposures of all times are reduced unless something is left out");
        return Ok(());
    };
    let seconds = i64::try_from(seconds).ok().filter(|s| *s < 1_000_000).ok_or("no such exposure time")?;
    let object = crate::frames::frame_types().into_iter().find(|t| t.rule.tag.as_str() == "OBJECT");
    let mut expect = object.map(|o| o.rule.expect).unwrap_or_default();
    expect.push(Condition::new("EXPTIME", Test::GreaterOrEqual, seconds));
    expect.push(Condition::new("EXPTIME", Test::Less, seconds + 1));
    let expect = serde_json::to_value(expect).map_err(|e| e.to_string())?;
    reading.set("classification.OBJECT.expect", expect, "science exposures of other times are wrong-OBJECT and are not reduced");
    let filter = format!("EXPTIME >= {seconds} && EXPTIME < {}", seconds + 1);
    reading.imported.advice.push(format!("ifured ls --tag OBJECT --where '{filter}'"));
    Ok(())
}

/// One directory below `raw`.
pub fn observing_block(reading: &mut Reading<'_>) -> Result<(), Problem> {
    reading.command.block = text(reading.value);
    let named = !reading.command.block.is_empty();
    reading.not_needed(if named { "the directory of the OB is named in the command" } else { "no OB is named" });
    Ok(())
}

/// Several directories below `raw`.
pub fn observing_blocks(reading: &mut Reading<'_>) -> Result<(), Problem> {
    reading.command.blocks = reading.value.as_array().into_iter().flatten().map(text).collect();
    let named = !reading.command.blocks.is_empty();
    reading.not_needed(if named {
        "the directories of the OBs are named in the command; they are one set of frames"
    } else {
        "no OB is named"
    });
    Ok(())
}

/// Names that MUSEpack makes of coordinates, exposure time, angle and a number.
pub fn exposures(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_array().is_some_and(Vec::is_empty) {
        reading.not_needed("all exposures are combined unless some are left out");
        return Ok(());
    }
    let note =
        "the names that `ifured ls --tag OBJECT --columns EXPNAME` shows; MUSEpack reduces the others as well, and does not combine them";
    reading.set("frames.exposures", reading.value.clone(), note);
    Ok(())
}

/// Only molecular lines are subtracted (Zeidler et al. 2019, AJ 158, 201).
pub fn modified_sky(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_bool() != Some(true) {
        reading.not_needed("the ordinary sky subtraction is what is done without it");
        return Ok(());
    }
    reading.set("recipes.muse_create_sky.modified", json!(true), "");
    reading.set("recipes.muse_create_sky_object.modified", json!(true), "");
    reading.set("recipes.muse_scipost.skymethod", json!("subtract-model"), "the modified sky is made beforehand");
    Ok(())
}

/// Sky exposures or the object itself.
pub fn sky_field(reading: &mut Reading<'_>) -> Result<(), Problem> {
    match reading.value.as_str() {
        Some("auto") => reading.not_needed("the sky exposure nearest in time is what an association takes by itself"),
        Some("object") => {
            reading.set("recipes.muse_create_sky_object.enabled", json!(true), "the sky is that of the science exposure itself");
            reading.set("recipes.muse_create_sky.enabled", json!(false), "");
        }
        _ => return Err(format!("must be \"auto\" or \"object\", but is {}", reading.value)),
    }
    Ok(())
}

/// False leaves the sky in, which MUSEpack fails to tell the recipe.
pub fn subtract_sky(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_bool() == Some(false) {
        let note = "the cube with sky lies beside the one without; MUSEpack does not tell muse_scipost, which still subtracts the sky where sky.method is model. \
                    Without a second cube: recipes.muse_scipost.skymethod = \"none\"";
        reading.set("recipes.muse_scipost_with_sky.enabled", json!(true), note);
    } else {
        reading.not_needed("the sky is subtracted as sky.method says");
    }
    Ok(())
}
