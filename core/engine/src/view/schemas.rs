//! The JSON Schema of every answer and file: one table, from which they are printed, checked in and tested.

use std::path::PathBuf;

use ifured_core::recipe::{Outcome, RecipeDescription, Simulation, TruthRow};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::answer::{ConfigCheckView, ErrorView, ImportView, PluginView, RemovedView, ReportView, ShowView, VerifiedView};
use super::frames::CensusView;
use super::plan::PlanView;
use super::run::RunView;
use super::why::{Why, WhyNot};
use crate::attempt::AttemptFile;
use crate::collect::Collected;
use crate::config::Setting;
use crate::list::answer::{FrameRow, GroupRow, Origin, ProductRow, QualityRow, TaskRow};
use crate::plan;
use crate::verify::Check;

/// A schema in the table.
pub struct Entry {
    /// The command, or the file: `ls-frames`.
    pub name: &'static str,
    make: fn() -> Schema,
}

impl Entry {
    /// The schema.
    pub fn schema(&self) -> Schema {
        let mut schema = (self.make)();
        schema.insert("$id".into(), format!("https://ifured.example/schemas/{}.json", self.name).into());
        schema
    }
}

/// What `--json` prints, by command.
pub const ANSWERS: &[Entry] = &[
    answer::<Vec<RemovedView>>("clean"),
    answer::<Vec<Collected>>("collect"),
    answer::<ConfigCheckView>("config-check"),
    answer::<Vec<Setting>>("config-show"),
    answer::<ErrorView>("error"),
    answer::<Outcome>("exec"),
    answer::<ImportView>("import"),
    answer::<Vec<String>>("ls-columns"),
    answer::<Vec<FrameRow>>("ls-frames"),
    answer::<Vec<GroupRow>>("ls-groups"),
    answer::<Origin>("ls-made-from"),
    answer::<Vec<ProductRow>>("ls-products"),
    answer::<Vec<QualityRow>>("ls-quality"),
    answer::<Vec<TaskRow>>("ls-tasks"),
    answer::<PlanView>("plan"),
    answer::<Vec<Check>>("plugin-check"),
    answer::<Vec<PluginView>>("plugin-ls"),
    answer::<Vec<PathBuf>>("plugin-new"),
    answer::<Vec<RecipeDescription>>("recipe-ls"),
    answer::<Outcome>("recipe-run"),
    answer::<RecipeDescription>("recipe-show"),
    answer::<RunView>("reduce"),
    answer::<ReportView>("report"),
    answer::<CensusView>("scan"),
    answer::<ShowView>("show"),
    answer::<Simulation>("simulate"),
    answer::<Vec<VerifiedView>>("verify"),
    answer::<Vec<TruthRow>>("verify-truth"),
    answer::<Why>("why"),
    answer::<WhyNot>("whynot"),
];

/// Files in an output directory.
pub const FILES: &[Entry] = &[file::<AttemptFile>("attempt"), Entry { name: "plan", make: plan::file_schema }];

/// All schemas as files below a directory: `answers/why.json`, with their text.
pub fn all() -> Vec<(String, String)> {
    let text = |entry: &Entry| serde_json::to_string_pretty(&entry.schema()).unwrap_or_default() + "\n";
    let answers = ANSWERS.iter().map(|e| (format!("answers/{}.json", e.name), text(e)));
    answers.chain(FILES.iter().map(|e| (format!("files/{}.json", e.name), text(e)))).collect()
}

const fn answer<T: JsonSchema>(name: &'static str) -> Entry {
    Entry { name, make: || SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>() }
}

const fn file<T: JsonSchema>(name: &'static str) -> Entry {
    Entry { name, make: || SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>() }
}
