//! The configuration of filabres 1.5 as one of ifured.
//!
//! Four files: `setup_filabres.yaml` names the other three; each of those has one block for each group of frames, blocks parted by `---`.
//! Whatever is wrong is said at once, with file and line. Where filabres does something that its user cannot have
//! meant, the note of the setting says so, and that it is not done here.

mod blocks;
mod files;
mod pattern;
mod scalar;
mod setup;
mod yaml;

use ifured_core::{ImportRequest, ImportSource, Imported, RecipeError};

use files::{Kind, SourceFile};

/// What can be imported.
pub fn sources() -> Vec<ImportSource> {
    vec![ImportSource {
        program: "filabres".into(),
        title: "filabres: setup and lists of frames to ignore, correct and force (YAML)".into(),
        files: Kind::ALL.iter().map(|k| k.file_name().to_owned()).collect(),
    }]
}

/// What filabres' files mean here.
pub fn import(request: &ImportRequest) -> Result<Imported, RecipeError> {
    let mut problems = Vec::new();
    let mut imported = Imported::default();
    let mut all: Vec<SourceFile> = Vec::new();
    for path in &request.files {
        files::add(&mut all, path, None, &mut problems);
    }
    let setups: Vec<SourceFile> = all.iter().filter(|f| f.kind == Some(Kind::Setup)).cloned().collect();
    if let [first, second, ..] = setups.as_slice() {
        problems.push(format!("{} and {}: two set-ups; import one after the other", first.name, second.name));
    }
    if let Some(setup) = setups.first() {
        setup::import(setup, &mut all, &mut imported, &mut problems);
    }
    for kind in [Kind::Ignored, Kind::Corrections, Kind::Forced] {
        for file in all.iter().filter(|f| f.kind == Some(kind)) {
            blocks::import(file, kind, &mut imported, &mut problems);
        }
    }
    for file in all.iter().filter(|f| f.kind.is_none() && !f.documents.is_empty()) {
        let names: Vec<&str> = Kind::ALL.iter().map(|k| k.file_name()).collect();
        problems.push(format!(
            "{}: this is none of filabres' files: neither its name nor its keys are those of {}",
            file.name,
            names.join(", ")
        ));
    }
    if problems.is_empty() {
        return Ok(imported);
    }
    problems.dedup();
    Err(RecipeError::new(problems.join("\n"), "correct the files and import them again; nothing was written"))
}

#[cfg(test)]
mod tests;
