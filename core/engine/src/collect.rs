//! Science products of all exposures side by side in one directory, under names that say what they are.
//!
//! `TAG_BLOCK_EXPOSURE.fits`: the tag of the product, the observing block and the name of the exposure (see [`ifured_core::ExposureNames`]); of several
//! exposures the name of the first and their number. Nothing that is there is ever overwritten: another content gets the next number behind its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ifured_core::{Task, TaskId, rule};
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalogue::KnownProduct;
use crate::error::{Error, Result};
use crate::files::{UNFINISHED, stem};
use crate::frame::Frame;
use crate::session::Session;
use crate::standing::content_hash;

/// How products come into the directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Means {
    /// Symbolic links: no space, and always the product as it is now.
    #[default]
    Symbolic,
    /// Hard links: no space, on the same file system; the content stays when the product is made anew or removed.
    Hard,
    /// Copies.
    Copy,
}

/// What is collected.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Patterns of tags; those of the instrument if there are none.
    pub tags: Vec<String>,
    /// Patterns of names of products, frames or exposures; all if there are none.
    pub only: Vec<String>,
}

/// What was done with a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Collected {
    /// Name of the product.
    pub product: String,
    /// Its name in the directory.
    pub name: String,
    /// Whether it was there before.
    pub there_before: bool,
}

/// Collects products into a directory, which is made if need be.
///
/// # Errors
/// If the instrument does not say what is collected and no tag is given; if a file cannot be made.
pub fn collect(session: &Session, to: &Path, wanted: &Wanted, means: Means, dry_run: bool) -> Result<Vec<Collected>> {
    let tags = patterns(session, wanted)?;
    let to = std::path::absolute(to).map_err(Error::io("cannot find", to))?;
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut done = Vec::new();
    // All are named, whatever is wanted of them: a name does not depend on what else is collected.
    for named in named(session).into_iter().filter(|n| tags.iter().any(|t| rule::like(t, n.row.tag.as_str()))) {
        let path = session.output.join(&named.row.name);
        let is_wanted = wanted.only.is_empty() || wanted.only.iter().any(|p| named.labels.iter().any(|l| rule::like(p, l)));
        if !path.exists() {
            continue;
        }
        for n in 1.. {
            let name = if n == 1 { format!("{}.fits", named.name) } else { format!("{}_{n}.fits", named.name) };
            if taken.contains(&name) {
                continue;
            }
            let place = to.join(&name);
            let is_there = place.symlink_metadata().is_ok();
            if is_there && !is_same(&place, &path, &named.row)? {
                continue;
            }
            taken.insert(name.clone());
            if is_wanted {
                if !is_there && !dry_run {
                    std::fs::create_dir_all(&to).map_err(Error::io("cannot create", &to))?;
                    bring(&path, &place, means)?;
                }
                done.push(Collected { product: named.row.name.clone(), name, there_before: is_there });
            }
            break;
        }
    }
    Ok(done)
}

fn patterns(session: &Session, wanted: &Wanted) -> Result<Vec<String>> {
    let instrument = &session.instrument;
    if !wanted.tags.is_empty() {
        let made = || instrument.recipes.iter().flat_map(|r| r.products.iter().map(|p| p.tag.to_string()));
        if let Some(wrong) = wanted.tags.iter().find(|t| !made().any(|tag| rule::like(t, &tag))) {
            let known: Vec<String> = made().collect();
            let what = format!("{} makes no products of tag `{wrong}`{}", instrument.name, crate::classify::nearest(wrong, &known));
            return Err(Error::usage(what, "`ifured recipe ls` shows what is made"));
        }
        return Ok(wanted.tags.clone());
    }
    let own: Vec<String> = instrument.exposure_names.collect.iter().map(ToString::to_string).collect();
    if own.is_empty() {
        return Err(Error::usage(format!("{} does not say which products are collected", instrument.name), "name them with --tag"));
    }
    Ok(own)
}

/// A product with the name that it gets, without ending.
struct Named {
    row: KnownProduct,
    name: String,
    /// What it may be chosen by: names of the product, of its frames and exposures.
    labels: Vec<String>,
}

