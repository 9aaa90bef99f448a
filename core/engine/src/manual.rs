//! One recipe by hand: a task made from files that were named, without catalogue or plan.

use std::path::{Path, PathBuf};

use ifured_core::lookup::TAG;
use ifured_core::recipe::{InputSpec, Level, MissingInput, RecipeDescription, TaskInput, TaskOutput};
use ifured_core::rule::Verdict;
use ifured_core::{Card, Condition, Config, Header, InstrumentDescription, Lookup, Rule, Tag, Task, rule};
use ifured_pixels::fits;

use crate::classify;
use crate::error::{Error, Result};
use crate::files::stem;
use crate::standing::content_hash;

/// A task of one recipe on the frames that were named. `inputs` are pairs of role and file. Products go into `output`, flat.
pub fn task(
    instrument: &InstrumentDescription,
    recipe: &RecipeDescription,
    config: &Config,
    main: &[PathBuf],
    inputs: &[(String, PathBuf)],
    output: &Path,
) -> Result<Task> {
    if main.is_empty() {
        return Err(Error::usage(format!("no frames for {}", recipe.name), "name the frames: ifured recipe run NAME FRAME..."));
    }
    let roles: Vec<String> = recipe.inputs.iter().map(|i| i.role.clone()).collect();
    if let Some((role, _)) = inputs.iter().find(|(r, _)| !roles.contains(r)) {
        return Err(Error::usage(
            format!("recipe {} has no input `{role}`{}", recipe.name, classify::nearest(role, &roles)),
            format!("`ifured recipe show {}` lists its inputs", recipe.name),
        ));
    }
    let mut task_inputs = Vec::new();
    for path in main {
        task_inputs.push(input(instrument, "main", path)?);
    }
    // In the order of time, as a plan has them: the same frames give the same product.
    task_inputs.sort_by(|a, b| a.mjd.unwrap_or(f64::INFINITY).total_cmp(&b.mjd.unwrap_or(f64::INFINITY)).then_with(|| a.name.cmp(&b.name)));
    let first = task_inputs[0].path.clone();
    let first = first.as_path();
    for (role, path) in inputs {
        let mut given = input(instrument, role, path)?;
        given.adapt = recipe.inputs.iter().find(|s| s.role == *role).and_then(|spec| adapt(spec, &given.tag));
        task_inputs.push(given);
    }
    let mut parameters = crate::config::parameters(recipe, config)?;
    let files = crate::file_parameters::take(recipe, &mut parameters);
    task_inputs.extend(files.map_err(|why| Error::usage(why, "give the file with --set recipes.RECIPE.PARAMETER=FILE"))?);
    let mut missing = Vec::new();
    for spec in recipe.inputs.iter().filter(|s| !inputs.iter().any(|(r, _)| *r == s.role)) {
        if spec.required {
            return Err(Error::usage(
                format!("recipe {} needs a {}", recipe.name, spec.role),
                format!("give one with --input {}=FILE", spec.role),
            ));
        }
        missing.push(MissingInput {
            role: spec.role.clone(),
            otherwise: spec.otherwise.clone(),
            level: spec.level_without,
            why: "not given".into(),
        });
    }
    let header = fits::primary_header(first).map_err(|e| Error::usage(e.to_string(), "check the file"))?;
    let stem = stem(&first.to_string_lossy());
    let outputs = recipe
        .products
        .iter()
        .map(|p| {
            let pattern = p.path.rsplit('/').next().unwrap_or(&p.path);
            let name = pattern
                .replace("{stem}", &stem)
                .replace("{night}", "")
                .replace("{extension}", "")
                .replace("{tag}", task_inputs[0].tag.as_str());
            TaskOutput { tag: p.tag.clone(), path: output.join(&name), name }
        })
        .collect();
    let pixels =
        header.lookup("NAXIS1").and_then(|v| v.as_real()).unwrap_or(0.0) * header.lookup("NAXIS2").and_then(|v| v.as_real()).unwrap_or(0.0);
    let mut task = Task {
        id: String::new(),
        instrument: instrument.name.clone(),
        plugin: instrument.library.as_ref().map(|l| l.hash.clone()),
        recipe: recipe.name.clone(),
        recipe_version: recipe.version,
        parameters,
        night: first.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        signature: recipe.products.first().map(|p| p.signature.extract(&header).to_string()).unwrap_or_default(),
        extension: None,
        inputs: task_inputs,
        outputs,
        level: missing.iter().map(|m| m.level).max().unwrap_or(0),
        missing,
        memory: recipe.memory.bytes(pixels, main.len()),
    };
    task.id = crate::plan::identity(&task);
    Ok(task)
}

/// How an input of a tag is adapted, where that depends on the tag alone.
fn adapt(spec: &InputSpec, tag: &Tag) -> Option<String> {
    let tagged: Header = std::iter::once(Card::new(TAG, tag.as_str(), "")).collect();
    let of_tag = |c: &&Condition| c.key == TAG;
    let fits = |l: &&Level| l.when.iter().any(|c| of_tag(&c)) && l.when.iter().filter(of_tag).all(|c| c.check(&tagged) == Verdict::Holds);
    spec.levels.iter().find(fits).and_then(|l| l.adapt.clone())
}

fn input(instrument: &InstrumentDescription, role: &str, path: &Path) -> Result<TaskInput> {
    let mut header = fits::primary_header(path).map_err(|e| Error::usage(e.to_string(), "check the file"))?;
    let mjd = crate::time::modified_julian_date(&header, &instrument.time).0;
    let rules: Vec<Rule> = instrument.frame_types.iter().map(|t| t.rule.clone()).collect();
    let (tag, corrections) = match header.text("IFURED TAG") {
        Ok(tag) => (Tag::new(tag), Vec::new()),
        Err(_) => {
            let named = instrument.name_known_objects(&mut header, mjd);
            (rule::classify(&rules, &header).tag, named)
        }
    };
    Ok(TaskInput {
        role: role.to_owned(),
        tag,
        path: std::path::absolute(path).map_err(Error::io("cannot find", path))?,
        name: path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        identity: content_hash(path)?,
        level: 0,
        adapt: None,
        why: "given by hand".into(),
        corrections,
        mjd,
    })
}
