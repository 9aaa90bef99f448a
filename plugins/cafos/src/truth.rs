//! stub
use std::path::Path;
use ifured_core::RecipeError;
use ifured_core::recipe::{ProductPath, TruthRow};
/// stub
pub fn compare(_: &Path, _: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> { Ok(vec![]) }
