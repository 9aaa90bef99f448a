//! `show` and `plot`.

use std::path::Path;

use ifured_core::Value;
use ifured_engine::list::{self, ListOptions, What};
use ifured_engine::preview::{self, ColourMap, Stretch};
use ifured_engine::session::{Opening, Session};
use ifured_engine::view::answer::ShowView;
use ifured_engine::{Error, classify, files, plot};
use ifured_pixels::fits::{self, HduSelect};

use super::{print_json, say};
use crate::Context;
use crate::arguments::Selection;

/// Longer side of a preview in pixels.
const PREVIEW: usize = 1000;

fn unreadable(e: fits::FitsError) -> Error {
    Error::usage(e.to_string(), "check the file; `ifured verify` checks a product's checksums")
}

/// Shows one frame.
pub fn show(context: &Context, frame: &Path, whole: bool, to: Option<&Path>) -> Result<u8, Error> {
    let file = fits::scan_file(frame, true).map_err(unreadable)?;
    let header = file.hdus.first().map(|h| h.header.clone()).unwrap_or_default();
    let descriptions: Vec<_> = context.instruments.iter().map(|i| i.description().clone()).collect();
    let figures = plot::figure::titles(frame)?;
    let recognised = classify::recognised(&header, &descriptions).iter().map(|d| d.name.clone()).collect();
    let view = ShowView::of(frame, &file, recognised, figures);
    if context.json {
        print_json(&view)?;
    } else {
        let known = if view.instruments.is_empty() { "no known instrument".to_owned() } else { view.instruments.join(", ") };
        say(&format!("{}: {} bytes, {known}", view.file, view.bytes));
        for hdu in &view.hdus {
            say(&format!("  HDU {} {:<10} {}", hdu.index, hdu.name.as_deref().unwrap_or("-"), hdu.kind));
            for issue in &hdu.issues {
                say(&format!("      {issue}"));
            }
        }
        for issue in &view.issues {
            say(&format!("  {issue}"));
        }
        match &file.statistics {
            Some(s) => say(&format!(
                "  pixels {} (undefined {}), minimum {}, median {}, maximum {}, 2.5 % {}, 97.5 % {}, robust sigma {:.4}",
                s.npoints, s.nan, s.minimum, s.q500, s.maximum, s.q025, s.q975, s.robust_std
            )),
            None => say("  no pixels"),
        }
        for (n, title) in view.figures.iter().enumerate() {
            say(&format!("  figure {} {title}", n + 1));
        }
        if !view.figures.is_empty() {
            say("  draw one with: ifured plot --frame FILE --figure N --to figure.svg");
        }
        print_header(&header, whole);
    }
    if let Some(to) = to {
        let (_, small) = preview::small_of_file(frame, &HduSelect::First, PREVIEW)?;
        let (_, png) = small.png(Stretch::Zscale, ColourMap::Gray, None)?;
        files::write_atomically(to, &png)?;
        say(&format!("wrote {}", to.display()));
    }
    Ok(0)
}

fn print_header(header: &ifured_core::Header, whole: bool) {
    if whole {
        for line in header.columns() {
            say(line.trim_end());
        }
        return;
    }
    for key in
        ["OBJECT", "INSTRUME", "DATE-OBS", "MJD-OBS", "EXPTIME", "IMAGETYP", "IFURED TAG", "IFURED TASK", "IFURED RECIPE", "IFURED GRADE"]
    {
        if let Some(value) = header.get(key).filter(|v| **v != Value::Undefined) {
            say(&format!("  {key:<14} {value}"));
        }
    }
    say(&format!("  {} cards; --header prints them all", header.cards().len()));
}

/// Plots keyword against keyword.
pub fn plot(context: &Context, keywords: &[String], to: &Path, selection: &Selection) -> Result<u8, Error> {
    write(context, to, &pairs(context, keywords, selection)?)
}

/// Draws a figure of a frame's tables, or its image; a frame without image is drawn as its first figure.
pub fn draw(context: &Context, frame: &Path, figure: Option<&str>, to: &Path) -> Result<u8, Error> {
    let has_image = || -> Result<bool, Error> {
        let hdus = fits::hdus(frame).map_err(unreadable)?;
        Ok(hdus.iter().any(|h| h.kind.image().is_some_and(|(_, axes)| !axes.is_empty() && !axes.contains(&0))))
    };
    let svg = match figure {
        Some(which) => plot::figure::figure(frame, which)?,
        None if !has_image()? && !plot::figure::titles(frame)?.is_empty() => plot::figure::figure(frame, "1")?,
        None => plot::image(frame, &HduSelect::First, Stretch::Zscale, ColourMap::Gray, true)?,
    };
    write(context, to, &svg)
}

fn write(context: &Context, to: &Path, svg: &str) -> Result<u8, Error> {
    files::write_atomically(to, svg.as_bytes())?;
    if !context.quiet {
        say(&format!("wrote {}", to.display()));
    }
    Ok(0)
}

fn pairs(context: &Context, keywords: &[String], selection: &Selection) -> Result<String, Error> {
    if keywords.is_empty() {
        return Err(Error::usage("nothing to plot is named", "name keywords, for example: ifured plot QUANT500 ROBUSTSTD --tag bias"));
    }
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let options = ListOptions {
        tags: selection.tag.clone(),
        night: selection.night.clone(),
        filter: selection.filter.clone(),
        columns: keywords.to_vec(),
        ..ListOptions::default()
    };
    let what = What::from(selection.of);
    let snapshot = super::lists::snapshot(&mut session, what)?;
    let mut table = list::list(&snapshot, what, &options)?;
    table.keep(keywords)?;
    let title = format!("{} of {}", table.count(), session.instrument.name);
    let statistics = |key: &str| key.starts_with("QUANT") || matches!(key, "FMINIMUM" | "FMAXIMUM" | "ROBUSTSTD");
    // The unit that a header comment gives in brackets: `[deg] RA of the target`.
    let unit = |key: &str| {
        if statistics(key) {
            return "ADU".to_owned();
        }
        let card = session.frames.iter().find_map(|f| f.header.card(key).map(|c| c.comment().to_owned())).unwrap_or_default();
        let bracketed = card.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(unit, _)| unit.to_owned());
        bracketed.filter(|u| u.len() < 12).unwrap_or_default()
    };
    plot::pairs(&table, &title, &unit)
}
