//! Products in the catalogue.

use std::collections::HashMap;
use std::sync::Arc;

use ifured_core::recipe::QualityNumber;
use ifured_core::{Grade, Tag, Task, TaskId};
use schemars::JsonSchema;
use serde::Serialize;

use super::Snapshot;
use super::tasks::{CalibrationView, FrameIndex, calibrations, mean_mjd};
use crate::catalogue::{KnownProduct, KnownTask};
use crate::frame::Frame;

/// One product.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProductView {
    /// Path below the output directory.
    pub name: String,
    /// Its tag.
    pub tag: Tag,
    /// Where it is.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// The task that made it.
    pub task: TaskId,
    /// How it was made; none if the catalogue does not know its task.
    pub made: Option<MadeView>,
    /// The frame whose keywords it has: the first that it was made from.
    #[serde(skip)]
    #[schemars(skip)]
    pub frame: Option<Arc<Frame>>,
}

/// How a product was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MadeView {
    /// The recipe.
    pub recipe: String,
    /// Night.
    pub night: String,
    /// Quality level: the worst of all inputs.
    pub level: i32,
    /// Its grade.
    pub grade: Grade,
    /// Number of main frames.
    pub frames: usize,
    /// Values that the group has in common.
    pub signature: String,
    /// Mean time of the main frames.
    pub mjd: Option<f64>,
    /// What it was calibrated with.
    pub calibrations: Vec<CalibrationView>,
    /// Quality numbers.
    pub quality: Vec<QualityNumber>,
    /// Number of main frames that were rejected.
    pub rejected: usize,
}

/// All products, by name.
pub fn products(snapshot: &Snapshot) -> Vec<ProductView> {
    let done = &snapshot.known.tasks;
    let known = snapshot.known.products.values();
    let index = FrameIndex::of(snapshot);
    let makers: HashMap<&str, &Task> = known.clone().filter_map(|p| Some((p.name.as_str(), &done.get(&p.task)?.task))).collect();
    let view = |product: &KnownProduct| {
        let row = done.get(&product.task);
        ProductView {
            name: product.name.clone(),
            tag: product.tag.clone(),
            path: snapshot.output.join(&product.name).display().to_string(),
            bytes: product.bytes,
            task: product.task.clone(),
            made: row.map(made),
            frame: row.and_then(|r| r.task.main().next()).and_then(|m| index.first(m, &makers)).cloned(),
        }
    };
    known.map(view).collect()
}

fn made(row: &KnownTask) -> MadeView {
    let task = &row.task;
    MadeView {
        recipe: task.recipe.clone(),
        night: task.night.clone(),
        level: task.level,
        grade: row.grade,
        frames: task.main().count(),
        signature: task.signature.clone(),
        mjd: Some(mean_mjd(task)).filter(|m| m.is_finite()),
        calibrations: calibrations(task, &[]),
        quality: row.outcome.quality.clone(),
        rejected: row.outcome.rejected.len(),
    }
}
