//! One recipe on one group of frames.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tag::Tag;

/// One frame that goes into a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskInput {
    /// `main`, or the role of the input.
    pub role: String,
    /// Its tag.
    pub tag: Tag,
    /// Where it is.
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
    pub why: String,
    /// Keywords that the header of the file does not have so: corrections of the configuration, and names of known objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<(String, crate::Value)>,
    /// Time of the frame (modified Julian date), if known.
    #[serde(default)]
    pub mjd: Option<f64>,
}

/// One product that a task will write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOutput {
    /// Its tag.
    pub tag: Tag,
    /// Where to write it.
    pub path: PathBuf,
    /// Path below the output directory.
    pub name: String,
}

impl TaskOutput {
    /// The output of the `n`-th file of a tag, from 1, where a recipe makes several: the first has the path of the output, the others the same with
    /// `_2`, `_3`…
    pub fn numbered(&self, n: usize) -> TaskOutput {
        if n <= 1 {
            return self.clone();
        }
        let more = |path: &Path| {
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
            path.with_file_name(format!("{stem}_{n}{extension}"))
        };
        TaskOutput { path: more(&self.path), name: more(Path::new(&self.name)).display().to_string(), ..self.clone() }
    }
}

/// One recipe on one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Hash of recipe, version, parameters and content of the inputs.
    pub id: String,
    /// Name of the instrument.
    pub instrument: String,
    /// Content hash of the plugin library, if the instrument is not built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Name of the recipe.
    pub recipe: String,
    /// Version of the recipe.
    pub recipe_version: u32,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingInput {
    /// The role.
    pub role: String,
    /// What the recipe does instead.
    pub otherwise: String,
    /// Level that the product gets by that.
    pub level: i32,
    /// Why none of the candidates would do.
    pub why: String,
}

impl Task {
    /// The main frames.
    pub fn main(&self) -> impl Iterator<Item = &TaskInput> {
        self.role("main")
    }

    /// The frames of a role.
    pub fn role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a TaskInput> {
        self.inputs.iter().filter(move |i| i.role == role)
    }

    /// Where to write the product of that tag.
    pub fn output(&self, tag: &str) -> Option<&TaskOutput> {
        self.outputs.iter().find(|o| o.tag.as_str() == tag)
    }
}
