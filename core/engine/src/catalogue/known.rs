//! All that the catalogue knows of tasks, at one moment.

use std::collections::{BTreeMap, HashMap};

use ifured_core::TaskId;

use super::Catalogue;
use super::attempts::{self, LastAttempt};
use super::remark::Remark;
use super::tasks::{self, KnownProduct, KnownTask};
use crate::error::Result;

/// All that is known of tasks.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Those that were done.
    pub tasks: HashMap<TaskId, KnownTask>,
    /// Products by name.
    pub products: BTreeMap<String, KnownProduct>,
    /// The last attempt at each task.
    pub attempts: HashMap<TaskId, LastAttempt>,
    /// What was damaged and is left out.
    pub remarks: Vec<Remark>,
}

impl Catalogue {
    /// All that is known of tasks, at one moment.
    pub fn known(&self) -> Result<Known> {
        self.ask(|db| {
            // One transaction, for another process may write in between.
            let tx = db.unchecked_transaction()?;
            let mut remarks = Vec::new();
            let attempts = attempts::last(&tx, &mut remarks)?;
            let tasks = tasks::tasks(&tx, &attempts, &mut remarks)?;
            let products = tasks::products(&tx, &mut remarks)?;
            Ok(Known { tasks, products, attempts, remarks })
        })
    }
}
