//! One recipe by hand: a task made from files that were named, without catalogue or plan.

use std::path::{Path, PathBuf};

use ifured_core::lookup::TAG;
use ifured_core::recipe::{Choice, FrameSize, InputSpec, Level, MissingInput, RecipeDescription, TaskInput, TaskOutput};
use ifured_core::rule::Verdict;
use ifured_core::{Card, Condition, Config, Header, InstrumentDescription, Role, Rule, Tag, Task, TaskId, rule};
use ifured_pixels::fits;

use crate::classify;
use crate::error::{Error, Result};
use crate::files::stem;
use crate::plan;
use crate::standing::content_hash;

/// Role of the frames that a recipe is about.
pub const MAIN: &str = Role::MAIN;

/// A frame that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its role: [`MAIN`], or that of an input.
    pub role: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its tag, where that was said; else its header says it.
    pub tag: Option<Tag>,
}

/// A task of one recipe on the frames that were named, and what a person should know of these. `extension` is the one that it is about, for recipes
/// that go by extensions; without it they take all. Products go into `output`, flat.
pub fn task(
    instrument: &InstrumentDescription,
    recipe: &RecipeDescription,
    config: &Config,
    named: &[Named],
    extension: Option<&str>,
    output: &Path,
) -> Result<(Task, Vec<String>)> {
    if !named.iter().any(|n| n.role == MAIN) {
        let tags: Vec<&str> = recipe.main.tags.iter().map(Tag::as_str).collect();
        return Err(Error::usage(
            format!("no frames for {}: it is about {}", recipe.name, tags.join(" or ")),
            "name the frames: ifured recipe run NAME FRAME..., or give them in a set: --sof FILE",
        ));
    }
    let roles: Vec<String> = recipe.inputs.iter().map(|i| i.role.to_string()).collect();
    if let Some(Named { role, .. }) = named.iter().find(|n| n.role != MAIN && !roles.contains(&n.role)) {
        return Err(Error::usage(
            format!("recipe {} has no input `{role}`{}", recipe.name, classify::nearest(role, &roles)),
            format!("`ifured recipe show {}` lists its inputs", recipe.name),
        ));
    }
    let extension = checked_extension(recipe, extension)?;
    let mut notes = Vec::new();
    let mut one = |n: &Named| input(instrument, recipe, n, &mut notes);
    let mut task_inputs = named.iter().filter(|n| n.role == MAIN).map(&mut one).collect::<Result<Vec<_>>>()?;
    // In the order of time, as a plan has them: the same frames give the same product.
    task_inputs.sort_by(|a, b| a.mjd.unwrap_or(f64::INFINITY).total_cmp(&b.mjd.unwrap_or(f64::INFINITY)).then_with(|| a.name.cmp(&b.name)));
    task_inputs.iter_mut().for_each(|i| i.adapt.clone_from(&recipe.main.adapt));
    let frames = task_inputs.len();
    let first = task_inputs[0].path.clone();
    let first = first.as_path();
    for other in named.iter().filter(|n| n.role != MAIN) {
        let mut given = one(other)?;
        given.adapt = recipe.inputs.iter().find(|s| s.role == other.role.as_str()).and_then(|spec| adapt(spec, &given.tag));
        task_inputs.push(given);
    }
    // An input may ask for one of the main frames, to be sure that there is one of its kind.
    let of_main = |spec: &InputSpec| task_inputs[..frames].iter().find(|i| spec.required && spec.tags.contains(&i.tag)).cloned();
    let given = |role: &str| named.iter().any(|n| n.role == role);
    let kinds: Vec<TaskInput> = recipe
        .inputs
        .iter()
        .filter(|s| !given(s.role.as_str()))
        .filter_map(|s| Some(TaskInput { role: s.role.clone(), ..of_main(s)? }))
        .collect();
    task_inputs.extend(kinds);
    let engine = crate::config::engines(recipe, &instrument.name, config).first().copied();
    let engine = engine.ok_or_else(|| Error::Inconsistent(format!("recipe {} has no engine", recipe.name)))?;
    let mut parameters = crate::config::parameters(recipe, engine, config)?;
    let files = crate::file_parameters::take(recipe, engine, &mut parameters);
    task_inputs.extend(files.map_err(|why| Error::usage(why.to_string(), "give the file with --set recipes.RECIPE.PARAMETER=FILE"))?);
    let needed = |s: &InputSpec| s.required || recipe.requirements.iter().any(|r| r.role == s.role && r.holds(&parameters));
    let absent = recipe.inputs.iter().filter(|s| !task_inputs.iter().any(|i| i.role == s.role));
    let (required, absent): (Vec<&InputSpec>, Vec<&InputSpec>) = absent.partition(|s| needed(s));
    if let Some(first) = required.first() {
        let tags = |s: &InputSpec| s.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(" or ");
        let all: Vec<String> = required.iter().map(|s| format!("a {} ({})", s.role, tags(s))).collect();
        return Err(Error::usage(
            format!("recipe {} needs {}", recipe.name, all.join(", ")),
            format!("give it with --input {}=FILE, or in a line `FILE {}` of the set of frames", first.role, first.tags[0]),
        ));
    }
    let not_given =
        |spec: &InputSpec| MissingInput { role: spec.role.clone(), otherwise: spec.otherwise.clone(), level: spec.level_without };
    let missing: Vec<MissingInput> = absent.into_iter().map(not_given).collect();
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
                .replace("{extension}", &extension.map_or_else(String::new, |e| format!("-{e}")))
                .replace("{tag}", task_inputs[0].tag.as_str());
            TaskOutput { tag: p.tag.clone(), path: output.join(&name), name, format: p.format }
        })
        .collect();
    let axes = (1..=header.integer("NAXIS").unwrap_or(0)).filter_map(|n| usize::try_from(header.integer(&format!("NAXIS{n}")).ok()?).ok());
    let size = FrameSize::of_axes(&axes.collect::<Vec<_>>(), std::fs::metadata(first).map_or(0, |m| m.len()));
    let mut task = Task {
        id: TaskId::default(),
        instrument: instrument.name.clone(),
        plugin: instrument.library.as_ref().map(|l| l.hash.clone()),
        recipe: recipe.name.clone(),
        recipe_version: engine.version,
        engine: engine.name.clone(),
        external: engine.external.as_ref().map(ToString::to_string),
        parameters,
        night: first.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        signature: recipe.products.first().map(|p| p.signature.extract(&header).to_string()).unwrap_or_default(),
        extension: extension.map(str::to_owned),
        inputs: task_inputs,
        outputs,
        level: missing.iter().map(|m| m.level).max().unwrap_or(0),
        missing,
        memory: engine.memory.bytes(size, frames),
    };
    task.id = plan::identity(&task);
    Ok((task, notes))
}

