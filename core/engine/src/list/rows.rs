//! The rows of lists: views under the names of columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use ifured_core::header::normalise;
use ifured_core::recipe::QualityNumber;
use ifured_core::{Lookup, Tag, Value};

use crate::frame::Frame;
use crate::view::frames::FrameView;
use crate::view::groups::GroupView;
use crate::view::products::ProductView;
use crate::view::quality::{Point, Series};
use crate::view::tasks::{CalibrationView, TaskSummary};

/// One row of a list.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Where its file is; empty if there is none.
    pub path: String,
    /// Night.
    pub night: String,
    /// Its tag; for groups and tasks all tags and the recipe.
    pub tags: Vec<String>,
    /// Values of its own, by normalised name.
    pub fields: Vec<(String, Value)>,
    /// The frame whose keywords it has.
    pub frame: Option<Arc<Frame>>,
}

impl Row {
    fn new(name: &str, night: &str) -> Row {
        let mut row = Row { name: name.to_owned(), night: night.to_owned(), ..Row::default() };
        row.set("NAME", name);
        row.set("NIGHT", night);
        row
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.fields.push((normalise(key), value.into()));
    }

    fn set_text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.set(key, text);
        }
    }

    /// Whether it has a value under that name.
    pub fn has(&self, key: &str) -> bool {
        self.lookup(key).is_some()
    }

    /// All names under which it has a value.
    pub fn keys(&self) -> BTreeSet<String> {
        let mut keys: BTreeSet<String> = self.fields.iter().map(|(k, _)| k.clone()).collect();
        if let Some(frame) = &self.frame {
            keys.extend(
                frame.header.cards().iter().filter(|c| c.value().is_some_and(|v| *v != Value::Undefined)).map(|c| c.keyword.clone()),
            );
            keys.extend(frame.statistics.iter().map(|(k, _)| k.clone()));
            keys.extend(frame.mjd.map(|_| "MJD".to_owned()));
        }
        keys
    }
}

impl Lookup for Row {
    fn lookup(&self, key: &str) -> Option<Value> {
        let key = normalise(key);
        let own = self.fields.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        let of_frame = || self.frame.as_ref()?.lookup(&key);
        let without_blanks = || self.fields.iter().find(|(k, _)| joined(k) == joined(&key)).map(|(_, v)| v.clone());
        own.or_else(of_frame).or_else(without_blanks).filter(|v| *v != Value::Undefined)
    }
}

/// A raw frame.
pub fn of_frame(view: FrameView) -> Row {
    let mut row = Row::new(&view.name, &view.night);
    row.tags = vec![view.tag.to_string()];
    row.set("TAG", view.tag.as_str());
    row.set("STATE", view.state.as_str());
    row.set("PATH", view.path.as_str());
    row.set("FILE", view.file);
    row.set("BYTES", view.bytes as i64);
    row.set("WHY", view.why);
    row.set("NOTES", view.notes.join("; "));
    row.set_text("SIGNATURE", &view.signature);
    row.path = view.path;
    row.frame = Some(view.frame);
    row
}

/// A name without blanks and lines: the quality number `ZERO POINT` is also found as `ZEROPOINT` and `ZERO_POINT`, which need no quotes.
fn joined(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, ' ' | '_')).collect()
}

/// Calibrations of a task: `BIAS`, `BIAS-DAYS`, `BIAS-LEVEL`, `BIAS-WHY`; several of a role are joined.
fn set_calibrations(row: &mut Row, calibrations: &[CalibrationView]) {
    for c in calibrations {
        if !c.names.is_empty() {
            row.set(c.role.as_str(), c.names.join(" "));
        }
        row.set(&format!("{}-LEVEL", c.role), i64::from(c.level));
        row.set_text(&format!("{}-WHY", c.role), &c.why);
        if let Some(days) = c.days {
            row.set(&format!("{}-DAYS", c.role), days);
        }
    }
}

fn set_quality(row: &mut Row, quality: &[QualityNumber], rejected: usize) {
    for q in quality {
        if let Some(value) = q.value {
            row.set(&q.name, value);
        }
        if let Some(error) = q.error {
            row.set(&format!("{} ERROR", q.name), error);
        }
    }
    row.set("REJECTED", rejected);
}

