//! Removing products: one with all that was made from it, or all that no plan makes any more; with what lies beside them, and what failed runs left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use ifured_core::TaskId;
use ifured_core::rule::like;

use crate::catalogue::{Catalogue, Known, KnownProduct};
use crate::error::{Error, Result};
use crate::files::Fingerprint;

/// Products that were made with a product, directly or not, the product itself first. `name` may be any unique end of a name.
pub fn with_dependents(known: &Known, name: &str) -> Result<Vec<String>> {
    let found: Vec<&KnownProduct> = match known.products.get(name) {
        Some(exact) => vec![exact],
        None => known.products.values().filter(|p| p.name.ends_with(name)).collect(),
    };
    let &[product] = found.as_slice() else {
        let advice = match found.as_slice() {
            [] => "`ifured ls products` lists them".to_owned(),
            several => format!("it may be {}", several.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(" or ")),
        };
        let what = if found.is_empty() { "there is no product" } else { "there are several products" };
        return Err(Error::usage(format!("{what} `{name}`"), advice));
    };
    let mut users: BTreeMap<&str, BTreeSet<&TaskId>> = BTreeMap::new();
    for (id, row) in &known.tasks {
        for input in &row.task.inputs {
            users.entry(input.name.as_str()).or_default().insert(id);
        }
    }
    let mut affected: BTreeSet<&TaskId> = BTreeSet::new();
    let mut ordered = Vec::new();
    let mut next = vec![&product.task];
    while let Some(task) = next.pop() {
        if !affected.insert(task) {
            continue;
        }
        for own in known.products.values().filter(|p| p.task == *task) {
            next.extend(users.get(own.name.as_str()).into_iter().flatten());
            ordered.push(own.name.clone());
        }
    }
    Ok(ordered)
}

/// Of products that no plan makes, the names of those whose raw frames could be looked for; then a directory that is gone or empty, as where a disk
/// is not mounted, with the number of products whose frames lay in such.
pub fn reachable(known: &Known, left_over: Vec<&KnownProduct>) -> (Vec<String>, Option<(PathBuf, usize)>) {
    let mut seen: HashMap<PathBuf, bool> = HashMap::new();
    let mut unreachable = |directory: &Path| {
        let is_empty = |d: &Path| std::fs::read_dir(d).map_or(true, |mut entries| entries.next().is_none());
        *seen.entry(directory.to_owned()).or_insert_with(|| is_empty(directory))
    };
    let (mut names, mut kept) = (Vec::new(), None);
    for product in left_over {
        match raw_directories(known, product).into_iter().find(|d| unreachable(d)) {
            None => names.push(product.name.clone()),
            Some(directory) => kept.get_or_insert((directory, 0)).1 += 1,
        }
    }
    (names, kept)
}

/// Directories of the raw frames that a product was made from, directly or not.
fn raw_directories(known: &Known, product: &KnownProduct) -> BTreeSet<PathBuf> {
    let (mut found, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![&product.task]);
    while let Some(task) = next.pop() {
        let Some(row) = known.tasks.get(task).filter(|_| seen.insert(task)) else { continue };
        for input in row.task.main() {
            match known.products.get(&input.name) {
                Some(made) => next.push(&made.task),
                None => found.extend(input.path.parent().map(Path::to_owned)),
            }
        }
    }
    found
}

/// What the last attempts that failed left for a person to look at, and is still there.
pub fn left_by_failures(known: &Known) -> Vec<PathBuf> {
    let failed = known.attempts.values().map(|last| &last.attempt).filter(|a| a.cause().is_some());
    let mut paths: Vec<PathBuf> = failed.flat_map(|a| a.side_files()).map(|f| f.path.clone()).filter(|p| p.exists()).collect();
    paths.sort();
    paths
}

/// All products of a tag, or of the recipe that made them; `*` and `?` are wild.
pub fn of_tag(known: &Known, pattern: &str) -> Vec<String> {
    let recipe = |p: &KnownProduct| known.tasks.get(&p.task).map_or("", |t| t.task.recipe.as_str());
    let is = |p: &&KnownProduct| like(pattern, p.tag.as_str()) || like(pattern, recipe(p));
    known.products.values().filter(is).map(|p| p.name.clone()).collect()
}

