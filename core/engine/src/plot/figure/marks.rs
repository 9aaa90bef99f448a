//! Lines, bands, points and error bars as paths.

use std::collections::HashSet;
use std::fmt::Write;

use super::frame::Frame;

/// More points than this are drawn as dots, those that fall together once, and without error bars.
pub(super) const MANY: usize = 1500;
/// More dots than this are not drawn: a coarser grid takes those that fall together.
const MOST: usize = 5000;

/// What is drawn at one place along the horizontal axis, in places of the drawing: the first and last value there, and their extremes.
#[derive(Clone, Copy)]
struct Span {
    x: f64,
    first: f64,
    last: f64,
    top: f64,
    bottom: f64,
}

/// A number with one decimal.
pub(super) fn c(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), |t| if t == "-0" { "0".into() } else { t.to_owned() })
}

/// A line through the places in their order, interrupted where there is none. Of many places, those in one pixel become one stroke
/// between their extremes.
pub(super) fn line(places: &[Option<(f64, f64)>], frame: &Frame) -> String {
    let span = |p: &Option<(f64, f64)>| p.map(|(x, y)| Span { x, first: y, last: y, top: y, bottom: y });
    let mut path = String::new();
    let pieces = pieces(&places.iter().map(span).collect::<Vec<_>>(), frame);
    let few = pieces.len() < 100;
    for piece in pieces {
        let mut last = None;
        let mut to = |x: f64, y: f64| {
            let at = format!("{} {}", c(x), c(y));
            if last.as_ref() != Some(&at) {
                let _ = write!(path, "{}{at}", if last.is_none() { "M" } else { "L" });
                last = Some(at);
            }
        };
        for s in &piece {
            to(s.x, s.first);
            to(s.x, s.top);
            to(s.x, s.bottom);
            to(s.x, s.last);
        }
        if piece.len() == 1 {
            // A value between gaps is to be seen, too.
            path.push_str(if few { "m-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0" } else { "h0" });
        }
    }
    path
}

/// A band between two values at each place, `(x, top, bottom)`.
pub(super) fn band(places: &[Option<(f64, f64, f64)>], frame: &Frame) -> String {
    let span = |p: &Option<(f64, f64, f64)>| p.map(|(x, top, bottom)| Span { x, first: top, last: top, top, bottom });
    let mut path = String::new();
    for piece in pieces(&places.iter().map(span).collect::<Vec<_>>(), frame) {
        let upper = piece.iter().map(|s| (s.x, s.top));
        let lower = piece.iter().rev().map(|s| (s.x, s.bottom));
        for (n, (x, y)) in upper.chain(lower).enumerate() {
            let _ = write!(path, "{}{} {}", if n == 0 { "M" } else { "L" }, c(x), c(y));
        }
        path.push('z');
    }
    path
}

/// Uninterrupted pieces, with one span for each pixel at most if there are many.
fn pieces(spans: &[Option<Span>], frame: &Frame) -> Vec<Vec<Span>> {
    let pixels = frame.width.ceil() as usize;
    if spans.len() <= 2 * pixels {
        return spans.split(Option::is_none).filter(|p| !p.is_empty()).map(|p| p.iter().flatten().copied().collect()).collect();
    }
    let ordered = spans.iter().flatten().is_sorted_by(|a, b| a.x <= b.x) || spans.iter().flatten().is_sorted_by(|a, b| a.x >= b.x);
    if !ordered {
        return columns(spans, pixels, frame);
    }
    let mut pieces: Vec<Vec<Span>> = Vec::new();
    let mut interrupted = true;
    for span in spans {
        let Some(span) = span else {
            interrupted = true;
            continue;
        };
        match pieces.last_mut().and_then(|p| p.last_mut()).filter(|last| last.x.floor() == span.x.floor()) {
            Some(last) => *last = joined(*last, *span),
            None if interrupted => pieces.push(vec![*span]),
            None => pieces.last_mut().into_iter().for_each(|p| p.push(*span)),
        }
        interrupted = false;
    }
    pieces
}

fn joined(a: Span, b: Span) -> Span {
    Span { x: a.x, first: a.first, last: b.last, top: a.top.min(b.top), bottom: a.bottom.max(b.bottom) }
}

/// One stroke for each pixel column, for many values in no order.
fn columns(spans: &[Option<Span>], pixels: usize, frame: &Frame) -> Vec<Vec<Span>> {
    let mut all: Vec<Option<Span>> = vec![None; pixels + 1];
    for span in spans.iter().flatten() {
        let column = (span.x - frame.left).clamp(0.0, pixels as f64) as usize;
        all[column] = Some(all[column].map_or(*span, |a| joined(a, *span)));
    }
    all.into_iter().flatten().map(|s| vec![s]).collect()
}

/// The dots that stand for all places: of those that fall together, one.
pub(super) fn dots(places: &[(f64, f64)]) -> String {
    let mut grid = 0.8;
    let kept = loop {
        let mut seen = HashSet::new();
        let kept: Vec<&(f64, f64)> = places.iter().filter(|(x, y)| seen.insert(((x / grid) as i64, (y / grid) as i64))).collect();
        if kept.len() <= MOST {
            break kept;
        }
        grid *= 1.25;
    };
    kept.iter().map(|(x, y)| format!("M{} {}h0", c(*x), c(*y))).collect()
}

/// Error bars, `(x, top, bottom)`.
pub(super) fn bars(places: impl Iterator<Item = (f64, f64, f64)>) -> String {
    places.map(|(x, top, bottom)| format!("M{} {}V{}", c(x), c(top), c(bottom))).collect()
}
