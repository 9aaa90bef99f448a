//! Removing products: one with all that was made from it, or all that no plan makes any more; with the logs beside them, and what failed runs left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ifured_core::rule::like;

use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::files::Fingerprint;

/// Products that were made with a product, directly or not, the product itself first. `name` may be any unique end of a name.
pub fn with_dependents(catalogue: &Catalogue, name: &str) -> Result<Vec<String>> {
    let products = catalogue.products()?;
    let exact: Vec<_> = products.iter().filter(|p| p.name == name).collect();
    let found = if exact.is_empty() { products.iter().filter(|p| p.name.ends_with(name)).collect() } else { exact };
    let &[product] = found.as_slice() else {
        let advice = match found.as_slice() {
            [] => "`ifured ls products` lists them".to_owned(),
            several => format!("it may be {}", several.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(" or ")),
        };
        let what = if found.is_empty() { "there is no product" } else { "there are several products" };
        return Err(Error::usage(format!("{what} `{name}`"), advice));
    };
    let mut affected: BTreeSet<String> = BTreeSet::new();
    let mut ordered = Vec::new();
    let mut next = vec![product.task.clone()];
    while let Some(task) = next.pop() {
        if !affected.insert(task.clone()) {
            continue;
        }
        let own: Vec<String> = products.iter().filter(|p| p.task == task).map(|p| p.name.clone()).collect();
        for other in products.iter().filter(|p| !affected.contains(&p.task)) {
            let uses = catalogue.task(&other.task)?.is_some_and(|row| row.task.inputs.iter().any(|i| own.contains(&i.name)));
            if uses && !next.contains(&other.task) {
                next.push(other.task.clone());
            }
        }
        ordered.extend(own);
    }
    Ok(ordered)
}

/// What a run left beside a product: `NAME.….log` and `NAME.….sof` for `NAME.fits`, in the order of their names.
pub fn logs_of(product: &Path) -> Vec<PathBuf> {
    let start = format!("{}.", product.file_stem().unwrap_or_default().to_string_lossy());
    in_directory(product.parent().unwrap_or(Path::new(".")), |name| {
        name.starts_with(&start) && (name.ends_with(".log") || name.ends_with(".sof"))
    })
}

/// Digits of a task's identity in the name of a directory of a failed run.
const DIGITS: usize = 12;

/// What a failed run of a task left beside its output: `failed-RECIPE-TASK`.
pub fn failed_run_of(task: &str, output: &Path) -> Option<PathBuf> {
    let end = format!("-{}", task.get(..DIGITS)?);
    let found = in_directory(output.parent().unwrap_or(Path::new(".")), |name| is_failed_run(name) && name.ends_with(&end));
    found.into_iter().find(|p| p.is_dir())
}

/// All directories of failed runs below an output directory, in the order of their names.
pub fn failed_runs(output: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(output).min_depth(1).max_depth(4).sort_by_file_name().into_iter().filter_map(|e| e.ok());
    walk.filter(|e| e.file_type().is_dir() && is_failed_run(&e.file_name().to_string_lossy())).map(|e| e.into_path()).collect()
}

fn is_failed_run(name: &str) -> bool {
    let id = name.strip_prefix("failed-").and_then(|rest| rest.rsplit_once('-'));
    id.is_some_and(|(recipe, id)| !recipe.is_empty() && id.len() == DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn in_directory(directory: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.filter(|e| wanted(&e.file_name().to_string_lossy())).map(|e| e.path()).collect();
    found.sort();
    found
}

/// All products of a tag, or of the recipe that made them; `*` and `?` are wild.
pub fn of_tag(catalogue: &Catalogue, pattern: &str) -> Result<Vec<String>> {
    let tasks = catalogue.tasks()?;
    let recipe = |p: &crate::catalogue::ProductRow| tasks.get(&p.task).map_or(String::new(), |t| t.task.recipe.clone());
    let is = |p: &crate::catalogue::ProductRow| like(pattern, p.tag.as_str()) || like(pattern, &recipe(p));
    Ok(catalogue.products()?.into_iter().filter(is).map(|p| p.name).collect())
}

/// Deletes products, with their logs, and forgets them. One that was edited since is kept and named in the result.
pub fn remove(catalogue: &mut Catalogue, output: &Path, names: &[String]) -> Result<Vec<String>> {
    let known = catalogue.products()?;
    let mut kept = Vec::new();
    let mut removed = Vec::new();
    for name in names {
        let path = output.join(name);
        let row = known.iter().find(|p| p.name == *name);
        let ours = match row {
            Some(row) if path.exists() => {
                Fingerprint::of(&path).ok() == row.fingerprint || crate::standing::content_hash(&path)? == row.hash
            }
            _ => true,
        };
        if !ours {
            kept.push(name.clone());
            continue;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { what: "cannot remove", path, source }),
        }
        for log in logs_of(&path) {
            let _ = std::fs::remove_file(log);
        }
        // A directory that is empty now has served.
        if let Some(directory) = path.parent() {
            let _ = std::fs::remove_dir(directory);
        }
        removed.push(name.clone());
    }
    catalogue.forget_products(&removed)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_and_failed_runs_are_known_by_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let night = directory.path().join("muse_bias/2024-01-01");
        for run in ["failed-muse_bias-0123456789ab", "failed-muse_bias-mine", "failed-0123456789ab"] {
            std::fs::create_dir_all(night.join(run)).unwrap();
        }
        for file in ["BIAS_a.fits", "BIAS_a.esorex.log", "BIAS_a.reg", "BIAS_ab.esorex.log"] {
            std::fs::write(night.join(file), "").unwrap();
        }
        assert_eq!(logs_of(&night.join("BIAS_a.fits")), [night.join("BIAS_a.esorex.log")]);
        assert_eq!(failed_runs(directory.path()), [night.join("failed-muse_bias-0123456789ab")]);
        assert_eq!(failed_run_of("0123456789abcdef", &night.join("BIAS_a.fits")), Some(night.join("failed-muse_bias-0123456789ab")));
        assert_eq!(failed_run_of("ffff456789abcdef", &night.join("BIAS_a.fits")), None);
    }
}
