//! `kmos_sci_red`, with a table of objects and skies that can be read, changed and is checked, and a check of its cubes.
//!
//! Without a table in the configuration the skies are those of [`automatic`]. The recipe is told of them by its `obj_sky_table` where a table was
//! given, or where a sky is of another template, of which the recipe would know nothing; else it finds the same ones by its own rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ifured_core::recipe::{SideFile, TaskInput};
use ifured_core::{AnyRecipe, EngineName, Host, Outcome, RecipeDescription, RecipeError, Task};
use ifured_eso::esorex::parameters::add;
use ifured_eso::esorex::{EsorexRecipe, Product, ProductRule, RecipeParameters};
use serde_json::{Value, json};

use super::cubes::{self, Wanted};
use super::pairing::{self, Seen, seen, write_text};
use super::{About, EXPOSURES, file_parameter, inputs, product, template};
use crate::frames::set_up;
use crate::pairing::{Exposure, Pairing, automatic, eso, text};

const NAME: &str = "kmos_sci_red";
const PAIRING: &str = "pairing";
const OBJ_SKY_TABLE: &str = "obj_sky_table";
/// Fewest frames that the recipe takes.
const FEWEST: usize = 2;

/// Characters of a date that the recipe understands.
const DATE: usize = 24;

/// The recipe.
pub struct SciRed {
    esorex: EsorexRecipe,
}

/// It.
pub fn recipe(parameters: &RecipeParameters) -> Result<SciRed, RecipeError> {
    let about = About {
        recipe: NAME,
        title: "Reconstructed and combined cubes",
        description: "Subtracts sky arm by arm, reconstructs the cubes of each exposure of a template, corrects illumination and telluric absorption, and combines \
            the exposures of each target. Which sky is subtracted from which object is in the table of kmos_pairing, which can be changed.",
        main: template(&["SCIENCE"], set_up(), 1),
        inputs: vec![
            inputs::exposures_of_the_night(),
            inputs::xcal(),
            inputs::ycal(),
            inputs::lcal(),
            inputs::bands(),
            inputs::flat(),
            inputs::illumination(),
            inputs::telluric(),
            inputs::oh_lines(),
        ],
        products: vec![
            product(NAME, "SCI_RECONSTRUCTED", "Cubes of an exposure"),
            product(NAME, "SCI_COMBINED", "Combined cube of a target"),
            product(NAME, "EXP_MASK", "Exposures in each pixel of a combined cube"),
            product(NAME, "SCI_RECONSTRUCTED_COLL", "Images of the cubes of an exposure"),
            product(NAME, "SCI_COMBINED_COLL", "Image of a combined cube"),
            product(NAME, "SCI_INTERIM_OBJECT", "Cubes of an exposure before sky subtraction"),
            product(NAME, "SCI_INTERIM_SKY", "Cubes of the sky of an exposure"),
        ],
    };
    let mut esorex = about.with(parameters)?.hide(&[OBJ_SKY_TABLE]);
    esorex.of_task = Some(table_of_task);
    // Cubes are judged one by one, with all that is wrong with them. Images before cubes: the patterns of these take the category of both.
    esorex.products = vec![
        ProductRule::required("SCI_RECONSTRUCTED").with_finite(0.0),
        ProductRule::optional("SCI_RECONSTRUCTED_COLL").with_finite(0.0),
        ProductRule::optional("SCI_COMBINED_COLL").with_categories(&["SCI_COMBINED_COLL", "SCI_COMBINED_COLL_*"]).with_finite(0.0),
        ProductRule::optional("SCI_COMBINED").with_categories(&["SCI_COMBINED", "SCI_COMBINED_*"]).with_finite(0.0),
        ProductRule::optional("EXP_MASK").with_categories(&["EXP_MASK", "EXP_MASK_*"]).with_finite(0.0),
        ProductRule::optional("SCI_INTERIM_OBJECT").with_finite(0.0),
        ProductRule::optional("SCI_INTERIM_SKY").with_finite(0.0),
    ];
    Ok(SciRed { esorex })
}

/// Where the table for ESO's recipe is written, beside the first product.
fn eso_table_path(task: &Task) -> Option<PathBuf> {
    Some(std::path::absolute(&task.outputs.first()?.path).ok()?.with_extension("obj_sky_table.txt"))
}

/// The table, if one was written for this task.
fn table_of_task(task: &Task) -> Result<Vec<(String, Value)>, RecipeError> {
    let there = eso_table_path(task).filter(|p| p.is_file());
    Ok(there.map(|p| (OBJ_SKY_TABLE.to_owned(), json!(p.display().to_string()))).into_iter().collect())
}

