//! Pieces of pages. Everything that comes from outside goes through [`esc`].

use ifured_core::recipe::{Grade, Outcome, QualityNumber};

use super::STYLE;
pub(super) use crate::plot::svg::escape as esc;

/// A whole page.
pub(super) fn page(first_line: &str, title: &str, body: &str) -> String {
    format!(
        "{first_line}\n<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <footer>ifured {}</footer>\n</body>\n</html>\n",
        esc(title),
        env!("CARGO_PKG_VERSION"),
    )
}

/// A number with four significant digits.
pub(super) fn number(x: f64) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    if x == 0.0 {
        return "0".into();
    }
    let magnitude = x.abs().log10().floor();
    if !(-4.0..7.0).contains(&magnitude) {
        return format!("{x:.3e}").replace('-', "−");
    }
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    let text = format!("{x:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    text.replace('-', "−")
}

/// Seconds, as a person says them.
pub(super) fn seconds(s: f64) -> String {
    match s {
        s if !s.is_finite() => "–".into(),
        s if s < 0.1 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Bytes in the largest unit that leaves a number above 1.
pub(super) fn bytes(b: u64) -> String {
    let b = b as f64;
    match b {
        b if b < 1e3 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{:.0} kB", b / 1e3),
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}

/// `1 frame`, `2 frames`.
pub(super) fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// A word with a mark, so that colour is not needed.
pub(super) fn mark(class: &str, symbol: &str, word: &str) -> String {
    format!("<span class=\"mark {class}\"><span aria-hidden=\"true\">{symbol}</span> {}</span>", esc(word))
}

pub(super) fn grade(grade: Grade) -> String {
    match grade {
        Grade::Good => mark("good", "●", "good"),
        Grade::Questionable => mark("questionable", "▲", "questionable"),
        Grade::Bad => mark("bad", "✖", "bad"),
    }
}

/// `level 2`, with a mark from 2 on.
pub(super) fn level(level: i32) -> String {
    match level {
        0 => "0".into(),
        l if l >= 3 => mark("bad", "▲", &l.to_string()),
        2 => mark("questionable", "▲", "2"),
        l => l.to_string(),
    }
}

/// A section with its heading; nothing if it is empty.
pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("<section id=\"{id}\">\n<h2>{}</h2>\n{body}</section>\n", esc(title)) }
}

/// A column of a table: its title, and whether it holds numbers.
pub(super) type Column<'a> = (&'a str, bool);

/// A table. Titles are text, cells are HTML. The first column heads its row.
pub(super) fn table(caption: &str, columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let class = |n: &usize| if columns[*n].1 { " class=\"n\"" } else { "" };
    let head: String = (0..columns.len()).map(|n| format!("<th scope=\"col\"{}>{}</th>", class(&n), esc(columns[n].0))).collect();
    let mut out = format!("<div class=\"scroll\"><table>\n<caption>{}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n", esc(caption));
    for row in rows {
        out += "<tr>";
        for (n, cell) in row.iter().enumerate() {
            out += &match n {
                0 => format!("<th scope=\"row\"{}>{cell}</th>", class(&n)),
                _ => format!("<td{}>{cell}</td>", class(&n)),
            };
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table></div>\n"
}

/// A list; nothing if it is empty. Items are HTML.
pub(super) fn list(items: &[String]) -> String {
    if items.is_empty() {
        String::new()
    } else {
        format!("<ul>\n{}</ul>\n", items.iter().map(|i| format!("<li>{i}</li>\n")).collect::<String>())
    }
}

/// Text that is shown when asked for.
pub(super) fn details(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("<details><summary>{}</summary>\n{body}</details>\n", esc(title)) }
}

/// A path whose directories are set back. It can break after a slash.
pub(super) fn path(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, file)) => {
            format!("<span class=\"path\"><span class=\"dir\">{}/<wbr></span>{}</span>", esc(directory).replace('/', "/<wbr>"), esc(file))
        }
        None => format!("<span class=\"path\">{}</span>", esc(name)),
    }
}

/// A quality number with its error.
pub(super) fn value(q: &QualityNumber) -> String {
    let Some(value) = q.value else { return "not measurable".into() };
    match q.error {
        Some(error) if error > 0.0 => {
            let decimals = (1.0 - error.log10().floor()).clamp(0.0, 8.0) as usize;
            if value.abs() < 1e7 {
                format!("{value:.decimals$} ± {error:.decimals$}").replace('-', "−")
            } else {
                format!("{} ± {}", number(value), number(error))
            }
        }
        _ => number(value),
    }
}

/// Quality numbers against their limits.
pub(super) fn quality(outcome: &Outcome) -> String {
    let row = |q: &QualityNumber| {
        let limits = if q.limits.is_empty() { String::new() } else { esc(&q.limits) };
        let verdict = if q.limits.is_empty() { String::new() } else { grade(q.grade) };
        vec![esc(&q.name), value(q), esc(&q.unit), limits, verdict, esc(&q.title)]
    };
    let rows: Vec<Vec<String>> = outcome.quality.iter().map(row).collect();
    let columns = [("name", false), ("value", true), ("unit", false), ("limits", false), ("grade", false), ("what it is", false)];
    table("Quality numbers with their limits", &columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 1.0, -2.71728, 12345.678, 0.00012346, 1e-9, 6.5e7, f64::NAN].map(number).to_vec();
        assert_eq!(shown, ["0", "1", "−2.717", "12346", "0.0001235", "1.000e−9", "6.500e7", "–"]);
        let q = QualityNumber::new("X", -4.2, "e-", "").with_error(0.0312);
        assert_eq!(value(&q), "−4.200 ± 0.031");
        assert_eq!((seconds(0.012), seconds(600.0), bytes(3_400_000)), ("12 ms".into(), "10.0 min".into(), "3 MB".into()));
    }

    #[test]
    fn nothing_gets_through() {
        let page = table("<c>", &[("<h>", false)], &[vec![path("a<b>/c&d\"")]]);
        assert!(!page.contains("<c>") && !page.contains("<h>") && !page.contains("<b>") && page.contains("c&amp;d&quot;"));
    }
}
