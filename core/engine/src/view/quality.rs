//! Quality numbers over time: for each kind of product and each number a series, with a summary that a few outliers do not move.

use std::collections::BTreeMap;

use ifured_core::{Grade, Tag};
use schemars::JsonSchema;
use serde::Serialize;

use super::Snapshot;
use super::tasks::mean_mjd;
use crate::catalogue::KnownTask;

/// All quality numbers of what is known to be made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct QualityView {
    /// One series for each tag and name, in this order.
    pub series: Vec<Series>,
}

/// One quality number of one kind of product, over time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Series {
    /// Tag of the products.
    pub tag: Tag,
    /// Name of the number: `READ NOISE`.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// What it is.
    pub title: String,
    /// What most values are; none if no value could be measured.
    pub summary: Option<Summary>,
    /// The values, in the order of time.
    pub points: Vec<Point>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// The product: the first of its task, whose number it is.
    pub product: String,
    /// Night.
    pub night: String,
    /// Mean time of the main frames.
    pub mjd: Option<f64>,
    /// The value; none where it could not be measured.
    pub value: Option<f64>,
    /// Standard error, where known.
    pub error: Option<f64>,
    /// The limits that it was judged by, in words; empty where there are none.
    pub limits: String,
    /// The verdict.
    pub grade: Grade,
}

/// A robust summary of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Number of values.
    pub values: usize,
    /// Their median.
    pub median: f64,
    /// Median absolute deviation from the median; 1.4826 times that is the standard deviation of a normal distribution.
    pub mad: f64,
}

impl Summary {
    /// Of values that are finite; none if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let middle = median(values)?;
        let deviations: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
        Some(Summary { values: values.len(), median: middle, mad: median(&deviations)? })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 0 => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        _ => Some(sorted[middle]),
    }
}

/// The quality numbers of the products that there are. A number is of a task, so it is told with the first product of the task alone.
pub fn quality(snapshot: &Snapshot) -> QualityView {
    let mut series: BTreeMap<(Tag, String), Series> = BTreeMap::new();
    let products = &snapshot.known.products;
    // Products of a task that was made anew since belong to another task now.
    let is_there = |row: &&KnownTask| {
        let first = row.outcome.products.first();
        first.and_then(|p| products.get(&p.name)).is_some_and(|p| p.task == row.task.id)
    };
    for row in snapshot.known.tasks.values().filter(is_there) {
        let Some(product) = row.outcome.products.first() else { continue };
        for number in &row.outcome.quality {
            let key = (product.tag.clone(), number.name.clone());
            let series = series.entry(key).or_insert_with(|| Series {
                tag: product.tag.clone(),
                name: number.name.clone(),
                unit: number.unit.clone(),
                title: number.title.clone(),
                summary: None,
                points: Vec::new(),
            });
            series.points.push(Point {
                product: product.name.clone(),
                night: row.task.night.clone(),
                mjd: Some(mean_mjd(&row.task)).filter(|m| m.is_finite()),
                value: number.value,
                error: number.error,
                limits: number.limits.clone(),
                grade: number.grade,
            });
        }
    }
    let mut series: Vec<Series> = series.into_values().collect();
    for one in &mut series {
        // Products without a time come last.
        let when = |p: &Point| p.mjd.unwrap_or(f64::INFINITY);
        one.points.sort_by(|a, b| when(a).total_cmp(&when(b)).then_with(|| a.product.cmp(&b.product)));
        one.summary = Summary::of(&one.points.iter().filter_map(|p| p.value).collect::<Vec<_>>());
    }
    QualityView { series }
}
