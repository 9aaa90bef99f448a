//! What can go wrong in a run, with what to do about it.

use std::path::PathBuf;

/// An error of the engine. The message says what and where, [`Error::advice`] what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be used.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried: `cannot read`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The catalogue could not be used.
    #[error("catalogue {}: {source}", path.display())]
    Catalogue {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A newer ifured wrote the catalogue. It is left alone.
    #[error(
        "catalogue {}: a newer ifured wrote it (version {found} of the catalogue; this ifured knows versions up to {known})",
        ifured_core::path::shown(path)
    )]
    CatalogueVersion {
        /// Where it is.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version of this ifured.
        known: i64,
    },
    /// The catalogue is damaged and cannot be rebuilt here, where it is only read.
    #[error("catalogue {}: {damage}", ifured_core::path::shown(path))]
    CatalogueDamaged {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        damage: Damage,
    },
    /// Another run works in the same directory.
    #[error("another ifured is working in {}: {holder}", directory.display())]
    Busy {
        /// The directory.
        directory: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// The configuration is wrong, at these places.
    #[error("{0}")]
    Configuration(crate::problem::Problems),
    /// The call is wrong.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        advice: String,
    },
    /// There is nothing to reduce.
    #[error("{what}")]
    Nothing {
        /// What was found and what was expected.
        what: String,
        /// What to do.
        advice: String,
    },
    /// An instrument could not do what was asked.
    #[error(transparent)]
    Recipe(#[from] ifured_core::RecipeError),
    /// Something is not what its description says: a fault of a plugin or of ifured.
    #[error("{0}")]
    Inconsistent(String),
}

impl Error {
    /// An input or output error.
    pub fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { what, path, source }
    }

    /// A wrong call.
    pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Error {
        Error::Usage { what: what.into(), advice: advice.into() }
    }

    /// What to do next; empty where the message says it all.
    pub fn advice(&self) -> String {
        match self {
            Error::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => "free some space and give the same command again: what is done is kept".into(),
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a directory you can write to with --output DIR".into()
                }
                std::io::ErrorKind::NotFound => "check the path".into(),
                _ => String::new(),
            },
            Error::Catalogue { source, .. } => match source.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => "free some space and give the same command again: what is done is kept".into(),
                Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
                    "choose a directory you can write to with --output DIR".into()
                }
                _ => "if the file is damaged, move it away and give the command again: the catalogue is rebuilt from frames and products"
                    .into(),
            },
            Error::CatalogueVersion { .. } => "use the newer ifured, or another output directory: --output DIR".into(),
            Error::CatalogueDamaged { .. } => "`ifured scan` or `ifured reduce` rebuilds it from frames, journal and products".into(),
            Error::Busy { .. } => "wait until it has finished, or use another --output DIR".into(),
            Error::Usage { advice, .. } | Error::Nothing { advice, .. } => advice.clone(),
            Error::Recipe(e) => e.advice.clone(),
            Error::Config(_) | Error::Configuration(_) => "`ifured schema` prints every key, `ifured init` writes a documented file".into(),
            Error::Inconsistent(_) => "this is a fault of the program or a plugin: please report it".into(),
        }
    }

    /// Exit code of the command: 2 wrong usage or configuration, 3 nothing to do, 1 anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage { .. } | Error::Config(_) | Error::Configuration(_) => 2,
            Error::Nothing { .. } => 3,
            _ => 1,
        }
    }
}

/// Why a file is no catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// SQLite cannot read it; its words.
    Unreadable(String),
    /// A column is missing, or is not what the version of the catalogue says: `frames.axes`.
    Column(String),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Damage::Unreadable(why) => f.write_str(why),
            Damage::Column(column) => write!(f, "column {column} is missing or of the wrong kind"),
        }
    }
}

/// Result of the engine.
pub type Result<T> = std::result::Result<T, Error>;
