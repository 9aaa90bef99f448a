//! Verifying a product: its checksums, its provenance, and whether what it was made from is still the same.

use std::path::Path;

use ifured_core::path::shown;
use ifured_core::{Header, provenance};
use ifured_pixels::fits;
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalogue::Known;
use crate::standing::content_hash;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// Whether it is right; none where it cannot be said.
    pub right: Option<bool>,
    /// What was found.
    pub found: String,
}

/// As in a list: the verdict, what was checked, what was found.
impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self.right {
            Some(true) => "ok",
            Some(false) => "WRONG",
            None => "-",
        };
        write!(f, "{mark:<6} {:<44} {}", self.what, self.found)
    }
}

fn check(what: impl Into<String>, right: impl Into<Option<bool>>, found: impl Into<String>) -> Check {
    Check { what: what.into(), right: right.into(), found: found.into() }
}

/// Checks a product. With what is known of tasks, also that its inputs are still what they were.
pub fn verify(path: &Path, known: Option<&Known>) -> Vec<Check> {
    let mut checks = Vec::new();
    match fits::verify(path) {
        Err(e) => return vec![check("file", false, e.to_string())],
        Ok(verdicts) => {
            for v in verdicts {
                let name = v.name.unwrap_or_else(|| if v.index == 0 { "PRIMARY".into() } else { format!("HDU {}", v.index) });
                let both = [("CHECKSUM", v.checksum), ("DATASUM", v.datasum)];
                for (keyword, verdict) in both {
                    let (right, found) = match verdict {
                        fits::Verdict::Right => (Some(true), "right"),
                        fits::Verdict::Wrong => (Some(false), "WRONG: the file was changed after it was written"),
                        fits::Verdict::Absent => (None, "absent"),
                    };
                    checks.push(check(format!("{name} {keyword}"), right, found));
                }
            }
        }
    }
    let header = match fits::primary_header(path) {
        Ok(header) => header,
        Err(e) => return vec![check("header", false, e.to_string())],
    };
    let Ok(task) = header.text(provenance::TASK) else {
        checks.push(check("provenance", None, "none: this is no product of ifured"));
        return checks;
    };
    let text = |key: &str| header.text(key).unwrap_or("?").to_owned();
    checks.push(check("provenance", true, format!("task {task}, recipe {}, ifured {}", text("IFURED RECIPE"), text("IFURED VERSION"))));
    if let Some(known) = known {
        content(path, task, known, &mut checks);
        inputs(&header, task, known, &mut checks);
    }
    checks
}

/// The checksums cover the HDUs; the catalogue knows the whole file.
fn content(path: &Path, task: &str, known: &Known, checks: &mut Vec<Check>) {
    let Some(row) = known.products.values().find(|p| p.task == task && path.ends_with(&p.name)) else { return };
    match content_hash(path) {
        Ok(hash) if hash == row.hash => checks.push(check("file", true, "as it was written")),
        Ok(_) => checks.push(check("file", false, "not as it was written")),
        Err(e) => checks.push(check("file", false, e.to_string())),
    }
}

fn inputs(header: &Header, task: &str, known: &Known, checks: &mut Vec<Check>) {
    let Some(row) = known.tasks.get(task) else {
        checks.push(check("inputs", None, "the catalogue of this directory does not know the task"));
        return;
    };
    let recorded = provenance::inputs(header);
    for input in &row.task.inputs {
        let what = format!("{} {}", input.role, input.name);
        if !recorded.iter().any(|r| r.name == input.name) {
            checks.push(check(what, false, "the product's header does not name it"));
            continue;
        }
        // A raw frame is known by its content; a product by the task that made it.
        match known.products.get(&input.name) {
            _ if !input.path.exists() => checks.push(check(what, None, format!("is not at {} any more", shown(&input.path)))),
            Some(p) if crate::plan::product_identity(&p.task, &p.tag) == input.identity => match content_hash(&input.path) {
                Ok(hash) if hash == p.hash => checks.push(check(what, true, "the same")),
                Ok(_) => checks.push(check(what, false, "changed since")),
                Err(e) => checks.push(check(what, false, e.to_string())),
            },
            Some(_) => checks.push(check(what, false, "made anew since, from other frames or with other parameters")),
            None => match content_hash(&input.path) {
                Ok(hash) if hash == input.identity => checks.push(check(what, true, "the same")),
                Ok(_) => checks.push(check(what, false, "another content than when it was used")),
                Err(e) => checks.push(check(what, false, e.to_string())),
            },
        }
    }
}