/// All products of the catalogue, in the order of their names.
fn named(session: &Session) -> Vec<Named> {
    let tasks = &session.known.tasks;
    let products: Vec<&KnownProduct> = session.known.products.values().collect();
    let makers: HashMap<&str, &Task> = products.iter().filter_map(|p| Some((p.name.as_str(), &tasks.get(&p.task)?.task))).collect();
    let by_hash: HashMap<&str, &Arc<Frame>> = session.frames.iter().rev().map(|f| (f.hash.as_str(), f)).collect();
    let mut all: BTreeMap<&str, Named> = BTreeMap::new();
    for row in products {
        let frames = tasks.get(&row.task).map(|t| raw_frames(&t.task, &makers, &by_hash)).unwrap_or_default();
        let name = name_of(session, row, &frames);
        let mut labels = vec![row.name.clone(), stem(&row.name), name.clone()];
        labels.extend(frames.iter().flat_map(|f| [Some(f.name.clone()), Some(stem(&f.name)), f.exposure_name.clone()]).flatten());
        all.insert(&row.name, Named { row: row.clone(), name, labels });
    }
    all.into_values().collect()
}

/// The raw frames that a task is about, in the order of time.
fn raw_frames<'a>(task: &Task, makers: &HashMap<&str, &Task>, by_hash: &HashMap<&str, &'a Arc<Frame>>) -> Vec<&'a Arc<Frame>> {
    let mut found: BTreeMap<&str, &'a Arc<Frame>> = BTreeMap::new();
    let mut seen: BTreeSet<&TaskId> = BTreeSet::new();
    let mut waiting: Vec<&Task> = vec![task];
    while let Some(task) = waiting.pop() {
        for input in task.main() {
            match (by_hash.get(input.identity.as_str()), makers.get(input.name.as_str())) {
                (Some(frame), _) => {
                    found.insert(&frame.name, *frame);
                }
                (None, Some(maker)) if seen.insert(&maker.id) => waiting.push(*maker),
                _ => {}
            }
        }
    }
    let mut frames: Vec<&Arc<Frame>> = found.into_values().collect();
    frames.sort_by(|a, b| a.mjd.unwrap_or(f64::INFINITY).total_cmp(&b.mjd.unwrap_or(f64::INFINITY)).then_with(|| a.name.cmp(&b.name)));
    frames
}

/// `TAG_BLOCK_EXPOSURE`, of several exposures `TAG_BLOCK_EXPOSURE_6-exposures`.
fn name_of(session: &Session, row: &KnownProduct, frames: &[&Arc<Frame>]) -> String {
    let names = &session.instrument.exposure_names;
    let mut blocks: Vec<String> = frames.iter().filter_map(|f| names.block_of(&***f)).collect();
    blocks.dedup();
    let block = match blocks.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [first, others @ ..] => Some(format!("{first}+{}", others.iter().collect::<BTreeSet<_>>().len())),
    };
    let first = frames.first().map_or_else(|| stem(&row.name), |f| f.exposure_name.clone().unwrap_or_else(|| stem(&f.name)));
    let several = (frames.len() > 1).then(|| format!("{}-exposures", frames.len()));
    let parts = [Some(row.tag.to_string()), block, Some(first), several];
    parts.into_iter().flatten().collect::<Vec<_>>().join("_").replace('/', "_")
}

/// Whether what is there is the product: a link to it, the file itself, or a file of its content.
fn is_same(place: &Path, product: &Path, row: &KnownProduct) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    if let Ok(target) = place.read_link() {
        let target = place.parent().unwrap_or(Path::new("/")).join(target);
        return Ok(target == product || target.canonicalize().ok() == product.canonicalize().ok());
    }
    let (Ok(a), Ok(b)) = (place.metadata(), product.metadata()) else { return Ok(false) };
    if (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        return Ok(true);
    }
    Ok(a.is_file() && a.len() == row.bytes && content_hash(place)? == row.hash)
}

fn bring(product: &Path, place: &Path, means: Means) -> Result<()> {
    match means {
        Means::Symbolic => std::os::unix::fs::symlink(product, place).map_err(Error::io("cannot link", place)),
        Means::Hard => std::fs::hard_link(product, place).map_err(|e| {
            let what = format!("cannot link {} to {}: {e}", place.display(), product.display());
            Error::usage(what, "hard links need one file system: leave --link out for symbolic links, or copy with --copy")
        }),
        Means::Copy => copy(product, place),
    }
}

/// Copies completely or not at all, and never over a file that is there.
fn copy(product: &Path, place: &Path) -> Result<()> {
    let directory: PathBuf = place.parent().unwrap_or(Path::new(".")).to_owned();
    let copied = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(&format!(".{UNFINISHED}-")).tempfile_in(&directory)?;
        std::io::copy(&mut std::fs::File::open(product)?, file.as_file_mut())?;
        file.as_file().sync_all()?;
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.persist_noclobber(place).map_err(|e| e.error)?;
        Ok(())
    };
    copied().map_err(Error::io("cannot write", place))
}