/// A product of the catalogue.
pub fn of_product(view: ProductView) -> Row {
    let mut row = Row::new(&view.name, view.made.as_ref().map_or("", |m| &m.night));
    row.tags = vec![view.tag.to_string()];
    row.set("TAG", view.tag.as_str());
    row.set("PATH", view.path.as_str());
    row.set("FILE", view.name.rsplit('/').next().unwrap_or(&view.name));
    row.set("BYTES", view.bytes as i64);
    row.set("TASK", view.task.as_str());
    if let Some(made) = view.made {
        row.set("RECIPE", made.recipe.as_str());
        row.set("LEVEL", i64::from(made.level));
        row.set("GRADE", made.grade.as_str());
        row.set("FRAMES", made.frames);
        row.set_text("SIGNATURE", &made.signature);
        row.set("MJD", made.mjd.unwrap_or(f64::NAN));
        set_calibrations(&mut row, &made.calibrations);
        set_quality(&mut row, &made.quality, made.rejected);
    }
    row.path = view.path;
    row.frame = view.frame;
    row
}

fn with_recipe(recipe: &str, tags: &[Tag]) -> Vec<String> {
    let mut all = vec![recipe.to_owned()];
    all.extend(tags.iter().map(Tag::to_string).filter(|t| t != recipe));
    all
}

/// A task of the plan.
pub fn of_task(view: TaskSummary) -> Row {
    let mut row = Row::new(&view.name, &view.night);
    row.tags = with_recipe(&view.recipe, &view.tags);
    row.set("RECIPE", view.recipe.as_str());
    row.set("TAG", view.tag.as_ref().map_or("", Tag::as_str));
    row.set("TASK", view.id.as_str());
    row.set("LEVEL", i64::from(view.level));
    row.set("FRAMES", view.frames);
    row.set_text("SIGNATURE", &view.signature);
    row.set("PLANNED_MB", view.memory as f64 / 1e6);
    row.set("STATE", view.state.as_str());
    if let Some(grade) = view.grade {
        row.set("GRADE", grade.as_str());
        set_quality(&mut row, &view.quality, view.rejected.unwrap_or(0));
    }
    if let Some(cost) = view.cost {
        row.set("CPU", cost.usage.cpu_seconds);
        row.set("SECONDS", cost.seconds);
        row.set("PEAK_MB", cost.usage.peak_memory as f64 / 1e6);
        row.set("READ_MB", cost.usage.bytes_read as f64 / 1e6);
        row.set("WRITTEN_MB", cost.usage.bytes_written as f64 / 1e6);
    }
    row.set_text("WHY", &view.why);
    set_calibrations(&mut row, &view.calibrations);
    row.path = view.path;
    row.frame = view.frame;
    row
}

/// A group of frames.
pub fn of_group(view: GroupView) -> Row {
    let mut row = Row::new(&view.name, &view.night);
    row.tags = with_recipe(&view.recipe, &view.tags);
    row.set_text("TAG", view.tag.as_ref().map_or("", Tag::as_str));
    row.set("STATE", view.state.as_str());
    row.set("RECIPE", view.recipe.as_str());
    row.set("FRAMES", view.members.len());
    row.set("MEMBERS", view.members.join(" "));
    row.set_text("SIGNATURE", &view.signature);
    if let Some(level) = view.level {
        row.set("LEVEL", i64::from(level));
    }
    row.set_text("WHY", &view.why);
    row.path = view.frame.as_ref().map(|f| f.path.display().to_string()).unwrap_or_default();
    row.frame = view.frame;
    row
}

/// The values of a quality number over time.
pub fn of_series(series: &Series) -> Vec<Row> {
    series.points.iter().map(|point| of_point(series, point)).collect()
}

fn of_point(series: &Series, point: &Point) -> Row {
    let mut row = Row::new(&point.product, &point.night);
    row.tags = vec![series.tag.to_string()];
    row.set("TAG", series.tag.as_str());
    row.set("NUMBER", series.name.as_str());
    row.set_text("TITLE", &series.title);
    let mut set_real = |key: &str, value: Option<f64>| value.into_iter().for_each(|v| row.set(key, v));
    set_real("MJD", point.mjd);
    set_real("VALUE", point.value);
    set_real("ERROR", point.error);
    set_real("MEDIAN", series.summary.map(|s| s.median));
    set_real("MAD", series.summary.map(|s| s.mad));
    row.set_text("UNIT", &series.unit);
    row.set_text("LIMITS", &point.limits);
    row.set("GRADE", point.grade.as_str());
    row
}
