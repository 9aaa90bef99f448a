//! Lists as text, CSV (RFC 4180) or JSON.

use ifured_core::Value;
use unicode_width::UnicodeWidthStr;

use super::Table;

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Columns, aligned.
    #[default]
    Text,
    /// ` - name` of each file, ready for YAML.
    Basic,
    /// All paths on one line, for a shell.
    SingleLine,
    /// Comma-separated values, RFC 4180.
    Csv,
    /// An array of objects.
    Json,
}

/// Decimals in text tables unless asked otherwise.
const DECIMALS: usize = 5;

/// Removes what would disturb a terminal or a line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Whether a number is shown with an exponent: too small for its decimals, or too large to read.
fn is_extreme(x: f64, decimals: usize) -> bool {
    x != 0.0 && (x.abs() >= 1e10 || x.abs() < 0.5 * 10f64.powi(-(decimals as i32)))
}

/// Decimals that a number needs, up to a limit.
fn needed(x: f64, limit: usize) -> usize {
    let text = format!("{x:.limit$}");
    text.split_once('.').map_or(0, |(_, d)| d.trim_end_matches('0').len())
}

fn cells(table: &Table, column: usize) -> Vec<String> {
    let limit = table.decimals.unwrap_or(DECIMALS);
    let values: Vec<Option<&Value>> = table.rows.iter().map(|r| r[column].as_ref()).collect();
    // The decimals that the column needs, so that the points are below each other.
    let decimals = values
        .iter()
        .filter_map(|v| match v {
            Some(Value::Real(x)) if x.is_finite() && !is_extreme(*x, limit) => Some(needed(*x, limit)),
            _ => None,
        })
        .max()
        .unwrap_or(0);
    let show = |v: &Option<&Value>| match v {
        None => "-".to_owned(),
        Some(Value::Real(x)) if x.is_finite() && is_extreme(*x, limit) => format!("{x:.limit$e}"),
        Some(Value::Real(x)) => format!("{x:.decimals$}"),
        Some(v) => plain(&v.to_string()),
    };
    values.iter().map(show).collect()
}

impl Table {
    /// The list in a format, with its last line end.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Basic => self.base_names().iter().map(|n| format!(" - {n}\n")).collect(),
            Format::SingleLine => {
                let paths = self.paths.iter().filter(|p| !p.is_empty());
                let line = paths.map(|p| shell_word(p)).collect::<Vec<_>>().join(" ");
                if line.is_empty() { line } else { line + "\n" }
            }
            Format::Csv => self.csv(),
            Format::Json => self.json().to_string() + "\n",
        }
    }

    fn base_names(&self) -> Vec<String> {
        let name = |n: &usize| {
            let whole = if self.paths[*n].is_empty() {
                self.rows[*n][0].as_ref().map(ToString::to_string).unwrap_or_default()
            } else {
                self.paths[*n].clone()
            };
            plain(whole.rsplit('/').next().unwrap_or(&whole))
        };
        (0..self.rows.len()).map(|n| name(&n)).collect()
    }

    fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let columns: Vec<Vec<String>> = (0..self.columns.len()).map(|c| cells(self, c)).collect();
        let numeric: Vec<bool> =
            (0..self.columns.len()).map(|c| self.rows.iter().filter_map(|r| r[c].as_ref()).all(|v| v.as_real().is_some())).collect();
        let widths: Vec<usize> =
            columns.iter().zip(&self.columns).map(|(c, title)| c.iter().map(|t| t.width()).max().unwrap_or(0).max(title.width())).collect();
        let line = |texts: &[&str]| {
            let padded = texts.iter().enumerate().map(|(c, t)| {
                let space = " ".repeat(widths[c].saturating_sub(t.width()));
                if numeric[c] { format!("{space}{t}") } else { format!("{t}{space}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let titles: Vec<String> = self.columns.iter().map(|t| plain(t)).collect();
        let mut out = line(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        for n in 0..self.rows.len() {
            out += &line(&columns.iter().map(|c| c[n].as_str()).collect::<Vec<_>>());
        }
        out
    }

    /// A number as it is written for machines: all digits, or as many as were asked for.
    fn exact(&self, value: &Value) -> String {
        match (value, self.decimals) {
            (Value::Real(x), Some(d)) if x.is_finite() && !is_extreme(*x, d) => format!("{x:.d$}"),
            (Value::Real(x), _) => format!("{x:?}"),
            (v, _) => v.to_string(),
        }
    }

    fn csv(&self) -> String {
        let field = |text: &str| {
            if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
        };
        let line = |texts: Vec<String>| texts.join(",") + "\r\n";
        let mut out = line(self.columns.iter().map(|c| field(c)).collect());
        for row in &self.rows {
            out += &line(row.iter().map(|v| v.as_ref().map(|v| field(&self.exact(v))).unwrap_or_default()).collect());
        }
        out
    }

    /// The list as JSON: one object a row; `null` where a row has no such key.
    pub fn json(&self) -> serde_json::Value {
        let value = |v: &Option<Value>| match v {
            Some(Value::Real(x)) if x.is_finite() => self
                .exact(&Value::Real(*x))
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or(serde_json::Value::Null, Into::into),
            Some(v) => serde_json::to_value(v).unwrap_or_default(),
            None => serde_json::Value::Null,
        };
        let row = |r: &Vec<Option<Value>>| -> serde_json::Value {
            self.columns.iter().cloned().zip(r.iter().map(value)).collect::<serde_json::Map<_, _>>().into()
        };
        self.rows.iter().map(row).collect()
    }
}

/// A path as one word of a shell.
fn shell_word(path: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-:+,@%=~".contains(c) || !c.is_ascii();
    if path.chars().all(safe) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
