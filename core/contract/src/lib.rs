//! What an instrument plugin and ifured agree on.
#![deny(missing_docs)]

pub mod header;

pub use header::{Card, Header, HeaderError, HeaderIssue, Value};
