//! A few elements of SVG.

use std::fmt::Write;

/// Text made safe for HTML and SVG, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A number with at most two decimals.
pub(crate) fn n(x: f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Colours of Okabe & Ito (2008), which people with any colour vision can tell apart; dark enough for white paper.
pub(crate) const COLOURS: &[&str] = &["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#555555"];

/// Shapes of points, so that series are told apart without colour: the path of one around a place.
pub(crate) fn marker(shape: usize, x: f64, y: f64, r: f64) -> String {
    match shape % 4 {
        0 => format!("M{} {}a{r} {r} 0 1 0 {} 0a{r} {r} 0 1 0 {} 0", n(x - r), n(y), 2.0 * r, -2.0 * r),
        1 => format!("M{} {}h{}v{}h{}z", n(x - r), n(y - r), 2.0 * r, 2.0 * r, -2.0 * r),
        2 => format!("M{} {}l{r} {}h{}z", n(x), n(y - r), 2.0 * r, -2.0 * r),
        _ => format!("M{} {}l{r} {r}l-{r} {r}l-{r} -{r}z", n(x), n(y - r)),
    }
}

/// A drawing.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    title: String,
    body: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Svg {
        Svg { width, height, title: title.to_owned(), body: String::new() }
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        let _ = writeln!(self.body, r#"<path class="{class}" d="M{} {}L{} {}"/>"#, n(x1), n(y1), n(x2), n(y2));
    }

    pub(crate) fn rect(&mut self, x: f64, y: f64, w: f64, h: f64, attributes: &str) {
        let _ = writeln!(self.body, r#"<rect x="{}" y="{}" width="{}" height="{}" {attributes}/>"#, n(x), n(y), n(w), n(h));
    }

    /// Text; `attributes` may set class, text-anchor and transform.
    pub(crate) fn text(&mut self, x: f64, y: f64, text: &str, attributes: &str) {
        let _ = writeln!(self.body, r#"<text x="{}" y="{}" {attributes}>{}</text>"#, n(x), n(y), escape(text));
    }

    pub(crate) fn raw(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The drawing as a file of its own: white paper, whatever is around it.
    pub(crate) fn finish(self) -> String {
        let (w, h) = (n(self.width), n(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{title}\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n{}</svg>\n",
            self.body,
            title = escape(&self.title),
        )
    }
}

const STYLE: &str = "text{font:11px 'Source Sans 3','Helvetica Neue',Arial,sans-serif;fill:#222}.t{font-size:14px;font-weight:600}\
.s{font-size:9.5px;fill:#555}.f{fill:none;stroke:#888;stroke-width:1}.k{stroke:#888;stroke-width:1}.g{stroke:#e8e8e8;stroke-width:1}\
.b{fill:#b9c6d3;stroke:#fff;stroke-width:.5}";