/// The extension that a task is about, if its recipe goes by extensions.
fn checked_extension<'a>(recipe: &RecipeDescription, extension: Option<&'a str>) -> Result<Option<&'a str>> {
    let wrong =
        |what: &str, e: &str| Error::usage(format!("--extension {e}: {} {what}", recipe.name), "leave --extension away, or correct it");
    match (extension, &recipe.main.each_extension) {
        (Some(e), None) => Err(wrong("takes whole frames", e)),
        (Some(e), Some(pattern)) if !rule::like(pattern, e) => Err(wrong(&format!("goes by extensions like {pattern}"), e)),
        _ => Ok(extension),
    }
}

/// How an input of a tag is adapted, where that depends on the tag alone.
fn adapt(spec: &InputSpec, tag: &Tag) -> Option<String> {
    let tagged: Header = std::iter::once(Card::new(TAG, tag.as_str(), "")).collect();
    let of_tag = |c: &&Condition| c.key == TAG;
    let fits = |l: &&Level| l.when.iter().any(|c| of_tag(&c)) && l.when.iter().filter(of_tag).all(|c| c.check(&tagged) == Verdict::Holds);
    spec.levels.iter().find(fits).and_then(|l| l.adapt.clone())
}

fn input(instrument: &InstrumentDescription, recipe: &RecipeDescription, named: &Named, notes: &mut Vec<String>) -> Result<TaskInput> {
    let Named { role, path, tag } = named;
    let mut header = fits::primary_header(path).map_err(|e| Error::usage(e.to_string(), "check the file"))?;
    let mjd = crate::time::modified_julian_date(&header, &instrument.time).mjd;
    let rules: Vec<Rule> = instrument.frame_types.iter().map(|t| t.rule.clone()).collect();
    let (seen, corrections) = match header.text("IFURED TAG") {
        Ok(tag) => (Tag::new(tag), Vec::new()),
        Err(_) => {
            let named = instrument.name_known_objects(&mut header, mjd);
            (rule::classify(&rules, &header).tag, named)
        }
    };
    if let Some(tag) = tag {
        // A tag that serves as well is no contradiction.
        let serves = |t: &Tag| recipe.inputs.iter().any(|i| i.role == role.as_str() && i.tags.contains(t));
        let known = instrument.frame_types.iter().any(|t| t.rule.tag == seen);
        if *tag != seen && known && !serves(&seen) {
            notes.push(format!("{} is a {seen} by its header, and goes in as a {tag}", path.display()));
        }
    }
    Ok(TaskInput {
        role: role.as_str().into(),
        tag: tag.clone().unwrap_or(seen),
        path: std::path::absolute(path).map_err(Error::io("cannot find", path))?,
        name: path.file_name().map(ifured_core::path::shown).unwrap_or_default(),
        identity: content_hash(path)?,
        level: 0,
        adapt: None,
        choice: Choice::ByHand,
        corrections,
        mjd,
    })
}
