//! Paths in JSON and in text: as the bytes that they are, for a name on a disk need not be text.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as text where it is text, else as its bytes: `"/data/a.fits"`, `{"bytes": [47, 241]}`. For `#[serde(with = …)]`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

/// Writes a path.
pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => to.serialize_str(text),
        None => Written::Bytes { bytes: path.as_os_str().as_bytes().to_vec() }.serialize(to),
    }
}

/// Reads what [`serialize`] wrote.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    Ok(match Written::deserialize(from)? {
        Written::Text(text) => text.into(),
        Written::Bytes { bytes } => OsString::from_vec(bytes).into(),
    })
}

/// The same for lists of paths.
pub mod list {
    use super::{Deserialize, Deserializer, PathBuf, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct One(#[serde(with = "super")] PathBuf);

    /// Writes paths.
    pub fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|p| One(p.clone())))
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
        Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
    }
}

/// A path as a person reads it: each byte that is no UTF-8 as `\xF1`, so that two names that differ are shown differently.
pub fn shown(path: impl AsRef<Path>) -> String {
    let mut text = String::new();
    for chunk in path.as_ref().as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Somewhere {
        #[serde(with = "super")]
        path: PathBuf,
    }

    #[test]
    fn paths_survive_json_byte_for_byte() {
        for bytes in [&b"/data/a.fits"[..], "/data/µ.fits".as_bytes(), b"/data/NGC_Mu\xf1oz.fits"] {
            let path = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            let text = serde_json::to_string(&Somewhere { path: path.clone() }).unwrap();
            assert_eq!(serde_json::from_str::<Somewhere>(&text).unwrap().path, path, "{text}");
        }
    }

    #[test]
    fn names_that_differ_are_shown_differently() {
        let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
        assert_eq!(shown(path(b"Mu\xf1oz")), "Mu\\xF1oz");
        assert_ne!(shown(path(b"\xf1")), shown(path(b"\xf2")));
        assert_eq!(shown("µ"), "µ");
    }
}
