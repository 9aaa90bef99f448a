//! Sets of frames (`.sof`) as files: read for one recipe, written for each task of a plan.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ifured_core::recipe::RecipeDescription;
use ifured_core::sof::{SofEntry, SofProblem, as_error, other_tag, parse, text};
use ifured_core::{InstrumentDescription, Tag, Task};

use crate::error::{Error, Result};
use crate::files::{stem, write_atomically};
use crate::manual::{MAIN, Named};
use crate::plan::{Plan, PlannedTask};

/// How the sets of frames begin that are written here.
const MARK: &str = "# ifured: ";

/// The frames of a set, each with its role in the recipe: a main frame, or the input that its tag serves.
///
/// A relative path is seen from the working directory, as esorex sees it, or else from the directory of the `.sof`.
///
/// # Errors
/// All that is wrong with the set, each with its line: see [`parse`]; a tag is wrong if the recipe takes no frame of it. Or that the file cannot be
/// read, or has no frames.
pub fn read(sof: &Path, recipe: &RecipeDescription) -> Result<Vec<Named>> {
    let wrong = |problems: &[SofProblem]| {
        let error = as_error(problems);
        Error::usage(error.what, format!("{}; `ifured recipe show {}` lists its tags", error.advice, recipe.name))
    };
    let whole = |what: String| wrong(&[SofProblem { sof: sof.to_owned(), line: 0, what }]);
    let content = std::fs::read_to_string(sof).map_err(|e| whole(format!("cannot read it: {e}")))?;
    let as_main = other_tag(recipe.main.adapt.as_deref());
    let tags = recipe.main.tags.iter().chain(recipe.inputs.iter().flat_map(|i| &i.tags)).map(|t| t.as_str());
    let allowed: Vec<&str> = tags.chain(as_main).collect();
    let beside = sof.parent().unwrap_or(Path::new(""));
    let place = |path: &Path| {
        let there = [path.to_owned(), beside.join(path)].into_iter().find(|p| p.is_file());
        there.ok_or_else(|| format!("there is no file {}", path.display()))
    };
    let entries = parse(sof, &content, &allowed, place, |name| std::env::var(name).ok()).map_err(|problems| wrong(&problems))?;
    if entries.is_empty() {
        return Err(whole("there are no frames in it".into()));
    }
    let named = |entry: SofEntry| {
        let input = recipe.inputs.iter().find(|i| i.tags.iter().any(|t| t.as_str() == entry.tag));
        let own = recipe.main.tags.iter().find(|t| t.as_str() == entry.tag);
        // A main frame under the tag that the recipe of the other program knows has the tag of a main frame here.
        let main = own.or(recipe.main.tags.first().filter(|_| as_main == Some(&entry.tag))).cloned();
        let role = input.filter(|_| main.is_none()).map_or(MAIN, |i| i.role.as_str());
        Named { role: role.to_owned(), path: entry.path, tag: Some(main.unwrap_or_else(|| Tag::new(entry.tag))) }
    };
    Ok(entries.into_iter().map(named).collect())
}

/// Writes a set of frames for each task of a plan into a directory: main frames in the order of time, then calibrations. What is not made yet has
/// the path that it will have. The number at the beginning of a name is the place in the plan, in which each task has what it needs. Sets that an
/// earlier plan left there are removed.
///
/// # Errors
/// If a path cannot stand in a set of frames, or a file of another origin has the name of one.
pub fn write(plan: &Plan, instrument: &InstrumentDescription, directory: &Path) -> Result<Vec<PathBuf>> {
    let names: Vec<String> = plan.tasks().enumerate().map(|(n, t)| file_name(n + 1, &t.task)).collect();
    let mut texts = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let before: Vec<&str> = plan.needs(place).iter().map(|&maker| names[maker].as_str()).collect();
        texts.push((directory.join(name), set_of(plan.at(place), instrument, &before)?));
    }
    std::fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
    for old in ours(directory) {
        std::fs::remove_file(&old).map_err(Error::io("cannot remove", &old))?;
    }
    if let Some((path, _)) = texts.iter().find(|(path, _)| path.exists()) {
        return Err(Error::usage(format!("{} is there, and not of ifured", path.display()), "name another directory"));
    }
    for (path, text) in &texts {
        write_atomically(path, text.as_bytes())?;
    }
    Ok(texts.into_iter().map(|(path, _)| path).collect())
}

