//! Which HDU of a file is meant.

use std::path::Path;

use super::error::FitsError;
use super::walk::HduInfo;

/// Which HDU of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HduSelect {
    /// The first image with data: the primary HDU, or else the first image extension, compressed ones included.
    First,
    /// By number, from 0.
    Index(usize),
    /// By `EXTNAME`; case and trailing blanks do not matter.
    Name(String),
}

impl HduSelect {
    /// The HDU of that name.
    pub fn name(name: &str) -> Self {
        HduSelect::Name(name.to_owned())
    }

    pub(super) fn find(&self, path: &Path, hdus: &[HduInfo]) -> Result<usize, FitsError> {
        let has_pixels = |h: &HduInfo| h.kind.image().is_some_and(|(_, axes)| !axes.is_empty() && !axes.contains(&0));
        let (found, wanted) = match self {
            HduSelect::First => (hdus.iter().position(has_pixels), "with an image".to_owned()),
            HduSelect::Index(n) => ((*n < hdus.len()).then_some(*n), n.to_string()),
            HduSelect::Name(name) => {
                let named = |h: &HduInfo| h.name().is_some_and(|n| n.eq_ignore_ascii_case(name.trim()));
                (hdus.iter().position(named), format!("named `{name}`"))
            }
        };
        found.ok_or_else(|| FitsError::NoSuchHdu { path: path.to_owned(), wanted, present: list(hdus) })
    }
}

fn list(hdus: &[HduInfo]) -> String {
    let one = |h: &HduInfo| match h.name() {
        Some(name) => format!("{} ({name}): {}", h.index, h.kind.describe()),
        None => format!("{}: {}", h.index, h.kind.describe()),
    };
    let mut texts: Vec<String> = hdus.iter().take(30).map(one).collect();
    if hdus.len() > 30 {
        texts.push(format!("and {} more", hdus.len() - 30));
    }
    texts.join("; ")
}
