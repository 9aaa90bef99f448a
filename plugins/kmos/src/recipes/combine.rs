//! `kmos_combine`: the exposures of several templates of one field, target by target, with shifts by the names of files and a check of what came out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ifured_core::recipe::{Grouping, MainInput, SideFile, TaskInput, TaskOutput};
use ifured_core::signature::{Compare, SignatureKey};
use ifured_core::{AnyRecipe, EngineName, Host, Outcome, RecipeDescription, RecipeError, Task, provenance};
use ifured_eso::esorex::parameters::add;
use ifured_eso::esorex::{EsorexRecipe, Product, ProductRule, RecipeParameters};
use ifured_pixels::fits::primary_header;
use serde_json::{Value, json};

use super::pairing::write_text;
use super::{About, cubes, default, file_parameter, product, shifts};
use crate::frames::gratings;
use crate::pairing::text::as_error;

const NAME: &str = "kmos_combine";
const SHIFTS: &str = "shifts";
const FILENAME: &str = "filename";
/// Arcseconds within which pointings are of one field.
const SAME_FIELD: f64 = 60.0;
/// Degrees by which the rotation of the field may differ: the recipe refuses cubes of other orientation.
const SAME_ROTATION: f64 = 0.1;

/// The recipe.
pub struct Combine {
    esorex: EsorexRecipe,
}

/// It.
pub fn recipe(parameters: &RecipeParameters) -> Result<Combine, RecipeError> {
    let about = About {
        recipe: NAME,
        title: "Combined cubes of several templates",
        description: "Combines the cubes of each target from all exposures of one field, band and orientation, over templates and nights. Cubes of another \
            orientation make the recipe fail, so they are a group of their own.",
        main: MainInput { tags: vec!["SCI_RECONSTRUCTED".into()], group: one_field(), ..MainInput::default() },
        inputs: vec![],
        products: vec![
            product(NAME, "COMBINE", "Combined cube of a target"),
            product(NAME, "COMBINE_MASK", "Exposures in each pixel of a combined cube"),
        ],
    };
    let mut esorex = default(about.with(parameters)?, "method", json!("header")).hide(&[FILENAME]);
    esorex.of_task = Some(shifts_of_task);
    esorex.products = vec![
        ProductRule::required("COMBINE").with_categories(&["COMBINE_*"]).with_finite(0.0),
        ProductRule::optional("COMBINE_MASK").with_categories(&["EXP_MASK", "EXP_MASK_*"]).with_finite(0.0),
    ];
    Ok(Combine { esorex })
}

/// Exposures of one field, band and orientation, of at least two templates: those of one are combined already.
fn one_field() -> Grouping {
    let mut signature = gratings();
    let pointing = Compare::Sky { declination: "DEC".into(), arcsec: SAME_FIELD };
    let key = |key: &str, compare: Compare| SignatureKey { key: key.into(), compare };
    signature.0.extend([key("ESO OCS ROT OFFANGLE", Compare::Within(SAME_ROTATION)), key("RA", pointing)]);
    Grouping { signature, min_frames: 2, ..Grouping::default() }
}

fn shifts_path(task: &Task) -> Option<PathBuf> {
    Some(std::path::absolute(&task.outputs.first()?.path).ok()?.with_extension("shifts.txt"))
}

fn shifts_of_task(task: &Task) -> Result<Vec<(String, Value)>, RecipeError> {
    let given = task.role(SHIFTS).next().and_then(|_| shifts_path(task));
    Ok(given.map(|p| (FILENAME.to_owned(), json!(p.display().to_string()))).into_iter().collect())
}

impl AnyRecipe for Combine {
    fn description(&self) -> RecipeDescription {
        let what = "File with the shifts of the cubes for method `user`: a line `FILE DX DY` for each SCI_RECONSTRUCTED file, in any order, pixels to the left and up. \
                    Relative to the configuration file.";
        let mut description = self.esorex.description();
        add(&mut description, SHIFTS, &file_parameter("Shifts", what, "shifts.txt"));
        description
    }

