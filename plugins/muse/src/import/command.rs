//! The command that starts the reduction: which directories there are.

use std::path::{Path, PathBuf};

use ifured_core::import::shell_word;

/// What `global` says of directories.
#[derive(Default)]
pub struct Command {
    /// `rootpath`; empty if not given.
    pub root: String,
    /// `pipeline_path`.
    pub pipeline: String,
    /// `static_calib_path`.
    pub statics: String,
    /// `OB`.
    pub block: String,
    /// `OB_list`.
    pub blocks: Vec<String>,
    /// `cleanup.execute`.
    pub cleans: bool,
    /// Tags of what `cleanup` removes.
    pub clean: Vec<&'static str>,
}

impl Command {
    /// The command as it is typed.
    pub fn line(&self) -> String {
        let directories: Vec<String> = self.raw().iter().chain(&self.statics()).map(|d| shell_word(d)).collect();
        format!("ifured --instrument muse --output . reduce {}", directories.join(" "))
    }

    /// The command that removes what MUSEpack would remove, if it would.
    pub fn clean_line(&self) -> Option<String> {
        let tags: String = self.clean.iter().map(|t| format!(" --tag {t}")).collect();
        self.cleans.then(|| format!("ifured clean{tags}"))
    }

    fn raw(&self) -> Vec<PathBuf> {
        if self.root.is_empty() {
            return vec!["DIRECTORY".into()];
        }
        let raw = Path::new(&self.root).join("raw");
        let pointing = if self.block.is_empty() { raw.clone() } else { raw.join(&self.block) };
        let mut all: Vec<PathBuf> = self.blocks.iter().map(|b| pointing.join(b)).collect();
        if all.is_empty() {
            all.push(pointing);
        }
        // Later versions have no directories of OBs in `raw`.
        if raw.is_dir() && all.iter().any(|d| !d.is_dir()) { vec![raw] } else { all }
    }

    fn statics(&self) -> Vec<PathBuf> {
        match (self.statics.as_str(), self.pipeline.as_str()) {
            ("", "") => Vec::new(),
            ("", pipeline) => vec![Path::new(pipeline).join("calib")],
            (statics, _) => vec![statics.into()],
        }
    }
}