/// Deletes products, with what lies beside them, and forgets them. One that was edited since is kept and named in the result.
pub fn remove(catalogue: &mut Catalogue, known: &Known, output: &Path, names: &[String]) -> Result<Vec<String>> {
    let mut kept = Vec::new();
    let mut removed = Vec::new();
    for name in names {
        let path = output.join(name);
        let row = known.products.get(name);
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
        let made = row.and_then(|r| known.tasks.get(&r.task));
        for file in made.iter().flat_map(|m| &m.outcome.side_files).filter(|f| f.path.starts_with(output)) {
            let _ = std::fs::remove_file(&file.path);
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
    use ifured_core::recipe::{Outcome, RecipeError, SideFile, TaskInput};
    use ifured_core::{Grade, Role, Task};

    use super::*;
    use crate::attempt::{Attempt, Cause, Cost, Ending};
    use crate::catalogue::{KnownTask, LastAttempt};

    fn made(known: &mut Known, id: &str, product: &str, needs: &[&str]) {
        let input = |n: &&str| TaskInput { role: Role::MAIN.into(), name: (*n).into(), ..TaskInput::default() };
        let task = Task { id: id.into(), recipe: "flat".into(), inputs: needs.iter().map(input).collect(), ..Task::default() };
        known.tasks.insert(id.into(), KnownTask { task, outcome: Outcome::default(), grade: Grade::Good });
        let row = KnownProduct { name: product.into(), tag: "F".into(), task: id.into(), hash: String::new(), bytes: 0, fingerprint: None };
        known.products.insert(product.into(), row);
    }

    #[test]
    fn what_was_made_with_a_product_goes_with_it() {
        let mut known = Known::default();
        made(&mut known, "1", "a/bias.fits", &["raw"]);
        made(&mut known, "2", "flat.fits", &["a/bias.fits"]);
        made(&mut known, "3", "image.fits", &["flat.fits", "a/bias.fits"]);
        made(&mut known, "4", "other.fits", &["raw"]);
        let mut all = with_dependents(&known, "bias.fits").unwrap();
        assert_eq!(all.remove(0), "a/bias.fits");
        all.sort();
        assert_eq!(all, ["flat.fits", "image.fits"]);
        assert_eq!(of_tag(&known, "fla?").len(), 4);
        assert!(with_dependents(&known, "nothing").is_err() && with_dependents(&known, ".fits").is_err());
    }

    #[test]
    fn what_was_made_from_frames_that_cannot_be_reached_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (there, empty, gone) = (directory.path().join("there"), directory.path().join("empty"), directory.path().join("gone"));
        std::fs::create_dir(&there).unwrap();
        std::fs::create_dir(&empty).unwrap();
        std::fs::write(there.join("another.fits"), "").unwrap();
        let mut known = Known::default();
        for (id, product, frames) in [("1", "a.fits", &there), ("2", "b.fits", &empty), ("3", "c.fits", &gone)] {
            made(&mut known, id, product, &["frame.fits"]);
            known.tasks.get_mut(id).unwrap().task.inputs[0].path = frames.join("frame.fits");
        }
        // A product of a product, and one of nothing that is known.
        made(&mut known, "4", "d.fits", &["c.fits"]);
        let all: Vec<&KnownProduct> = known.products.values().collect();
        assert_eq!(reachable(&known, all), (vec!["a.fits".to_owned()], Some((empty, 3))));
    }

    #[test]
    fn what_failed_runs_left_is_known_from_their_records() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| SideFile { what: "run".into(), path: directory.path().join(name) };
        std::fs::create_dir(directory.path().join("left")).unwrap();
        let error = RecipeError::new("no star", "").with_side_file(file("left")).with_side_file(file("gone"));
        let ending = Ending::Failed { cause: Cause::Recipe(error) };
        let attempt = Attempt::of(&Task::default(), None, std::time::SystemTime::now(), ending, Cost::default(), String::new());
        let mut known = Known::default();
        known.attempts.insert("1".into(), LastAttempt { record: "r".into(), attempt });
        assert_eq!(left_by_failures(&known), [directory.path().join("left")]);
    }
}