    fn engine(&self) -> EngineName {
        self.esorex.engine()
    }

    fn installed_version(&self) -> Option<String> {
        self.esorex.installed_version()
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let mut own = task.clone();
        if let Some(parameters) = own.parameters.as_object_mut() {
            parameters.remove(SHIFTS);
        }
        own.inputs = task.inputs.iter().flat_map(|i| if i.role.is_main() { with_siblings(i) } else { vec![i.clone()] }).collect();
        let mut notes = Vec::new();
        let shifts = write_shifts(&own, &mut notes)?;
        let mut targets = BTreeSet::new();
        let mut nameless = 0;
        for file in own.main() {
            for (_, name) in cubes::targets_in(&file.path)? {
                if name.is_empty() {
                    nameless += 1;
                } else {
                    targets.insert(name);
                }
            }
        }
        if nameless > 0 {
            notes.push(format!("{nameless} cubes are of arms without a name: exposures are combined by names, so these may be left out"));
        }
        if let Some(name) = own.parameters["name"].as_str().filter(|n| !n.is_empty()) {
            targets.retain(|t| t == name);
        }
        let check = |products: &[Product]| cubes::combined(products, "COMBINE", &targets);
        let mut outcome = self.esorex.execute_checked(&own, host, &check)?;
        notes.append(&mut outcome.notes);
        outcome.side_files.extend(shifts);
        Ok(Outcome { notes, ..outcome })
    }
}

/// The file, and the others that the same task made of its tag: the plan knows the first.
fn with_siblings(input: &TaskInput) -> Vec<TaskInput> {
    let task = |path: &Path| primary_header(path).ok()?.text(provenance::TASK).ok().map(str::to_owned);
    let mut all = vec![input.clone()];
    let Some(maker) = task(&input.path) else { return all };
    let first = TaskOutput { tag: input.tag.clone(), path: input.path.clone(), name: input.name.clone(), ..TaskOutput::default() };
    for more in (2..).map(|n| first.numbered(n)).take_while(|more| task(&more.path).as_ref() == Some(&maker)) {
        all.push(TaskInput { path: more.path, name: more.name, ..input.clone() });
    }
    all
}

/// Makes the shifts of the recipe of those that are given by name.
fn write_shifts(task: &Task, notes: &mut Vec<String>) -> Result<Option<SideFile>, RecipeError> {
    let by_user = task.parameters["method"] == json!("user");
    let Some(file) = task.role(SHIFTS).next() else {
        let what = format!("{NAME}: method `user` needs shifts, and none are given");
        return if by_user {
            Err(RecipeError::new(what, format!("set recipes.{NAME}.{SHIFTS} to a file, or choose another method")))
        } else {
            Ok(None)
        };
    };
    if !by_user {
        notes.push(format!("{} is not used: the method is {}, not user", file.name, task.parameters["method"]));
    }
    let content = std::fs::read_to_string(&file.path)
        .map_err(|e| RecipeError::new(format!("{}: {e}", file.path.display()), format!("correct recipes.{NAME}.{SHIFTS}")))?;
    let name = |i: &TaskInput| i.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let files: Vec<String> = task.main().map(name).collect();
    let shifts = shifts::read(&content, &files).map_err(|problems| {
        let error = as_error(&file.path.display().to_string(), &problems);
        RecipeError::new(error.what, "write one line `FILE DX DY` for each of the SCI_RECONSTRUCTED files of this group")
    })?;
    let Some(path) = shifts_path(task) else { return Ok(None) };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|e| RecipeError::new(format!("cannot create {}: {e}", parent.display()), "choose another --output DIR"))?;
    }
    write_text(&path, &shifts::positional(&shifts))?;
    Ok(Some(SideFile { what: format!("shifts, as {NAME} reads them"), path }))
}
