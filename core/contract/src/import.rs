//! Configurations of other programs: what an instrument's author knows of them, as data.
//!
//! The plugin reads the foreign files and says what each of their values means here. The engine knows no foreign program: it
//! writes the configuration, checks it, and makes a comment of every setting that this ifured cannot take.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::recipe::RecipeError;

/// A program whose configuration an instrument can import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportSource {
    /// Its name, lower case: `filabres`.
    pub program: String,
    /// One line.
    pub title: String,
    /// Names of its files, looked for where a directory is given.
    pub files: Vec<String>,
}

/// Files to be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportRequest {
    /// Name of the program, as in [`ImportSource::program`].
    pub program: String,
    /// Its files.
    #[serde(with = "crate::path::list")]
    #[schemars(with = "Vec<String>")]
    pub files: Vec<PathBuf>,
}

/// What a foreign configuration means here. Every value of it is in one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// What has a place in the configuration. Where two say something of one key, the later one counts.
    pub settings: Vec<ImportedSetting>,
    /// What needs no place.
    #[serde(default)]
    pub not_needed: Vec<NotNeeded>,
    /// What the other program does not know either.
    #[serde(default)]
    pub unknown: Vec<UnknownKey>,
    /// What is done by hand: commands to type, things to look at.
    #[serde(default)]
    pub advice: Vec<String>,
}

/// One value with a place in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImportedSetting {
    /// Where it goes, parts joined by points: `resources.threads`. `frames.ignore[]` is one entry of the list `frames.ignore`.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Where it comes from: `ignored_images.yaml:12`, or `config.json: sky.fraction`.
    pub from: String,
    /// What is worth knowing: what the other program made of it, what differs here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Why it cannot be used as it is; it is then written as a comment. Mostly empty: the engine finds out by itself what it does not know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub obstacle: String,
}

/// A value that is not needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NotNeeded {
    /// Its key in the other program's words.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Where it is.
    pub from: String,
    /// Why.
    pub reason: String,
}

/// A key or name that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnknownKey {
    /// The key.
    pub key: String,
    /// Where it is.
    pub from: String,
    /// The most similar one that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// Largest file that is read as a configuration, in bytes.
pub const LARGEST_FILE: usize = 16 << 20;

/// The name by which messages call a file: its last part.
pub fn short_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// A path as it is typed in a shell: in quotes where it needs them.
pub fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !path.is_empty() && path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// The text of a configuration file, without the mark that some editors put before it.
///
/// # Errors
/// If it is too large, or not UTF-8: with the line.
pub fn text(bytes: Vec<u8>, name: &str) -> Result<String, RecipeError> {
    if bytes.len() > LARGEST_FILE {
        let what = format!("{name}: {} MB are too much for a configuration", bytes.len() >> 20);
        return Err(RecipeError::new(what, "check that it is the right file"));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(RecipeError::new(format!("{name}: this is UTF-16 text, not UTF-8"), "save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|b| **b == b'\n').count();
        RecipeError::new(format!("{name}:{line}: not UTF-8 text"), "save it as UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_take_paths_whole() {
        let words = ["/data/170319_t2", "my night", "it's", ""].map(|p| shell_word(Path::new(p)));
        assert_eq!(words, ["/data/170319_t2", "'my night'", r"'it'\''s'", "''"]);
    }

    #[test]
    fn only_text_is_text() {
        assert_eq!(text("\u{feff}a: 1".into(), "x").unwrap(), "a: 1");
        assert_eq!(text(b"a: 1\nb: \xe9".to_vec(), "x.yaml").unwrap_err().what, "x.yaml:2: not UTF-8 text");
        assert!(text(b"\xff\xfea\0".to_vec(), "x").unwrap_err().what.contains("UTF-16"));
    }
}
