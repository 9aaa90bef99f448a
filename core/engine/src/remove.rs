//! Removing products: one with all that was made from it, or all that no plan makes any more.

use std::collections::BTreeSet;
use std::path::Path;

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

/// All products of a tag, or of the recipe that made them; `*` and `?` are wild.
pub fn of_tag(catalogue: &Catalogue, pattern: &str) -> Result<Vec<String>> {
    let tasks = catalogue.tasks()?;
    let recipe = |p: &crate::catalogue::ProductRow| tasks.get(&p.task).map_or(String::new(), |t| t.task.recipe.clone());
    let is = |p: &crate::catalogue::ProductRow| like(pattern, p.tag.as_str()) || like(pattern, &recipe(p));
    Ok(catalogue.products()?.into_iter().filter(is).map(|p| p.name).collect())
}

/// Deletes products and forgets them. One that was edited since is kept and named in the result.
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
        // A directory that is empty now has served.
        if let Some(directory) = path.parent() {
            let _ = std::fs::remove_dir(directory);
        }
        removed.push(name.clone());
    }
    catalogue.forget_products(&removed)?;
    Ok(kept)
}
