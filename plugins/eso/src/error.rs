//! What can be wrong with the header of an ESO frame.

use ifured_core::HeaderError;

use crate::sexagesimal::NotSexagesimal;

/// Why a header could not be understood.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EsoError {
    /// A keyword is absent or of another type.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A position is not a packed sexagesimal number.
    #[error("keyword {keyword}: {source}")]
    Position {
        /// The keyword.
        keyword: String,
        /// What is wrong with its value.
        source: NotSexagesimal,
    },
    /// A keyword has a value that its dictionary does not know.
    #[error("keyword {keyword} is `{value}`, not {wanted}")]
    UnknownValue {
        /// The keyword.
        keyword: String,
        /// Its value.
        value: String,
        /// What is allowed.
        wanted: &'static str,
    },
}
