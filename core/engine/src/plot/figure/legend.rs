//! What the marks of a panel mean, in rows above it.

use super::arrows::{Scale, arrow, step};
use super::content::{Curve, Kind, Panel};
use super::marks::c;
use super::number::pretty;
use crate::plot::svg::{COLOURS, Svg, marker};

/// Height of a row.
const ROW: f64 = 16.0;
/// Width of a symbol, and the mean width of a letter.
const SYMBOL: f64 = 26.0;
const LETTER: f64 = 5.6;
const GREY: &str = "#999";

/// One entry.
struct Entry {
    /// Elements of the symbol, drawn with its left end at 0 0.
    symbol: String,
    wide: f64,
    text: String,
}

/// All entries of a panel, in rows.
pub(super) struct Legend {
    rows: Vec<Vec<Entry>>,
}

impl Legend {
    /// For a panel with so many values outside of its box. A single series without anything to say has no entry.
    pub(super) fn of(panel: &Panel, scales: &[Option<Scale>], outside: usize, width: f64) -> Legend {
        let mut entries = Vec::new();
        let several = panel.curves.iter().any(|c| c.name != panel.curves[0].name);
        for (n, (curve, scale)) in panel.curves.iter().zip(scales).enumerate() {
            let repeated = panel.curves[..n].iter().any(|c| c.name == curve.name);
            if (several && !repeated) || curve.error.is_some() {
                let error = curve.error.as_ref().map(|(name, _)| format!(" ± {name}")).unwrap_or_default();
                entries.push(Entry { symbol: symbol(curve), wide: SYMBOL, text: format!("{}{error}", curve.name) });
            }
            entries.extend(scale.as_ref().map(|s| key(curve, s)));
        }
        let unused = panel.curves.iter().map(|c| c.used.iter().filter(|u| !**u).count()).max().unwrap_or(0);
        if unused > 0 {
            let hollow = match panel.curves.iter().find(|c| c.used.contains(&false)).map(|c| &c.kind) {
                Some(Kind::Points) | None => format!(r#"<path d="{}" fill="none" stroke="{GREY}"/>"#, marker(0, 13.0, 0.0, 2.6)),
                Some(_) => format!(r#"<path d="M3 0h19" stroke="{GREY}"/>"#),
            };
            entries.push(Entry { symbol: hollow, wide: SYMBOL, text: format!("not used ({unused})") });
        }
        if outside > 0 {
            let text = format!("{outside} {} outside", if outside == 1 { "value" } else { "values" });
            entries.push(Entry { symbol: format!(r#"<path d="M9.500 2.500l3.500-6l3.500 6z" fill="{GREY}"/>"#), wide: SYMBOL, text });
        }
        Legend { rows: in_rows(entries, width) }
    }

    pub(super) fn height(&self) -> f64 {
        self.rows.len() as f64 * ROW
    }

    /// Draws it with its upper left corner at a place.
    pub(super) fn draw(&self, svg: &mut Svg, left: f64, top: f64) {
        for (n, row) in self.rows.iter().enumerate() {
            let (mut x, y) = (left, top + n as f64 * ROW + 8.0);
            for entry in row {
                svg.raw(&format!(r#"<g transform="translate({} {})">{}</g>"#, c(x), c(y - 3.5), entry.symbol));
                svg.text(x + entry.wide + 3.0, y, &entry.text, r#"class="s""#);
                x += entry.width();
            }
        }
    }
}

impl Entry {
    fn width(&self) -> f64 {
        self.wide + 18.0 + LETTER * self.text.chars().count() as f64
    }
}

fn in_rows(entries: Vec<Entry>, width: f64) -> Vec<Vec<Entry>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut left = 0.0;
    for entry in entries {
        if rows.is_empty() || left < entry.width() {
            rows.push(Vec::new());
            left = width;
        }
        left -= entry.width();
        rows.last_mut().into_iter().for_each(|row| row.push(Entry { text: entry.text.clone(), symbol: entry.symbol.clone(), ..entry }));
    }
    rows
}

fn symbol(curve: &Curve) -> String {
    let colour = COLOURS[curve.number % COLOURS.len()];
    match (&curve.kind, &curve.error) {
        (Kind::Points, None) => format!(r#"<path d="{}" fill="{colour}"/>"#, marker(curve.number, 13.0, 0.0, 2.6)),
        (Kind::Points, Some(_)) => {
            format!(r#"<path d="M13-6.500v13" stroke="{colour}"/><path d="{}" fill="{colour}"/>"#, marker(curve.number, 13.0, 0.0, 2.6))
        }
        (Kind::Line, error) => {
            let band = format!(r#"<path d="M3-5h20v10h-20z" fill="{colour}" fill-opacity=".22"/>"#);
            let band = if error.is_some() { band } else { String::new() };
            format!(r#"{band}<path d="M3 0h20" stroke="{colour}" stroke-width="1.600"/>"#)
        }
        (Kind::Arrows { .. }, _) => {
            format!(r#"<path d="{}" fill="none" stroke="{colour}" stroke-width="1.100"/>"#, arrow((3.0, 0.0), 20.0, 0.0))
        }
    }
}

/// An arrow of a round length.
fn key(curve: &Curve, scale: &Scale) -> Entry {
    let Kind::Arrows { unit, .. } = &curve.kind else { return Entry { symbol: String::new(), wide: 0.0, text: String::new() } };
    let (colour, length) = (COLOURS[curve.number % COLOURS.len()], scale.key * scale.pixels);
    let symbol = format!(r#"<path d="{}" fill="none" stroke="{colour}" stroke-width="1.100"/>"#, arrow((3.0, 0.0), length, 0.0));
    let few = match step(curve) {
        1 => String::new(),
        n => format!(" (1 of {n} arrows is drawn)"),
    };
    let text = format!("{} {unit}", pretty(&shortest(scale.key)));
    Entry { symbol, wide: length + 6.0, text: format!("{}{few}", text.trim_end()) }
}

fn shortest(value: f64) -> String {
    if (1e-3..1e5).contains(&value) { format!("{}", (value * 1e6).round() / 1e6) } else { format!("{value:.0e}") }
}
