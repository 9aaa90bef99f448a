//! What can be wrong with a keyword that someone needs.

/// A keyword that is absent or has the wrong type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The keyword is not in the header.
    #[error("keyword {keyword} is missing")]
    Missing {
        /// The keyword.
        keyword: String,
    },
    /// The keyword has a value of another type.
    #[error("keyword {keyword} must be {wanted}, but is {found} `{value}`")]
    WrongType {
        /// The keyword.
        keyword: String,
        /// What is needed.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
        /// The value that is there.
        value: String,
    },
}
