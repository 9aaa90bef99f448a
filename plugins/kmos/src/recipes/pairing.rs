//! `kmos_pairing`: the table of objects and skies, made without ESO's recipes.

use std::path::{Path, PathBuf};

use ifured_core::recipe::{Engine, Memory, ProductSpec, TaskInput};
use ifured_core::{AnyRecipe, Figure, Grade, Header, Host, Outcome, QualityNumber, RecipeDescription, RecipeError, Task, provenance};
use ifured_pixels::fits::{HduToWrite, Table, hash_of_bytes, primary_header, product_header, write_product};
use serde_json::json;

use super::{EXPOSURES, inputs, template};
use crate::frames::set_up;
use crate::pairing::{Exposure, Kind, Pairing, Row, automatic, text};

/// Tags of the table and of the same as text.
const PAIRING: &str = "PAIRING";
const PAIRING_TEXT: &str = "PAIRING_TEXT";
/// 2: the text is a product.
const VERSION: u32 = 2;
/// Headers alone are read.
const MEMORY: Memory = Memory::fixed(64e6);

/// The recipe.
pub struct PairingRecipe;

/// An exposure of a task.
pub struct Seen<'a> {
    /// The frame.
    pub input: &'a TaskInput,
    /// Its header, corrected.
    pub header: Header,
    /// What it means.
    pub exposure: Exposure,
}

/// The exposures of a task, in the order of time: those that are reduced, and the others of the night. Others that cannot be read are named.
pub fn seen(task: &Task) -> Result<(Vec<Seen<'_>>, Vec<String>), RecipeError> {
    let main: Vec<&PathBuf> = task.main().map(|i| &i.path).collect();
    let others = task.role(EXPOSURES).filter(|i| !main.contains(&&i.path));
    let mut all = task.main().map(|i| one(i, true)).collect::<Result<Vec<_>, _>>()?;
    let mut notes = Vec::new();
    for other in others.map(|i| one(i, false)) {
        match other {
            Ok(seen) => all.push(seen),
            Err(error) => notes.push(format!("not looked at for sky: {}", error.what)),
        }
    }
    all.sort_by(|a, b| a.exposure.mjd.total_cmp(&b.exposure.mjd).then_with(|| a.exposure.name.cmp(&b.exposure.name)));
    Ok((all, notes))
}

fn one(input: &TaskInput, reduced: bool) -> Result<Seen<'_>, RecipeError> {
    let mut header = primary_header(&input.path)?;
    for (keyword, value) in &input.corrections {
        header.set(keyword, value.clone(), "");
    }
    let name = input.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let exposure = Exposure::of(&name, &header, input.mjd, reduced).map_err(|e| {
        RecipeError::new(format!("{name}: {e}"), "correct the keyword in the section `frames` of the configuration, or ignore the frame")
    })?;
    Ok(Seen { input, header, exposure })
}

/// Quality numbers of a pairing.
pub fn quality(pairing: &Pairing) -> Vec<QualityNumber> {
    let targets = pairing.targets().count() as f64;
    let without = pairing.without_sky().count() as f64;
    let longest = pairing.rows.iter().filter_map(|r| r.minutes).map(f64::abs).fold(0.0, f64::max);
    vec![
        QualityNumber::new("OBJECTS", targets, "", "arms on an object, of all exposures"),
        QualityNumber::new("OBJECTS WITHOUT SKY", without, "", "of these without a sky").within(0.0, 0.0, Grade::Questionable),
        QualityNumber::new("SKY DISTANCE", longest, "min", "longest time between object and sky"),
    ]
}

/// Names of the exposures with objects that have no sky, for a note.
pub fn notes(pairing: &Pairing) -> Vec<String> {
    let without: Vec<String> = pairing.without_sky().map(|r| format!("{} arm {}", r.frame, r.arm)).collect();
    let first = without.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if without.len() > 5 { format!(" and {} more", without.len() - 5) } else { String::new() };
    if without.is_empty() { vec![] } else { vec![format!("no sky for {first}{more}: it is not subtracted there")] }
}

impl AnyRecipe for PairingRecipe {
    fn description(&self) -> RecipeDescription {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kmos_pairing",
            "description": "This recipe has no parameters.", "type": "object", "properties": {}, "additionalProperties": false
        });
        RecipeDescription {
            name: "kmos_pairing".into(),
            version: VERSION,
            title: "Table of objects and skies".into(),
            description: "Finds for each arm on an object the exposure nearest in time with the same arm on sky, of the same observation block if there is \
                one. The table is made as text, too, to be changed and given to kmos_sci_red. Needs no recipe of ESO."
                .into(),
            main: template(&["SCIENCE"], set_up(), 1),
            inputs: vec![inputs::exposures_of_the_night()],
            products: vec![
                made(PAIRING, "Table of objects and skies", "fits"),
                made(PAIRING_TEXT, "The same as text, to be copied and changed", "txt").text(),
            ],
            memory: MEMORY,
            engines: vec![Engine { version: VERSION, memory: MEMORY, schema, defaults: json!({}), ..Engine::default() }],
            ..RecipeDescription::default()
        }
    }

    fn execute(&self, task: &Task, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let output =
            task.outputs.first().ok_or_else(|| RecipeError::new("the task has no outputs", "make the plan again with `ifured plan`"))?;
        let (seen, mut found) = seen(task)?;
        let exposures: Vec<Exposure> = seen.iter().map(|s| s.exposure.clone()).collect();
        let pairing = automatic(&exposures);
        found.extend(notes(&pairing));
        let mut outcome = Outcome { quality: quality(&pairing), notes: found, ..Outcome::default() };
        let mut primary = seen.iter().find(|s| s.exposure.reduced).map(|s| product_header(&s.header)).unwrap_or_default();
        primary.set("ESO PRO CATG", PAIRING, "Category of product");
        provenance::write(&mut primary, task, &outcome, PAIRING);
        if let Some(parent) = output.path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|e| RecipeError::new(format!("cannot create {}: {e}", parent.display()), "choose another --output DIR"))?;
        }
        let table = table(&pairing);
        let written = write_product(&output.path, &[HduToWrite::Empty(&primary), HduToWrite::Table(&table)])?;
        outcome.add(output, written.hash, written.bytes);
        if let Some(output) = task.output(PAIRING_TEXT) {
            let text = text::write(&pairing);
            write_text(&output.path, &text)?;
            outcome.add(output, hash_of_bytes(text.as_bytes()), text.len() as u64);
            outcome.notes.push(format!("table to read and change: {}", output.name));
        }
        Ok(outcome)
    }
}

