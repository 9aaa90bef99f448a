//! `ls`.

use ifured_engine::Error;
use ifured_engine::list::{self, Format, ListOptions, Table, What};
use ifured_engine::plan::Targets;
use ifured_engine::session::{Opening, Session};
use ifured_engine::view::Snapshot;

use super::{print_json, say, tell};
use crate::Context;
use crate::arguments::{Kind, Ls};

impl From<Kind> for What {
    fn from(kind: Kind) -> What {
        match kind {
            Kind::Frames => What::Frames,
            Kind::Groups => What::Groups,
            Kind::Tasks => What::Tasks,
            Kind::Products => What::Products,
            Kind::Quality => What::Quality,
        }
    }
}

/// A snapshot with a plan if the list needs one.
pub fn snapshot(session: &mut Session, what: What) -> Result<Snapshot, Error> {
    if what.needs_plan() { session.snapshot(&Targets::default()) } else { session.look() }
}

/// Lists frames, groups, tasks, products or quality numbers.
pub fn ls(context: &Context, typed: &Ls) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let all_keys = typed.columns.iter().any(|c| c.eq_ignore_ascii_case("all"));
    let options = ListOptions {
        tags: typed.tag.clone(),
        night: typed.night.clone(),
        filter: typed.filter.clone(),
        columns: if all_keys { Vec::new() } else { typed.columns.clone() },
        sort: typed.sort.clone(),
        reasons: context.json || typed.csv,
        decimals: typed.decimals.map(usize::from),
    };
    let what = What::from(typed.kind);
    let snapshot = snapshot(&mut session, what)?;
    if all_keys {
        let keys = list::keys(&snapshot, what, &options)?;
        if context.json {
            print_json(&keys)?
        } else {
            say(&keys.join("\n"))
        }
        return Ok(0);
    }
    let format = match (context.json, typed.csv, typed.basic, typed.single_line) {
        (true, ..) => Format::Json,
        (_, true, ..) => Format::Csv,
        (_, _, true, _) => Format::Basic,
        (_, _, _, true) => Format::SingleLine,
        _ => Format::Text,
    };
    if let Some(product) = &typed.made_from {
        return origin(&snapshot, product, &options, format);
    }
    let table = list::list(&snapshot, what, &options)?;
    print(context, &table, format);
    Ok(0)
}

fn print(context: &Context, table: &Table, format: Format) {
    say(table.render(format).trim_end());
    if format == Format::Text && !context.quiet {
        say(&table.count());
    }
    for note in &table.notes {
        tell(&format!("note: {note}"));
    }
}

fn origin(snapshot: &Snapshot, product: &str, options: &ListOptions, format: Format) -> Result<u8, Error> {
    let origin = list::origin(snapshot, product, options)?;
    if format == Format::Json {
        print_json(&serde_json::json!({"product": origin.product, "frames": origin.frames.json(), "siblings": origin.siblings.json()}))?;
        return Ok(0);
    }
    if format == Format::Text {
        say(&format!("{} is made from", origin.product));
    }
    say(origin.frames.render(format).trim_end());
    if format == Format::Text {
        say(&format!("\nproducts of the same signature, {}", origin.task.signature));
        say(origin.siblings.render(format).trim_end());
    }
    Ok(0)
}
