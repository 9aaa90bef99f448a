//! The drawing: panels below each other on one horizontal axis.

use super::arrows::{self, Scale};
use super::content::{Content, Curve, Kind, Panel, label};
use super::frame::Frame;
use super::legend::Legend;
use super::marks::{self, MANY, c};
use super::number::pretty;
use super::range::{axis, quantile, robust};
use crate::plot::svg::{COLOURS, Svg, marker, n};
use crate::plot::ticks::Axis;

const LEFT: f64 = 78.0;
const WIDTH: f64 = 640.0;
const RIGHT: f64 = 22.0;
const GREY: &str = "#999";

/// Layout: where the boxes are.
struct Room {
    left: f64,
    width: f64,
    /// Most letters of a title.
    letters: usize,
}

/// A figure with title, axes and legends.
pub(super) fn whole(content: &Content) -> String {
    let room = Room { left: LEFT, width: WIDTH, letters: 92 };
    let heights = match content.panels.len() {
        1 => 300.0,
        2 => 215.0,
        _ => 165.0,
    };
    let mut top = 54.0;
    let mut panels = Vec::new();
    for panel in &content.panels {
        let mut drawn = Drawn::of(content, panel, &room, heights);
        drawn.frame.top = top + drawn.legend.height();
        drawn.frame.y.places = (drawn.frame.top + drawn.frame.height, drawn.frame.top);
        top = drawn.frame.top + drawn.frame.height + 14.0;
        panels.push(drawn);
    }
    let bottom = top - 14.0;
    let mut svg = Svg::new(LEFT + WIDTH + RIGHT, bottom + 50.0, &content.title);
    svg.text(LEFT, 24.0, &fitted(&content.title, room.letters), r#"class="t""#);
    svg.text(LEFT, 42.0, &fitted(&content.about, 110), r#"class="s""#);
    for (number, drawn) in panels.iter().enumerate() {
        drawn.legend.draw(&mut svg, LEFT, drawn.frame.top - drawn.legend.height());
        draw_panel(&mut svg, content, drawn, number);
        vertical_axis(&mut svg, drawn);
    }
    if let Some(last) = panels.last() {
        horizontal_axis(&mut svg, content, &last.frame);
    }
    svg.finish()
}

/// The first panel without any text.
pub(super) fn small(content: &Content) -> String {
    let room = Room { left: 4.0, width: 232.0, letters: 0 };
    let mut svg = Svg::new(240.0, 150.0, &content.title);
    if let Some(panel) = content.panels.first() {
        let mut drawn = Drawn::of(content, panel, &room, 142.0);
        // The aspect of a map gives way to the size of the preview.
        drawn.frame.height = 142.0;
        drawn.frame.top = 4.0;
        drawn.frame.y.places = (146.0, 4.0);
        draw_panel(&mut svg, content, &drawn, 0);
    }
    svg.finish()
}

/// A note in place of a figure.
pub(super) fn note(title: &str, why: &str) -> String {
    let mut svg = Svg::new(LEFT + WIDTH + RIGHT, 92.0, title);
    svg.rect(8.0, 8.0, LEFT + WIDTH + RIGHT - 16.0, 76.0, r##"fill="none" stroke="#bbb" stroke-dasharray="4 3""##);
    svg.text(24.0, 38.0, &fitted(title, 96), r#"class="t""#);
    svg.text(24.0, 62.0, &fitted(&format!("This figure cannot be drawn: {why}"), 130), "");
    svg.finish()
}

/// A panel with its box.
struct Drawn<'a> {
    panel: &'a Panel,
    /// Whether both axes are places.
    map: bool,
    frame: Frame,
    scales: Vec<Option<Scale>>,
    legend: Legend,
}

impl<'a> Drawn<'a> {
    fn of(content: &Content, panel: &'a Panel, room: &Room, height: f64) -> Self {
        let scales: Vec<Option<Scale>> = panel.curves.iter().map(arrows::scale).collect();
        let map = panel.curves.iter().any(|c| matches!(c.kind, Kind::Arrows { .. }));
        let lines = content.panels.iter().flat_map(|p| &p.curves).all(|c| matches!(c.kind, Kind::Line));
        let x = axis(x_range(content), if lines { 0.015 } else { 0.045 }, (room.left, room.left + room.width));
        let y = axis(y_range(content, panel), 0.08, (height, 0.0));
        let mut frame = Frame { x, y, left: room.left, top: 0.0, width: room.width, height };
        if map {
            equal_aspect(&mut frame);
        }
        let places = panel.curves.iter().flat_map(|curve| content.x.iter().zip(&curve.values));
        let outside = places.filter_map(|(x, y)| frame.place(*x, *y)).filter(|p| !frame.holds(*p)).count();
        let legend = Legend::of(panel, &scales, outside, room.width);
        Drawn { panel, map, frame, scales, legend }
    }
}

/// Makes a unit as long on both axes: the box becomes as high as it must, the shorter range longer where that is not enough.
fn equal_aspect(frame: &mut Frame) {
    let span = |a: &Axis| a.values.1 - a.values.0;
    let widened = |a: &mut Axis, wanted: f64| {
        let more = 0.5 * (wanted - (a.values.1 - a.values.0)).max(0.0);
        a.values = (a.values.0 - more, a.values.1 + more);
    };
    let ratio = span(&frame.y) / span(&frame.x);
    if !ratio.is_finite() || ratio <= 0.0 {
        return;
    }
    frame.height = (frame.width * ratio).clamp(160.0, 600.0);
    frame.y.places = (frame.height, 0.0);
    let pixel = (span(&frame.x) / frame.width).max(span(&frame.y) / frame.height);
    widened(&mut frame.x, pixel * frame.width);
    widened(&mut frame.y, pixel * frame.height);
}

/// The range of the rows that count in any series; of all rows if none does.
fn x_range(content: &Content) -> Option<(f64, f64)> {
    let curves: Vec<&Curve> = content.panels.iter().flat_map(|p| &p.curves).collect();
    let counts = |n: usize| curves.iter().any(|c| c.used[n] && c.values[n].is_finite());
    let used = (0..content.x.len()).filter(|n| counts(*n)).map(|n| content.x[n]);
    robust(used).or_else(|| robust(content.x.iter().copied()))
}

/// The range of the values that count, with most of their errors.
fn y_range(content: &Content, panel: &Panel) -> Option<(f64, f64)> {
    let rows = |all: bool| {
        let of_curve = move |c: &'_ Curve, n: usize| (all || c.used[n]) && content.x[n].is_finite() && c.values[n].is_finite();
        panel.curves.iter().flat_map(move |c| (0..content.x.len()).filter(move |n| of_curve(c, *n)).map(move |n| (c, n)))
    };
    let all = rows(false).next().is_none();
    let (low, high) = robust(rows(all).map(|(c, n)| c.values[n]))?;
    let with_error = |sign: f64| rows(all).filter_map(move |(c, n)| Some(c.values[n] + sign * c.error.as_ref()?.1[n].abs()));
    let lower = quantile(with_error(-1.0).filter(|v| *v >= low - (high - low)), 0.02).unwrap_or(low);
    let upper = quantile(with_error(1.0).filter(|v| *v <= high + (high - low)), 0.98).unwrap_or(high);
    Some((low.min(lower), high.max(upper)))
}

fn draw_panel(svg: &mut Svg, content: &Content, drawn: &Drawn<'_>, number: usize) {
    let frame = &drawn.frame;
    let (left, top, width, height) = (frame.left, frame.top, frame.width, frame.height);
    let grid = |across: bool| if across { frame.x.ticks(8).0 } else { frame.y.ticks(wanted(height)).0 };
    grid(true).iter().for_each(|(at, _)| svg.line((*at, top), (*at, top + height), "g"));
    grid(false).iter().for_each(|(at, _)| svg.line((left, *at), (left + width, *at), "g"));
    if !drawn.map && frame.y.values.0 < 0.0 && frame.y.values.1 > 0.0 {
        let zero = n(frame.y.place(0.0));
        svg.raw(&format!(r##"<path d="M{} {zero}h{}" stroke="#aaa" stroke-width=".8"/>"##, n(left), n(width)));
    }
    let (x, y, w, h) = (n(left), n(top), n(width), n(height));
    svg.raw(&format!(
        r#"<clipPath id="panel{number}"><rect x="{x}" y="{y}" width="{w}" height="{h}"/></clipPath><g clip-path="url(#panel{number})">"#
    ));
    for (curve, scale) in drawn.panel.curves.iter().zip(&drawn.scales) {
        draw_curve(svg, content, curve, scale.as_ref(), frame);
    }
    svg.raw("</g>");
    let empty = drawn.panel.curves.iter().all(|c| content.x.iter().zip(&c.values).all(|(x, y)| frame.place(*x, *y).is_none()));
    if empty {
        svg.text(left + width / 2.0, top + height / 2.0, "no values", r#"class="s" text-anchor="middle""#);
    }
    svg.rect(left, top, width, height, r#"class="f""#);
}

fn draw_curve(svg: &mut Svg, content: &Content, curve: &Curve, scale: Option<&Scale>, frame: &Frame) {
    let colour = COLOURS[curve.number % COLOURS.len()];
    match &curve.kind {
        Kind::Line => draw_line(svg, content, curve, colour, frame),
        Kind::Points => {
            draw_points(svg, content, curve, false, GREY, frame);
            draw_points(svg, content, curve, true, colour, frame);
        }
        Kind::Arrows { .. } => {
            // Arrows of no length at all are still places.
            let scale = scale.unwrap_or(&Scale { pixels: 0.0, key: 0.0 });
            for (used, stroke) in [(false, "#bbb"), (true, colour)] {
                stroked(svg, &arrows::path(&content.x, curve, used, scale, frame), stroke, 1.1, 0.9);
            }
        }
    }
}

/// A line through the rows that count, over a thin grey one through all.
fn draw_line(svg: &mut Svg, content: &Content, curve: &Curve, colour: &str, frame: &Frame) {
    let places = |all: bool| -> Vec<Option<(f64, f64)>> {
        let rows = content.x.iter().zip(&curve.values).zip(&curve.used);
        rows.map(|((x, y), used)| frame.place(*x, *y).filter(|_| all || *used)).collect()
    };
    if let Some((_, error)) = &curve.error {
        let rows = (0..content.x.len()).map(|row| spread(content, curve, error, row, frame).filter(|_| curve.used[row]));
        let band = marks::band(&rows.collect::<Vec<_>>(), frame);
        if !band.is_empty() {
            svg.raw(&format!(r#"<path d="{band}" fill="{colour}" fill-opacity=".22"/>"#));
        }
    }
    if curve.used.contains(&false) {
        stroked(svg, &marks::line(&places(true), frame), "#c4c4c4", 0.8, 1.0);
    }
    stroked(svg, &marks::line(&places(false), frame), colour, 1.1, 1.0);
}

/// Place of a row with its error: across, top, bottom.
fn spread(content: &Content, curve: &Curve, error: &[f64], row: usize, frame: &Frame) -> Option<(f64, f64, f64)> {
    let (value, error) = (curve.values[row], error[row].abs());
    let (x, _) = frame.place(content.x[row], value)?;
    error.is_finite().then(|| (x, frame.up(value + error), frame.up(value - error)))
}

/// Points of the rows that count, or hollow ones of those that do not; triangles at the edge for those outside.
fn draw_points(svg: &mut Svg, content: &Content, curve: &Curve, used: bool, colour: &str, frame: &Frame) {
    let rows: Vec<usize> = (0..content.x.len()).filter(|row| curve.used[*row] == used).collect();
    let places = rows.iter().filter_map(|row| frame.place(content.x[*row], curve.values[*row]));
    let (inside, outside): (Vec<_>, Vec<_>) = places.partition(|p| frame.holds(*p));
    if let Some((_, error)) = &curve.error {
        let bars = rows.iter().filter_map(|row| spread(content, curve, error, *row, frame));
        stroked(svg, &marks::bars(bars), colour, 0.8, if used { 0.65 } else { 0.45 });
    }
    if inside.len() > MANY {
        stroked(svg, &marks::dots(&inside), colour, 1.8, if used { 0.7 } else { 0.4 });
    } else {
        let radius = if inside.len() > 300 { 1.8 } else { 2.6 };
        let path: String = inside.iter().map(|(x, y)| marker(curve.number, *x, *y, radius)).collect();
        let how = if used {
            format!(r#"fill="{colour}" fill-opacity=".8""#)
        } else {
            format!(r##"fill="#fff" fill-opacity=".6" stroke="{colour}" stroke-width=".9""##)
        };
        if !path.is_empty() {
            svg.raw(&format!(r#"<path d="{path}" {how}/>"#));
        }
    }
    edge_marks(svg, &outside, colour, frame);
}

/// Small triangles at the edge, where points lie beyond it.
fn edge_marks(svg: &mut Svg, outside: &[(f64, f64)], colour: &str, frame: &Frame) {
    let mut seen = std::collections::BTreeSet::new();
    for (x, y) in outside {
        let (right, bottom) = (frame.left + frame.width, frame.top + frame.height);
        let at = (x.clamp(frame.left + 4.0, right - 4.0), y.clamp(frame.top, bottom));
        let turn = if *y < frame.top {
            0
        } else if *y > bottom {
            180
        } else if *x > right {
            90
        } else {
            270
        };
        let at = if turn % 180 == 90 { (x.clamp(frame.left, right), at.1) } else { at };
        if seen.len() < 300 {
            seen.insert((turn, c(at.0), c(at.1)));
        }
    }
    for (turn, x, y) in seen {
        svg.raw(&format!(r#"<path d="M0 1l-3 5h6z" fill="{colour}" transform="translate({x} {y}) rotate({turn})"/>"#));
    }
}

fn stroked(svg: &mut Svg, path: &str, colour: &str, width: f64, opacity: f64) {
    if path.is_empty() {
        return;
    }
    let opacity = if opacity < 1.0 { format!(r#" stroke-opacity="{opacity}""#) } else { String::new() };
    svg.raw(&format!(
        r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"{opacity}/>"#
    ));
}

/// Ticks that a box of this height has room for.
fn wanted(height: f64) -> usize {
    ((height / 42.0) as usize).clamp(3, 8)
}

fn horizontal_axis(svg: &mut Svg, content: &Content, frame: &Frame) {
    let bottom = frame.top + frame.height;
    let (ticks, offset) = frame.x.ticks(8);
    for (at, text) in &ticks {
        svg.line((*at, bottom), (*at, bottom + 4.0), "k");
        svg.text(*at, bottom + 16.0, &pretty(text), r#"class="s" text-anchor="middle""#);
    }
    let name = with_offset(&fitted(&content.x_label, 80), offset);
    svg.text(frame.left + frame.width / 2.0, bottom + 35.0, &name, r#"text-anchor="middle""#);
}

fn vertical_axis(svg: &mut Svg, drawn: &Drawn<'_>) {
    let frame = &drawn.frame;
    let (ticks, offset) = frame.y.ticks(wanted(frame.height));
    for (at, text) in &ticks {
        svg.line((frame.left - 4.0, *at), (frame.left, *at), "k");
        svg.text(frame.left - 7.0, at + 3.3, &pretty(text), r#"class="s" text-anchor="end""#);
    }
    let mut names: Vec<&str> = drawn.panel.curves.iter().map(|c| c.name.as_str()).collect();
    names.dedup();
    let most = (frame.height / 6.4) as usize;
    let all = label(&names.join(", "), &drawn.panel.unit);
    let fits = all.chars().count() + offset.as_ref().map_or(0, |o| o.len().min(20)) <= most;
    let name = match (fits, drawn.panel.unit.is_empty(), names.len()) {
        (false, false, 2..) => label("", &drawn.panel.unit).trim().to_owned(),
        _ => all,
    };
    let (name, middle) = (fitted(&with_offset(&name, offset), most), frame.top + frame.height / 2.0);
    svg.text(20.0, middle, &name, &format!(r#"text-anchor="middle" transform="rotate(-90 20 {})""#, n(middle)));
}

fn with_offset(name: &str, offset: Option<String>) -> String {
    match offset {
        Some(offset) => format!("{name} {}", fitted(&pretty(&offset), 22)),
        None => name.to_owned(),
    }
}

/// A text that is not longer than so many letters.
fn fitted(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}
