//! What the files of products are called.

use std::collections::HashSet;

use ifured_core::{EngineName, TaskId};

/// The names that products of a plan have; no two have the same.
#[derive(Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A name that no other product has: where it is taken, the later task says so in the name of its product.
    pub fn take(&mut self, name: String, task: &TaskId) -> String {
        let name = if self.taken.contains(&name) { before_ending(&name, task.as_str().get(..8).unwrap_or_default()) } else { name };
        self.taken.insert(name.clone());
        name
    }
}

/// The name of the product of a second engine beside that of the first.
pub fn of_engine(name: &str, engine: &EngineName) -> String {
    before_ending(name, engine.as_str())
}

/// `a/b.fits` with `x` is `a/b-x.fits`.
fn before_ending(name: &str, what: &str) -> String {
    let file = name.rfind('/').map_or(0, |at| at + 1);
    match name[file..].rfind('.').filter(|at| *at > 0) {
        Some(at) => format!("{}-{what}{}", &name[..file + at], &name[file + at..]),
        None => format!("{name}-{what}"),
    }
}

/// Fills `{night}` and the like into a pattern. A value makes no directories of its own, and a byte that is no text is no escape.
pub fn fill(pattern: &str, values: &[(&str, &str)]) -> String {
    let safe = |v: &str| v.replace(['/', '\0', '\\'], "_");
    values.iter().fold(pattern.to_owned(), |text, (key, value)| text.replace(&format!("{{{key}}}"), &safe(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_products_never_share_a_name() {
        let mut names = Names::default();
        let id = TaskId::new("0123456789abcdef");
        assert_eq!(names.take("a/b.fits".into(), &id), "a/b.fits");
        assert_eq!(names.take("a/b.fits".into(), &id), "a/b-01234567.fits");
        assert_eq!(names.take("a.d/b".into(), &id), "a.d/b");
        assert_eq!(names.take("a.d/b".into(), &id), "a.d/b-01234567");
        assert_eq!(of_engine("x/y.reg", &"esorex".into()), "x/y-esorex.reg");
    }

    #[test]
    fn values_make_no_directories() {
        assert_eq!(fill("{night}/{stem}.fits", &[("night", "a/b"), ("stem", r"Mu\xF1oz")]), "a_b/Mu_xF1oz.fits");
    }
}