fn file_name(place: usize, task: &Task) -> String {
    let extension = task.extension.as_ref().map_or_else(String::new, |e| format!("-{e}"));
    let first = task.main().next().map_or_else(String::new, |m| format!("-{}", stem(&m.name)));
    format!("{place:04}-{}{extension}{first}.sof", task.recipe).replace(['/', ' '], "_")
}

/// The sets of frames of an earlier plan.
fn ours(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path());
    let is_ours = |p: &PathBuf| p.extension().is_some_and(|e| e == "sof") && std::fs::read(p).is_ok_and(|b| b.starts_with(MARK.as_bytes()));
    entries.filter(is_ours).collect()
}

/// A task as a set of frames, with comments about what else it is.
fn set_of(planned: &PlannedTask, instrument: &InstrumentDescription, before: &[&str]) -> Result<String> {
    let task = &planned.task;
    let mut head = String::new();
    let mut say = |line: String| {
        let _ = writeln!(head, "# {}", line.replace('\n', " "));
    };
    let extension = task.extension.as_ref().map_or_else(String::new, |e| format!(", extension {e}"));
    say(format!("{}{}{extension}", MARK.trim_start_matches("# "), task.recipe));
    let parameters: Vec<String> = task
        .parameters
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect();
    if !parameters.is_empty() {
        say(format!("parameters: {}", parameters.join(" ")));
    }
    for before in before {
        say(format!("after {before}"));
    }
    for missing in &task.missing {
        say(format!("no {}: {}", missing.role, missing.otherwise));
    }
    let main_tags = instrument.recipe(&task.recipe).map_or(&[][..], |r| &r.main.tags);
    let mut entries: Vec<SofEntry> = Vec::new();
    for input in &task.inputs {
        let Some(entry) = SofEntry::of_input(input) else {
            say(format!("{} = {}", input.role, input.path.display()));
            continue;
        };
        // As a further line of this tag it would be reduced, too.
        let main = input.role.is_main();
        if !main && main_tags.contains(&input.tag) && !task.main().any(|m| m.path == input.path) {
            say(format!("of {}, if needed: {} {}", input.role, entry.path.display(), entry.tag));
        } else if !entries.iter().any(|e| e.path == entry.path && (e.tag == entry.tag || !main)) {
            entries.push(entry);
        }
    }
    let frames = text(&entries).map_err(|e| Error::usage(e.what, e.advice))?;
    Ok(head + &frames)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ifured_core::Signature;
    use ifured_core::recipe::{InputSpec, MainInput, MissingInput, TaskInput, TaskOutput};
    use serde_json::json;

    use super::*;
    use crate::plan::product_identity;
    use crate::plan::reason::Lack;

    fn recipe() -> RecipeDescription {
        RecipeDescription {
            name: "muse_flat".into(),
            main: MainInput::groups(&["FLAT"], &Signature::default(), 24.0, 1),
            inputs: vec![InputSpec::required("bias", "MASTER_BIAS"), InputSpec::optional("dark", "MASTER_DARK", "none")],
            ..RecipeDescription::default()
        }
    }

    #[test]
    fn frames_get_the_roles_of_their_tags() {
        let directory = tempfile::tempdir().unwrap();
        let (sof, flat, bias) = (directory.path().join("a.sof"), directory.path().join("f.fits"), directory.path().join("b.fits"));
        for file in [&flat, &bias] {
            std::fs::write(file, "").unwrap();
        }
        // One beside the set of frames, in lines as another system ends them.
        std::fs::write(&sof, format!("f.fits FLAT\r\n{} MASTER_BIAS CALIB\r\n", bias.display())).unwrap();
        let named = |role: &str, path: &Path, tag: &str| Named { role: role.into(), path: path.into(), tag: Some(Tag::new(tag)) };
        assert_eq!(read(&sof, &recipe()).unwrap(), [named("main", &flat, "FLAT"), named("bias", &bias, "MASTER_BIAS")]);
    }

    #[test]
    fn all_that_is_wrong_is_a_wrong_call_with_lines() {
        let directory = tempfile::tempdir().unwrap();
        let sof = directory.path().join("a.sof");
        let error = |text: &[u8]| {
            std::fs::write(&sof, text).unwrap();
            let error = read(&sof, &recipe()).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        std::fs::write(directory.path().join("f.fits"), "").unwrap();
        let said = error(b"f.fits FALT\n\ngone.fits FLAT\nf.fits\nf.fits FLAT\nf.fits FLAT\n");
        for part in [
            ":1: no tag `FALT` is known here; is `FLAT` meant?",
            ":3: there is no file gone.fits",
            ":4: f.fits has no tag",
            ":6: ",
            "given twice",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(error(b"# nothing\n\n").contains("there are no frames in it"));
        assert!(error(b"f.fits \xff\n").contains("cannot read it"));
    }

    fn planned(id: &str, extension: Option<&str>, inputs: Vec<TaskInput>) -> Arc<PlannedTask> {
        let task = Task {
            id: id.into(),
            recipe: "muse_flat".into(),
            extension: extension.map(str::to_owned),
            parameters: json!({"samples": true, "combine": "sigclip"}),
            inputs,
            outputs: vec![TaskOutput { tag: "MASTER_BIAS".into(), name: "bias.fits".into(), ..TaskOutput::default() }],
            missing: vec![MissingInput { role: "dark".into(), otherwise: "none".into(), level: 0 }],
            ..Task::default()
        };
        let mut planned = PlannedTask::default();
        (planned.task, planned.lacks) = (task, vec![Lack::NotGiven]);
        Arc::new(planned)
    }

    fn input(role: &str, tag: &str, path: &str) -> TaskInput {
        let name = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
        TaskInput { role: role.into(), tag: tag.into(), path: path.into(), name, ..TaskInput::default() }
    }

    #[test]
    fn each_task_gets_a_set_that_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let instrument = InstrumentDescription { recipes: vec![recipe()], ..InstrumentDescription::default() };
        let inputs = || {
            vec![
                input("main", "FLAT", "/raw/b.fits"),
                input("main", "FLAT", "/raw/a.fits"),
                input("lamp", "FLAT", "/raw/a.fits"),
                input("others", "FLAT", "/raw/c.fits"),
                input("bias", "MASTER_BIAS", "/out/bias.fits"),
                input("table", "file", "/home/table.txt"),
            ]
        };
        let mut needing = inputs();
        needing[4].identity = product_identity(&"1".into(), &"MASTER_BIAS".into());
        let plan = Plan::new("test", vec![planned("1", None, inputs()), planned("2", Some("CHAN01"), needing)]);
        let files = write(&plan, &instrument, directory.path()).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["0001-muse_flat-b.sof", "0002-muse_flat-CHAN01-b.sof"]);
        let text = std::fs::read_to_string(&files[1]).unwrap();
        assert_eq!(
            text,
            "# ifured: muse_flat, extension CHAN01\n# parameters: samples=true combine=sigclip\n# after 0001-muse_flat-b.sof\n# no dark: none\n\
             # of others, if needed: /raw/c.fits FLAT\n# table = /home/table.txt\n\
             /raw/b.fits FLAT\n/raw/a.fits FLAT\n/out/bias.fits MASTER_BIAS\n"
        );
        // A smaller plan leaves nothing of the larger one; files of others stay.
        std::fs::write(directory.path().join("mine.sof"), "/raw/a.fits FLAT\n").unwrap();
        let smaller = Plan::new("test", vec![planned("1", None, inputs())]);
        write(&smaller, &instrument, directory.path()).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["0001-muse_flat-b.sof", "mine.sof"]);
        let mut with_blank = inputs();
        with_blank[0].path = "/raw data/b.fits".into();
        let plan = Plan::new("test", vec![planned("1", None, with_blank)]);
        assert_eq!(write(&plan, &instrument, directory.path()).unwrap_err().exit_code(), 2);
        assert!(directory.path().join("0001-muse_flat-b.sof").is_file());
    }
}
