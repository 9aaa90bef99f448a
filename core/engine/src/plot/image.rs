//! One image with axes in pixels and a colour bar.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ifured_pixels::fits::HduSelect;

use super::svg::Svg;
use super::ticks::Axis;
use crate::error::Result;
use crate::preview::{ColourMap, Stretch, png, small_of_file, small_quality};

/// Longer side of the image in the drawing.
const SIDE: f64 = 720.0;

/// An image of a FITS file as SVG with an embedded preview, axes in FITS pixels and a colour bar. With `quality`, pixels that
/// the quality plane flags are marked.
///
/// # Errors
/// If the file cannot be read or has no image.
pub fn image(path: &Path, hdu: &HduSelect, stretch: Stretch, map: ColourMap, quality: bool) -> Result<String> {
    let (header, small) = small_of_file(path, hdu, SIDE as usize)?;
    let flags = if quality { small_quality(path, SIDE as usize)? } else { None };
    let (range, bytes) = small.png(stretch, map, flags.as_ref())?;
    let (rows, columns) = small.shape;
    let scale = SIDE / rows.max(columns).max(1) as f64;
    // A spectrum of one row is still to be seen.
    let (w, h) = ((columns as f64 * scale).max(40.0), (rows as f64 * scale).max(40.0));
    let (left, top) = (64.0, 62.0);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut svg = Svg::new(left + w + 120.0, top + h + 54.0, &name);
    svg.text(left, 24.0, &name, r#"class="t""#);
    let mut about = vec![format!("{columns} × {rows} pixels")];
    // Object and exposure time of a product with extensions are in its primary header.
    let primary = ifured_pixels::fits::primary_header(path).unwrap_or_default();
    about.extend([&header, &primary].into_iter().find_map(|h| h.text("OBJECT").ok()).map(str::to_owned));
    about.extend([&header, &primary].into_iter().find_map(|h| h.real("EXPTIME").ok()).map(|t| format!("{t} s")));
    about.extend((small.factor > 1).then(|| format!("each point is the mean of {0} × {0} pixels", small.factor)));
    about.extend(Some(small.note.clone()).filter(|n| !n.is_empty()));
    about.extend(flags.is_some().then(|| "orange: flagged by the quality plane".to_owned()));
    svg.text(left, 44.0, &about.join(" · "), r#"class="s""#);
    let data = |bytes: &[u8]| format!("data:image/png;base64,{}", STANDARD.encode(bytes));
    let place = |x: f64, y: f64, w: f64, h: f64, data: String| {
        format!(
            r#"<image x="{x}" y="{y}" width="{w}" height="{h}" preserveAspectRatio="none" style="image-rendering:pixelated" href="{data}"/>"#
        )
    };
    // The last blocks may reach beyond the edge of the image.
    let covered = |blocks: usize, pixels: usize, side: f64| side * (blocks * small.factor) as f64 / pixels.max(1) as f64;
    let (image_w, image_h) = (covered(small.values.ncols(), columns, w), covered(small.values.nrows(), rows, h));
    svg.raw(&format!(
        r#"<clipPath id="field"><rect x="{left}" y="{top}" width="{w}" height="{h}"/></clipPath><g clip-path="url(#field)">"#
    ));
    svg.raw(&place(left, top + h - image_h, image_w, image_h, data(&bytes)));
    svg.raw("</g>");
    svg.rect(left, top, w, h, r#"class="f""#);
    let x = Axis { values: (0.5, columns as f64 + 0.5), places: (left, left + w) };
    let y = Axis { values: (0.5, rows as f64 + 0.5), places: (top + h, top) };
    for (at, text) in x.ticks(if w > 200.0 { 8 } else { 3 }).0 {
        svg.line((at, top + h), (at, top + h + 5.0), "k");
        svg.text(at, top + h + 17.0, &text, r#"class="s" text-anchor="middle""#);
    }
    for (at, text) in y.ticks(if h > 200.0 { 8 } else { 2 }).0 {
        svg.line((left - 5.0, at), (left, at), "k");
        svg.text(left - 8.0, at + 3.5, &text, r#"class="s" text-anchor="end""#);
    }
    svg.text(left + w / 2.0, top + h + 36.0, "x [pixel]", r#"text-anchor="middle""#);
    let middle = top + h / 2.0;
    svg.text(16.0, middle, "y [pixel]", &format!(r#"text-anchor="middle" transform="rotate(-90 16 {middle})""#));
    let ramp = ndarray::Array2::from_shape_fn((128, 1), |(r, _)| r as f32 / 127.0);
    let (bar_x, bar_w) = (left + w + 18.0, 14.0);
    svg.raw(&place(bar_x, top, bar_w, h, data(&png(ramp.view(), (0.0, 1.0), map, None)?)));
    svg.rect(bar_x, top, bar_w, h, r#"class="f""#);
    let bar = Axis { values: (f64::from(range.0), f64::from(range.1)), places: (top + h, top) };
    let (ticks, offset) = bar.ticks(if h > 200.0 { 7 } else { 2 });
    for (at, text) in ticks {
        svg.line((bar_x + bar_w, at), (bar_x + bar_w + 4.0, at), "k");
        svg.text(bar_x + bar_w + 7.0, at + 3.5, &text, r#"class="s""#);
    }
    let unit = header.text("BUNIT").map(str::trim).unwrap_or("").to_owned();
    let unit = [Some(unit).filter(|u| !u.is_empty()).map(|u| format!("[{u}]")), offset].into_iter().flatten().collect::<Vec<_>>().join(" ");
    svg.text(bar_x, top - 6.0, &unit, r#"class="s""#);
    Ok(svg.finish())
}
