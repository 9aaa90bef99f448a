//! One recipe on one group of frames.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Choice, EngineName, ProductFormat};
use crate::name::name;
use crate::tag::Tag;

name! {
    /// Identity of a task: a hash, in hexadecimal digits, of everything that decides what it computes.
    TaskId
}

impl TaskId {
    /// Its first twelve digits, for names of files.
    pub fn short(&self) -> &str {
        self.as_str().get(..12).unwrap_or(self.as_str())
    }
}

name! {
    /// What a frame is to a task: [`Role::MAIN`] for those that it is about, or the name of an input: `bias`, `flat`.
    Role
}

impl Role {
    /// Role of the frames that a task is about.
    pub const MAIN: &'static str = "main";

    /// Whether it is that of the frames that a task is about.
    pub fn is_main(&self) -> bool {
        *self == Role::MAIN
    }
}

/// One frame that goes into a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskInput {
    /// What it is to the task.
    pub role: Role,
    /// Its tag.
    pub tag: Tag,
    /// Where it is.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub path: PathBuf,
    /// Its name in provenance: path below the data or output directory.
    pub name: String,
    /// Identity of its content: a hash of a raw file, or of the task that makes a product together with its tag.
    pub identity: String,
    /// Quality level of the association; 0 for main frames.
    pub level: i32,
    /// How to adapt it (see [`Level::adapt`](super::Level::adapt)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<String>,
    /// Why it was chosen.
    #[serde(default)]
    pub choice: Choice,
    /// Keywords that the header of the file does not have so: corrections of the configuration, and names of known objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<(String, crate::Value)>,
    /// Time of the frame (modified Julian date), if known.
    #[serde(default)]
    pub mjd: Option<f64>,
}

/// One product that a task will write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskOutput {
    /// Its tag.
    pub tag: Tag,
    /// Where to write it.
    #[serde(with = "crate::path")]
    #[schemars(with = "String")]
    pub path: PathBuf,
    /// Path below the output directory.
    pub name: String,
    /// What kind of file it is.
    #[serde(default, skip_serializing_if = "ProductFormat::is_fits")]
    pub format: ProductFormat,
}

impl TaskOutput {
    /// The output of the `n`-th file of a tag, from 1, where a recipe makes several: the first has the path of the output, the others the same with
    /// `_2`, `_3`…
    pub fn numbered(&self, n: usize) -> TaskOutput {
        if n <= 1 {
            return self.clone();
        }
        let name = with_number(Path::new(&self.name), n).display().to_string();
        TaskOutput { path: with_number(&self.path, n), name, ..self.clone() }
    }
}

fn with_number(path: &Path, n: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{n}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// One recipe on one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Hash of recipe, version, parameters and content of the inputs.
    pub id: TaskId,
    /// Name of the instrument.
    pub instrument: String,
    /// Content hash of the plugin library, if the instrument is not built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Name of the recipe.
    pub recipe: String,
    /// Version of the recipe.
    pub recipe_version: u32,
    /// The engine that does the work.
    #[serde(default)]
    pub engine: EngineName,
    /// The recipe of another program that does the work, with its version; part of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// Parameters, complete.
    pub parameters: serde_json::Value,
    /// Night of the first main frame.
    pub night: String,
    /// Signature of the group, as text.
    pub signature: String,
    /// Extension of the main frames that the task is about; none if it is about whole frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Frames, main ones first, each role in a fixed order.
    pub inputs: Vec<TaskInput>,
    /// Products to write.
    pub outputs: Vec<TaskOutput>,
    /// Inputs that were not found, and what the recipe does instead.
    #[serde(default)]
    pub missing: Vec<MissingInput>,
    /// Quality level: the worst of all inputs.
    pub level: i32,
    /// Estimated memory in bytes.
    pub memory: u64,
}

/// An optional input that was not found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissingInput {
    /// The role.
    pub role: Role,
    /// What the recipe does instead.
    pub otherwise: String,
    /// Level that the product gets by that.
    pub level: i32,
}

impl Task {
    /// The main frames.
    pub fn main(&self) -> impl Iterator<Item = &TaskInput> {
        self.role(Role::MAIN)
    }

    /// The frames of a role.
    pub fn role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a TaskInput> {
        self.inputs.iter().filter(move |i| i.role == role)
    }

    /// The frames that are not main.
    pub fn calibrations(&self) -> impl Iterator<Item = &TaskInput> {
        self.inputs.iter().filter(|i| !i.role.is_main())
    }

    /// Where to write the product of that tag.
    pub fn output(&self, tag: &str) -> Option<&TaskOutput> {
        self.outputs.iter().find(|o| o.tag == tag)
    }

    /// What it is called: by its first product, or by its first frame where it has none.
    pub fn name(&self) -> &str {
        let first = self.outputs.first().map(|o| &o.name).or_else(|| self.main().next().map(|m| &m.name));
        first.map_or(self.id.as_str(), String::as_str)
    }
}
