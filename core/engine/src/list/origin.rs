//! Where a product comes from: the frames that went into it, and the other products of its kind and signature.

use ifured_core::Task;

use super::{ListOptions, Row, Table, What, rows, table};
use crate::classify::nearest;
use crate::error::{Error, Result};
use crate::view::{Snapshot, frames, products};

/// The frames of a product, and its siblings.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Name of the product.
    pub product: String,
    /// The task that made it.
    pub task: Task,
    /// The main frames, with the reason of those that were rejected in the column `why`.
    pub frames: Table,
    /// Products of the same tag and signature, this one included.
    pub siblings: Table,
}

/// Finds a product by name, by any unique end of its name, or by path; gives its frames and its siblings.
///
/// # Errors
/// If there is no such product, or several.
pub fn origin(snapshot: &Snapshot, product: &str, options: &ListOptions) -> Result<Origin> {
    let all_products: Vec<&crate::catalogue::KnownProduct> = snapshot.known.products.values().collect();
    let wanted = product.strip_prefix(&format!("{}/", snapshot.output.display())).unwrap_or(product);
    let wanted = wanted.strip_prefix("./").unwrap_or(wanted);
    let mut found: Vec<_> = all_products.iter().filter(|r| r.name == wanted).collect();
    if found.is_empty() {
        found = all_products.iter().filter(|r| wanted.ends_with(&format!("/{}", r.name)) || r.name.ends_with(wanted)).collect();
    }
    let names: Vec<String> = all_products.iter().map(|r| r.name.clone()).collect();
    let row = match found[..] {
        [one] => one,
        [] => {
            let near = if names.len() <= 12 { nearest(wanted, &names) } else { String::new() };
            return Err(Error::usage(format!("the catalogue has no product `{product}`{near}"), "`ifured ls products` lists them"));
        }
        _ => {
            let names: Vec<&str> = found.iter().take(5).map(|r| r.name.as_str()).collect();
            return Err(Error::usage(
                format!("{} products end in `{product}`", found.len()),
                format!("name one in full: {}", names.join(", ")),
            ));
        }
    };
    let done = &snapshot.known.tasks;
    let Some(made) = done.get(&row.task) else {
        return Err(Error::usage(format!("the catalogue does not know the task that made {}", row.name), "make it again with --force"));
    };
    let all: Vec<Row> = frames::frames(snapshot).into_iter().map(rows::of_frame).collect();
    let members: Vec<Row> = made
        .task
        .main()
        .map(|input| {
            let is = |r: &&Row| r.frame.as_ref().is_some_and(|f| f.hash == input.identity);
            let mut member = all.iter().find(is).cloned().unwrap_or_else(|| Row {
                name: input.name.clone(),
                path: input.path.display().to_string(),
                night: made.task.night.clone(),
                tags: vec![input.tag.to_string()],
                fields: vec![("NAME".into(), input.name.as_str().into()), ("TAG".into(), input.tag.as_str().into())],
                frame: None,
            });
            let base = |n: &str| n.rsplit('/').next().unwrap_or(n).to_owned();
            if let Some(rejected) = made.outcome.rejected.iter().find(|r| base(&r.name) == base(&input.name)) {
                member.fields.push(("WHY".into(), format!("rejected: {}", rejected.why).into()));
            }
            member
        })
        .collect();
    let usual = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let siblings: Vec<Row> = products::products(snapshot)
        .into_iter()
        .map(rows::of_product)
        .filter(|r| {
            let other = r.fields.iter().find(|(k, _)| k == "TASK").and_then(|(_, v)| done.get(v.as_text()?));
            r.tags.first().is_some_and(|t| t == row.tag.as_str()) && other.is_some_and(|o| o.task.signature == made.task.signature)
        })
        .collect();
    // What is asked for the frames need not be in the products; only the frames are selected by it.
    let plain = ListOptions { decimals: options.decimals, ..ListOptions::default() };
    Ok(Origin {
        product: row.name.clone(),
        task: made.task.clone(),
        frames: table(What::Frames, &members, options, &usual(&["name", "night", "tag"]))?,
        siblings: table(What::Products, &siblings, &plain, &usual(&["name", "night", "level", "grade", "frames"]))?,
    })
}