impl AnyRecipe for SciRed {
    fn description(&self) -> RecipeDescription {
        let title = "Pairing";
        let what = "File with the sky of each object, as kmos_pairing writes it and a person has changed it; empty takes the nearest. Groups of which it has no \
                    line are paired as without it. Relative to the configuration file.";
        let mut description = self.esorex.description();
        add(&mut description, PAIRING, &file_parameter(title, what, "pairing.txt"));
        description
    }

    fn engine(&self) -> EngineName {
        self.esorex.engine()
    }

    fn installed_version(&self) -> Option<String> {
        self.esorex.installed_version()
    }

    fn execute(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let (seen, mut notes) = seen(task)?;
        let exposures: Vec<Exposure> = seen.iter().map(|s| s.exposure.clone()).collect();
        let (pairing, is_given) = paired(task, &exposures, &mut notes)?;
        if pairing.targets().next().is_none() {
            notes.push("no arm is on an object: these exposures are sky for others, and there is nothing to reduce".into());
            return Ok(Outcome { notes, ..Outcome::default() });
        }
        notes.extend(pairing::notes(&pairing));
        let used = used(&seen, &pairing);
        if used.len() < FEWEST {
            let what = format!(
                "{NAME} takes at least {FEWEST} exposures, and there is one: no other of the night has an arm on sky that this one needs"
            );
            return Err(RecipeError::new(what, "add exposures of the sky of that night, or switch the recipe off for this group"));
        }
        notes.extend(used.iter().filter_map(|s| odd_date(s)));
        let own = own_task(task, &used);
        let keep_table = is_given || pairing.uses_others(&exposures);
        let mut tables = write_tables(&own, &pairing, &used, keep_table)?;
        let no_subtraction = task.parameters["no_subtract"] == json!(true);
        let wanted = wanted(&seen, &pairing, no_subtraction);
        let check = |products: &[Product]| {
            let mut found = checked(products, &wanted, &seen)?;
            found.0.extend(pairing::quality(&pairing));
            Ok(found)
        };
        let mut outcome = self.esorex.execute_checked(&own, host, &check)?;
        notes.append(&mut outcome.notes);
        if let Some(first) = task.outputs.first() {
            notes.push(format!("objects and skies: {}", Path::new(&first.name).with_extension("pairing.txt").display()));
        }
        outcome.side_files.append(&mut tables);
        Ok(Outcome { notes, ..outcome })
    }
}

/// The pairing, and whether it was given.
fn paired(task: &Task, exposures: &[Exposure], notes: &mut Vec<String>) -> Result<(Pairing, bool), RecipeError> {
    let Some(file) = task.role(PAIRING).next() else { return Ok((automatic(exposures), false)) };
    let content = std::fs::read_to_string(&file.path).map_err(|e| {
        RecipeError::new(format!("{}: {e}", file.path.display()), format!("correct recipes.{NAME}.{PAIRING} in the configuration"))
    })?;
    let read = text::read(&content, exposures).map_err(|problems| text::as_error(&file.path.display().to_string(), &problems))?;
    let Some(read) = read else {
        notes.push(format!("{} has no line about these exposures: each object has the nearest sky", file.name));
        return Ok((automatic(exposures), false));
    };
    notes.push(format!("objects and skies are paired by {}", file.name));
    if !read.others.is_empty() {
        notes.push(format!("{} has lines about frames that are not here: {}", file.name, read.others.join(", ")));
    }
    Ok((read.pairing, true))
}

/// The recipe pairs object and sky by dates of exactly 24 characters (`2021-06-06T03:07:34.6840`), and stops at others.
fn odd_date(seen: &Seen<'_>) -> Option<String> {
    let date = seen.header.text("DATE-OBS").unwrap_or_default();
    (date.len() != DATE).then(|| {
        format!(
            "DATE-OBS of {} is `{date}`: {NAME} stops at dates that do not have {DATE} characters; correct it in the configuration",
            seen.exposure.name
        )
    })
}

/// The exposures that go in: those to be reduced, and the others that give sky.
fn used<'a, 'b>(seen: &'b [Seen<'a>], pairing: &Pairing) -> Vec<&'b Seen<'a>> {
    let gives_sky = |s: &Seen<'_>| pairing.rows.iter().any(|r| r.sky.as_ref().is_some_and(|sky| sky.frame == s.exposure.name));
    seen.iter().filter(|s| s.exposure.reduced || gives_sky(s)).collect()
}

