//! Previews for pages, as data URIs.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ifured_core::recipe::Outcome;
use ifured_pixels::fits::{HduSelect, hdus};
use ifured_pixels::quality::NAMES;

use super::html::{esc, number};
use super::store;
use crate::plot::figure;
use crate::preview::{ColourMap, Small, SmallQuality, Stretch, is_picture, small_of_file, small_quality};

/// Longer side of the previews of a task, and of those in the page of the run.
const SIDE: usize = 480;
const THUMBNAIL: usize = 200;

pub(super) fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

fn svg_uri(svg: &str) -> String {
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg))
}

/// The figures that the tables of a product describe. As images, their style is theirs alone, and their paper stays white.
pub(super) fn figures(path: &Path) -> String {
    let drawn = figure::figures(path).unwrap_or_default();
    let image = |(title, svg): &(String, String)| {
        format!("<figure class=\"drawn\"><img src=\"{}\" alt=\"{}\"></figure>\n", svg_uri(svg), esc(title))
    };
    drawn.iter().map(image).collect()
}

/// The preview of the first product of a task, from the cache if it is there: its image, or else its first figure; none if it has neither.
pub(super) fn thumbnail(report: &Path, output: &Path, outcome: &Outcome) -> Option<String> {
    let product = outcome.products.first()?;
    let directory = report.join(".previews");
    let safe: String = product.hash.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let cached = directory.join(format!("{safe}-{}.png", super::FORMAT));
    if safe.is_empty() {
        return None;
    }
    if let Ok(png) = std::fs::read(&cached) {
        return Some(data_uri(&png));
    }
    let file = output.join(&product.name);
    let small = is_picture(&file, &HduSelect::First).then(|| small_of_file(&file, &HduSelect::First, THUMBNAIL).ok()).flatten();
    let Some((_, small)) = small else {
        return figure::small(&file).map(|svg| svg_uri(&svg));
    };
    let (_, png) = small.png(Stretch::Percentile(1.0, 99.0), ColourMap::Gray, None).ok()?;
    // Without its cache a report is slower, not wrong.
    let _ = std::fs::create_dir_all(&directory).map(|()| store(&cached, &png));
    Some(data_uri(&png))
}

/// One figure: image and caption.
fn figure(small: &Small, stretch: Stretch, map: ColourMap, what: &str, unit: &str) -> Option<String> {
    let ((low, high), png) = small.png(stretch, map, None).ok()?;
    let (rows, columns) = small.shape;
    let ramp = if map == ColourMap::Gray { "gray" } else { "viridis" };
    let note = if small.note.is_empty() { String::new() } else { format!("; {}", esc(&small.note)) };
    let binned = if small.factor > 1 { format!(", mean of {0}×{0}", small.factor) } else { String::new() };
    Some(format!(
        "<figure><img src=\"{}\" alt=\"{what}, {columns} by {rows} pixels\" width=\"{}\" height=\"{}\">\
         <figcaption><b>{what}</b> {columns} × {rows} pixels{binned}{note}<br>\
         <span class=\"nowrap\">{} <span class=\"ramp {ramp}\" role=\"img\" aria-label=\"to\"></span> {} {}</span></figcaption></figure>\n",
        data_uri(&png),
        small.values.ncols(),
        small.values.nrows(),
        number(f64::from(low)),
        number(f64::from(high)),
        esc(unit),
    ))
}

/// Figures of the planes of a product: data, standard deviation, quality. Empty if it has no image.
pub(super) fn planes(path: &Path) -> String {
    let Ok(list) = hdus(path) else { return String::new() };
    let has = |name: &str| list.iter().any(|h| h.name() == Some(name));
    let mut out = String::new();
    let select = if has("DATA") { HduSelect::name("DATA") } else { HduSelect::First };
    if is_picture(path, &select)
        && let Ok((header, small)) = small_of_file(path, &select, SIDE)
    {
        let unit = header.text("BUNIT").unwrap_or("").trim().to_owned();
        out += &figure(&small, Stretch::Zscale, ColourMap::Gray, "data", &unit).unwrap_or_default();
        if has("STAT")
            && let Ok((_, variance)) = small_of_file(path, &HduSelect::name("STAT"), SIDE)
        {
            let sigma = variance.map(|v| v.max(0.0).sqrt());
            out += &figure(&sigma, Stretch::Percentile(1.0, 99.0), ColourMap::Viridis, "standard deviation", &unit).unwrap_or_default();
        }
    }
    if let Ok(Some(quality)) = small_quality(path, SIDE) {
        out += &flags(&quality);
    }
    out
}

fn flags(quality: &SmallQuality) -> String {
    let percent = |n: u64| 100.0 * n as f64 / quality.pixels.max(1) as f64;
    let named: Vec<String> = NAMES
        .iter()
        .map(|(bit, name)| (quality.counts[bit.trailing_zeros() as usize], name))
        .filter(|(n, _)| *n > 0)
        .map(|(n, name)| format!("{} {n} ({} %)", esc(name), number(percent(n))))
        .collect();
    let what = if named.is_empty() { "no pixel is flagged".to_owned() } else { named.join("<br>") };
    let blank = Small { values: quality.flagged.values.mapv(|_| 0.0), ..quality.flagged.clone() };
    let Ok((_, png)) = blank.png(Stretch::Limits(-0.12, 1.0), ColourMap::Gray, Some(quality)) else { return String::new() };
    format!(
        "<figure><img src=\"{}\" alt=\"flagged pixels\" width=\"{}\" height=\"{}\"><figcaption><b>quality</b> flagged in orange<br>{what}</figcaption></figure>\n",
        data_uri(&png),
        blank.values.ncols(),
        blank.values.nrows(),
    )
}
