//! `verify` and `clean`.

use std::path::{Path, PathBuf};

use ifured_core::module::TruthRequest;
use ifured_core::path::shown;
use ifured_core::recipe::ProductPath;
use ifured_engine::catalogue::Catalogue;
use ifured_engine::collect::{self, Means, Wanted};
use ifured_engine::execute::scratch;
use ifured_engine::plan::Targets;
use ifured_engine::session::{Opening, Session};
use ifured_engine::view::answer::{Fate, RemovedView, VerifiedView};
use ifured_engine::{Error, known, remove, verify};

use super::{print_json, say, tell};
use crate::Context;
use crate::arguments::CollectArguments;

/// Checks products.
pub fn verify(context: &Context, products: &[PathBuf], truth: Option<&Path>) -> Result<u8, Error> {
    if let Some(truth) = truth {
        return against_truth(context, truth);
    }
    if products.is_empty() {
        return Err(Error::usage("no products are named", "for example: ifured verify bias/*/*.fits"));
    }
    let output = &context.setup.output;
    let known = if Catalogue::exists(output) { Some(known::of_directory(output)?) } else { None };
    let all: Vec<VerifiedView> = products.iter().map(|path| VerifiedView::of(path, verify::verify(path, known.as_ref()))).collect();
    if context.json {
        print_json(&all)?;
    } else {
        all.iter().for_each(|product| print_verified(context, product));
    }
    Ok(u8::from(all.iter().any(|product| !product.right)))
}

fn print_verified(context: &Context, view: &VerifiedView) {
    say(&format!("{}: {}", view.product, if view.right { "right" } else { "WRONG" }));
    for c in view.checks.iter().filter(|c| !context.quiet || c.right == Some(false)) {
        say(&format!("  {c}"));
    }
}

fn against_truth(context: &Context, truth: &Path) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let plan = session.plan(&Targets::default())?;
    let products: Vec<ProductPath> = plan
        .tasks()
        .flat_map(|t| t.task.outputs.iter())
        .filter(|o| o.path.exists())
        .map(|o| ProductPath { tag: o.tag.clone(), path: o.path.clone(), name: o.name.clone() })
        .collect();
    let instrument = context.instruments.iter().find(|i| i.description().name == session.instrument.name);
    let Some(instrument) = instrument else { return Err(Error::Inconsistent("the instrument is gone".into())) };
    let rows = instrument.compare_with_truth(&TruthRequest { truth: truth.to_owned(), products })?;
    let missed = rows.iter().filter(|r| !r.recovered()).count();
    if context.json {
        print_json(&rows)?;
    } else {
        say(&format!("{:<58} {:<34} {:>11} {:>11} {:>10}  unit", "product", "what", "found", "truth", "tolerance"));
        for r in &rows {
            let name = r.product.rsplit('/').next().unwrap_or(&r.product);
            let mark = if r.recovered() { "" } else { "  MISSED" };
            say(&format!("{name:<58} {:<34} {:>11.4} {:>11.4} {:>10.4}  {}{mark}", r.what, r.found, r.truth, r.tolerance, r.unit));
        }
        say(&format!("{} of {} comparisons recover the truth", rows.len() - missed, rows.len()));
    }
    Ok(u8::from(missed > 0))
}

/// Brings science products into one directory.
pub fn collect(context: &Context, typed: &CollectArguments) -> Result<u8, Error> {
    let session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let means = match (typed.link, typed.copy) {
        (true, _) => Means::Hard,
        (_, true) => Means::Copy,
        _ => Means::Symbolic,
    };
    let wanted = Wanted { tags: typed.tag.clone(), only: typed.only.clone() };
    let collected = collect::collect(&session, &typed.to, &wanted, means, typed.dry_run)?;
    if collected.is_empty() {
        let what = "no product of these tags and names is there".to_owned();
        return Err(Error::Nothing { what, advice: "`ifured ls products` lists them; `ifured reduce` makes them".into() });
    }
    let new = collected.iter().filter(|c| !c.there_before).count();
    if context.json {
        print_json(&collected)?;
    } else if !context.quiet {
        for c in collected.iter().filter(|c| !c.there_before) {
            say(&format!("{}  <- {}", c.name, c.product));
        }
        let did = if typed.dry_run { "would be collected" } else { "collected" };
        say(&format!("{new} {did}, {} there before, in {}", collected.len() - new, typed.to.display()));
    }
    Ok(0)
}

/// Removes products.
pub fn clean(context: &Context, products: &[String], tags: &[String], left_over: bool, dry_run: bool) -> Result<u8, Error> {
    if products.is_empty() && tags.is_empty() && !left_over {
        return Err(Error::usage("nothing is named", "name products, a --tag, or give --left-over for those that nothing makes any more"));
    }
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Change, &context.progress)?;
    let mut names = Vec::new();
    for product in products {
        names.extend(remove::with_dependents(&session.known, product)?);
    }
    for tag in tags {
        let of_tag = remove::of_tag(&session.known, tag);
        if of_tag.is_empty() {
            tell(&format!("note: there are no products of tag {tag}; `ifured ls products` lists all"));
        }
        names.extend(of_tag);
    }
    if left_over {
        let plan = session.plan(&Targets::default())?;
        let (reachable, kept) = remove::reachable(&session.known, session.left_over(&plan));
        if let Some((directory, count)) = kept {
            let what = format!("{count} products are kept, for their frames cannot be reached: {} is gone or empty", shown(&directory));
            tell(&format!("note: {what}; products that are named, or of a --tag, are removed all the same"));
        }
        names.extend(reachable);
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let kept = if dry_run { Vec::new() } else { remove::remove(&mut session.catalogue, &session.known, &session.output, &names)? };
    let fate = |name: &String| match (dry_run, kept.contains(name)) {
        (true, _) => Fate::WouldBeRemoved,
        (false, true) => Fate::Kept,
        (false, false) => Fate::Removed,
    };
    let mut all: Vec<RemovedView> = names.iter().map(|n| RemovedView { name: n.clone(), fate: fate(n), what: None }).collect();
    if left_over {
        all.extend(clean_remains(&session, dry_run)?);
    }
    if context.json {
        print_json(&all)?;
    } else {
        all.iter().filter(|r| !context.quiet || r.fate == Fate::Kept).for_each(|removed| say(&removed.to_string()));
        if all.is_empty() && !context.quiet {
            say("nothing to remove");
        }
    }
    Ok(0)
}

/// Removes what failed runs left for a person to look at, and scratch directories that nobody needs any more.
fn clean_remains(session: &Session, dry_run: bool) -> Result<Vec<RemovedView>, Error> {
    let failed = remove::left_by_failures(&session.known).into_iter().map(|path| (path, "left by a failed run"));
    let scratch = scratch::abandoned(&session.output).into_iter().map(|path| (path, "the scratch of a task that was killed"));
    let remove = |(path, what): (PathBuf, &'static str)| {
        if !dry_run {
            let gone = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            gone.map_err(Error::io("cannot remove", &path))?;
        }
        let fate = if dry_run { Fate::WouldBeRemoved } else { Fate::Removed };
        Ok(RemovedView { name: shown(path.strip_prefix(&session.output).unwrap_or(&path)), fate, what: Some(what) })
    };
    failed.chain(scratch).map(remove).collect()
}
