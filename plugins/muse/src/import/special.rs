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

/// Barycentric correction, and in MUSEpack also the sky.
pub fn velocity(reading: &mut Reading<'_>) -> Result<(), Problem> {
    let (value, note) = match reading.value.as_bool() {
        Some(false) => (
            "none",
            "in MUSEpack false also leaves the sky in, and makes nothing at all without raman; the sky is a choice of its own here (skymethod)",
        ),
        _ => ("bary", ""),
    };
    reading.set("recipes.muse_scipost.rvcorr", json!(value), note);
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

/// Identifiers that MUSEpack makes of coordinates and exposure time.
pub fn exposures(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_array().is_some_and(Vec::is_empty) {
        reading.not_needed("all exposures are combined unless some are left out");
        return Ok(());
    }
    reading.not_needed(
        "the identifiers (place, time, angle, number) name no file, so that they cannot be taken over: leave the others out by hand",
    );
    let advice = format!("{}: leave out the exposures that are not named there with [[frames.ignore]]", reading.from);
    reading.imported.advice.push(advice);
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

/// False must switch the subtraction off, which MUSEpack fails to do.
pub fn subtract_sky(reading: &mut Reading<'_>) -> Result<(), Problem> {
    if reading.value.as_bool() == Some(false) {
        let note = "MUSEpack does not tell muse_scipost, which still subtracts the sky where sky.method is model; here false means none";
        reading.set("recipes.muse_scipost.skymethod", json!("none"), note);
    } else {
        reading.not_needed("the sky is subtracted as sky.method says");
    }
    Ok(())
}