/// The task that ESO's recipe gets: the exposures that are used, in the order of time, and the calibrations.
fn own_task(task: &Task, used: &[&Seen<'_>]) -> Task {
    let mut own = task.clone();
    if let Some(parameters) = own.parameters.as_object_mut() {
        parameters.remove(PAIRING);
    }
    let exposures = used.iter().map(|s| TaskInput { role: if s.exposure.reduced { "main" } else { "sky" }.into(), ..s.input.clone() });
    let calibrations = task.inputs.iter().filter(|i| !i.role.is_main() && i.role != EXPOSURES).cloned();
    own.inputs = exposures.chain(calibrations).collect();
    own
}

/// Writes the table beside the products: for a person, and for the recipe if it has to be told.
fn write_tables(task: &Task, pairing: &Pairing, used: &[&Seen<'_>], for_recipe: bool) -> Result<Vec<SideFile>, RecipeError> {
    let (Some(first), Some(eso_path)) = (task.outputs.first(), eso_table_path(task)) else { return Ok(Vec::new()) };
    if let Some(parent) = first.path.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|e| RecipeError::new(format!("cannot create {}: {e}", parent.display()), "choose another --output DIR"))?;
    }
    let path = first.path.with_extension("pairing.txt");
    write_text(&path, &text::write(pairing))?;
    let mut written = vec![SideFile { what: "objects and skies".into(), path }];
    if !for_recipe {
        // That of an earlier run.
        let _ = std::fs::remove_file(&eso_path);
        return Ok(written);
    }
    let paths = used.iter().map(|s| std::path::absolute(&s.input.path).unwrap_or_else(|_| s.input.path.clone())).collect::<Vec<_>>();
    let files: Vec<(&Exposure, &Path)> = used.iter().zip(&paths).map(|(s, p)| (&s.exposure, p.as_path())).collect();
    write_text(&eso_path, &eso::table(pairing, &files))?;
    written.push(SideFile { what: format!("objects and skies, as {NAME} reads them"), path: eso_path });
    Ok(written)
}

/// The cubes that should come out: of each object with sky, or of all if none is subtracted.
fn wanted(seen: &[Seen<'_>], pairing: &Pairing, no_subtraction: bool) -> Vec<Wanted> {
    let mut arms: BTreeMap<&str, Vec<(u8, String)>> = BTreeMap::new();
    for row in pairing.targets().filter(|r| r.sky.is_some() || no_subtraction) {
        arms.entry(&row.frame).or_default().push((row.arm, row.target.clone()));
    }
    let of = |(frame, arms): (&str, Vec<(u8, String)>)| {
        let header = seen.iter().find(|s| s.exposure.name == frame).map(|s| &s.header);
        let date = header.and_then(|h| h.text("DATE-OBS").ok()).unwrap_or_default().to_owned();
        Wanted { frame: frame.to_owned(), date, arms }
    };
    arms.into_iter().map(of).collect()
}

/// Checks the cubes of the exposures and of the targets.
fn checked(products: &[Product], wanted: &[Wanted], seen: &[Seen<'_>]) -> Result<cubes::Found, RecipeError> {
    let mut found = cubes::of_exposures(products, "SCI_RECONSTRUCTED", wanted)?;
    // Templates that map a field combine all arms to one cube.
    let maps = seen.iter().any(|s| s.exposure.reduced && s.header.text("ESO TPL ID").is_ok_and(|id| id.contains("mapping")));
    if maps {
        return Ok(found);
    }
    let nameless = wanted.iter().flat_map(|w| &w.arms).filter(|(_, name)| name.is_empty()).count();
    if nameless > 0 {
        found.1.push(format!("{nameless} cubes are of arms without a name: exposures are combined by names, so these may be left out"));
    }
    let targets: BTreeSet<String> = wanted.iter().flat_map(|w| &w.arms).map(|(_, name)| name.clone()).filter(|n| !n.is_empty()).collect();
    let (numbers, notes) = cubes::combined(products, "SCI_COMBINED", &targets)?;
    let known: Vec<String> = found.0.iter().map(|q| q.name.clone()).collect();
    for mut number in numbers {
        if known.contains(&number.name) {
            number.name = number.name.replacen("CUBES", "COMBINED CUBES", 1);
        }
        found.0.push(number);
    }
    found.1.extend(notes);
    Ok(found)
}