/// The table, as a file of that kind.
fn made(tag: &str, title: &str, extension: &str) -> ProductSpec {
    ProductSpec::new(tag, title, &format!("kmos_pairing/{{night}}/PAIRING_{{stem}}.{extension}"), &set_up())
}

/// Writes a text, completely or not at all.
pub fn write_text(path: &Path, text: &str) -> Result<(), RecipeError> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, path)).map_err(|e| {
        RecipeError::new(format!("cannot write {}: {e}", path.display()), "see whether the disk is full or not yours to write")
    })
}

fn table(pairing: &Pairing) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", "PAIRING", "");
    Figure::new("Time from object to sky", "ARM").points("MINUTES").write(&mut header);
    let mut table = Table::new(header, pairing.rows.len());
    let words = |of: &dyn Fn(&Row) -> String| pairing.rows.iter().map(of).collect::<Vec<String>>();
    let numbers = |of: &dyn Fn(&Row) -> i32| pairing.rows.iter().map(of).collect::<Vec<i32>>();
    table.push("FRAME", "", words(&|r| r.frame.clone()).into());
    table.push("ARM", "", numbers(&|r| i32::from(r.arm)).into());
    table.push("TARGET", "", words(&|r| r.target.clone()).into());
    table.push("TYPE", "", words(&|r| Kind::word(r.kind).to_owned()).into());
    table.push("SKY", "", words(&|r| r.sky.as_ref().map(|s| s.frame.clone()).unwrap_or_default()).into());
    table.push("SKY_ARM", "", numbers(&|r| r.sky.as_ref().map_or(0, |s| i32::from(s.arm))).into());
    table.push("MINUTES", "min", pairing.rows.iter().map(|r| r.minutes.unwrap_or(f64::NAN)).collect::<Vec<f64>>().into());
    table.push("NOTE", "", words(&|r| r.note.clone()).into());
    table
}

#[cfg(test)]
mod tests {
    use ifured_core::recipe::{ProductFormat, QuietHost, SimulationRequest, TaskOutput};
    use ifured_pixels::fits::hash_of_file;

    use super::*;

    #[test]
    fn the_text_is_a_product_and_says_the_same_as_the_table() {
        let directory = tempfile::tempdir().unwrap();
        let request = SimulationRequest { directory: "unused".into(), seed: 1, nights: 1, size: None };
        let frames = crate::simulation::raw_frames(&request).into_iter().filter(|f| f.tag == "SCIENCE").take(2);
        let inputs: Vec<TaskInput> = frames
            .map(|frame| {
                let path = directory.path().join(&frame.name);
                write_product(&path, &[HduToWrite::Empty(&frame.primary)]).unwrap();
                TaskInput { role: "main".into(), tag: frame.tag, path, name: frame.name, ..TaskInput::default() }
            })
            .collect();
        let description = PairingRecipe.description();
        let output = |p: &ProductSpec| {
            let name = if p.format == ProductFormat::Text { "PAIRING.txt" } else { "PAIRING.fits" };
            TaskOutput { tag: p.tag.clone(), path: directory.path().join("out").join(name), name: name.into(), ..TaskOutput::default() }
        };
        let outputs = description.products.iter().map(output).collect();
        let task = Task { recipe: description.name, inputs, outputs, ..Task::default() };
        let outcome = PairingRecipe.execute(&task, &QuietHost).unwrap();
        let made: Vec<(&str, &str)> = outcome.products.iter().map(|p| (p.tag.as_str(), p.name.as_str())).collect();
        assert_eq!(made, [(PAIRING, "PAIRING.fits"), (PAIRING_TEXT, "PAIRING.txt")]);
        for (product, output) in outcome.products.iter().zip(&task.outputs) {
            assert_eq!(product.hash, hash_of_file(&output.path).unwrap());
            assert_eq!(product.bytes, std::fs::metadata(&output.path).unwrap().len());
        }
        let (seen, _) = seen(&task).unwrap();
        let exposures: Vec<Exposure> = seen.iter().map(|s| s.exposure.clone()).collect();
        let text = std::fs::read_to_string(&task.outputs[1].path).unwrap();
        assert_eq!(text::read(&text, &exposures).unwrap().unwrap().pairing, automatic(&exposures));
        // Nothing unfinished is left.
        assert_eq!(std::fs::read_dir(directory.path().join("out")).unwrap().count(), 2);
    }
}
