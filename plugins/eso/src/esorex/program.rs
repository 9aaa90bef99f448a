//! The program esorex: where it is, which version, which recipes it knows.
//!
//! It is asked once per process. The environment variable `IFURED_ESOREX` names another than the one that is first in `PATH`.
//!
//! What a user has set for his own work with esorex must not change a product: `~/.esorex/esorex.rc` and `~/.esorex/RECIPE.rc` hold
//! defaults that nobody sees, and so do the variables `ESOREX_*`. So esorex gets an environment of its own, with a home directory that is
//! empty. Two things stay: the search paths of programs and libraries, and `ESOREX_PLUGIN_DIR`, which says where the recipes are
//! installed. (A user's `esorex.rc` also hides that of the system with its `recipe-dir`; then no recipe is found at all.)

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use ifured_core::RecipeError;
use ifured_core::words::closest;
use serde_json::{Map, json};

use super::parameters::{self, Parameter, RecipeParameters};

/// Environment variable that names the program.
pub const VARIABLE: &str = "IFURED_ESOREX";

/// How to get it.
const INSTALL: &str = "on Debian and Ubuntu `apt install esorex` and the pipeline (`cpl-plugin-muse` for MUSE; there is none for KMOS: \
                       use ESO's kit, https://www.eso.org/sci/software/pipelines), or name the program in IFURED_ESOREX";

/// Variables of the environment that esorex gets from us.
fn is_kept(name: &str) -> bool {
    name == "PATH" || name == "ESOREX_PLUGIN_DIR" || name.starts_with("LD_") || name.starts_with("DYLD_")
}

/// An installed esorex.
#[derive(Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version: `3.13.6`.
    pub version: String,
    /// The recipes it knows, in the order of their names.
    pub recipes: Vec<String>,
    installed: Mutex<HashMap<String, Arc<InstalledRecipe>>>,
}

/// A recipe that esorex knows.
#[derive(Clone, Debug, PartialEq)]
pub struct InstalledRecipe {
    /// Its name: `muse_bias`.
    pub name: String,
    /// Its version: `2.8.7`.
    pub version: String,
    /// Its parameters in its own order.
    pub parameters: Vec<Parameter>,
}

impl Program {
    /// The esorex of this process.
    ///
    /// # Errors
    /// If there is none, with how to get it; if it does not answer.
    pub fn find() -> Result<&'static Program, RecipeError> {
        static FOUND: OnceLock<Result<Program, RecipeError>> = OnceLock::new();
        let found = FOUND.get_or_init(|| Program::at(&path(std::env::var_os(VARIABLE), std::env::var_os("PATH"))?));
        found.as_ref().map_err(Clone::clone)
    }

    /// Why there is no esorex, and how to get it; none if there is one. The program is not asked.
    pub fn missing() -> Option<String> {
        let error = path(std::env::var_os(VARIABLE), std::env::var_os("PATH")).err()?;
        Some(format!("{}; {}", error.what, error.advice))
    }

    /// The esorex in that file.
    ///
    /// # Errors
    /// If it cannot be run, or does not say which version it is.
    pub fn at(path: &Path) -> Result<Program, RecipeError> {
        let answer = ask(path, &["--recipes"])?;
        let version = version_of(&answer).ok_or_else(|| {
            let what = format!("{} does not say which version of esorex it is", path.display());
            RecipeError::new(what, format!("run `{} --version`; {INSTALL}", path.display()))
        })?;
        Ok(Program { path: path.to_owned(), version, recipes: recipe_names(&answer), installed: Mutex::default() })
    }

    /// Version and parameters of a recipe; asked once.
    ///
    /// # Errors
    /// If it is not installed, with the nearest that is.
    pub fn recipe(&self, name: &str) -> Result<Arc<InstalledRecipe>, RecipeError> {
        let known = || self.installed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(recipe) = known().get(name) {
            return Ok(recipe.clone());
        }
        if !self.recipes.iter().any(|r| r == name) {
            let near = closest(name, self.recipes.iter().map(String::as_str)).map(|r| format!(" (there is {r})")).unwrap_or_default();
            let what = format!("{} {} knows no recipe {name}{near}", self.path.display(), self.version);
            return Err(RecipeError::new(
                what,
                format!("install its pipeline: {INSTALL}; ESOREX_PLUGIN_DIR says where recipes are looked for"),
            ));
        }
        let version = release_of(&ask(&self.path, &["--man-page", name])?).unwrap_or_default();
        let recipe = Arc::new(InstalledRecipe { name: name.into(), version, parameters: self.ask_parameters(name)? });
        known().insert(name.into(), recipe.clone());
        Ok(recipe)
    }

    fn ask_parameters(&self, recipe: &str) -> Result<Vec<Parameter>, RecipeError> {
        let failed = |what: String| {
            let what = format!("{} {} does not tell the parameters of {recipe}: {what}", self.path.display(), self.version);
            RecipeError::new(what, "esorex 3.13 or newer is needed")
        };
        let directory = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
        let file = directory.path().join("parameters.json");
        let answer = ask(&self.path, &[&format!("--create-config={}", file.display()), recipe])?;
        let text = std::fs::read_to_string(&file).map_err(|_| failed(answer.trim().lines().last().unwrap_or_default().to_owned()))?;
        parameters::parse(&text).map_err(failed)
    }

    /// The parameters of these recipes, as a file for a plugin to ship.
    ///
    /// # Errors
    /// If one of them is not installed.
    pub fn parameters(&self, pipeline: &str, recipes: &[&str]) -> Result<RecipeParameters, RecipeError> {
        let mut all = Map::new();
        let mut version = String::new();
        for name in recipes {
            let recipe = self.recipe(name)?;
            version.clone_from(&recipe.version);
            all.insert((*name).to_owned(), json!(recipe.parameters));
        }
        let source = format!("esorex {} --create-config=FILE.json RECIPE", self.version);
        Ok(RecipeParameters { pipeline: pipeline.into(), version, source, recipes: all })
    }

    /// A call of the program in its own environment; `home` stands in for the home directory.
    pub fn command(&self, home: &Path) -> Command {
        command(&self.path, home)
    }
}

/// Version of the installed pipeline that a recipe is of; none if there is no esorex, or it does not know the recipe. The recipes of a pipeline are
/// installed together: one of them is asked, once per process.
pub fn installed_version(recipe: &str) -> Option<String> {
    static KNOWN: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());
    let program = path(std::env::var_os(VARIABLE), std::env::var_os("PATH")).ok()?;
    let pipeline = recipe.split('_').next().unwrap_or(recipe).to_owned();
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.entry(pipeline).or_insert_with(|| version_of_pipeline(&program, recipe)).clone()
}

/// As [`installed_version`], of that program.
pub fn version_of_pipeline(program: &Path, recipe: &str) -> Option<String> {
    release_of(&ask(program, &["--man-page", recipe]).ok()?)
}

/// Where the program is, from the two variables.
fn path(named: Option<OsString>, search: Option<OsString>) -> Result<PathBuf, RecipeError> {
    if let Some(named) = named.filter(|n| !n.is_empty()) {
        let path = PathBuf::from(named);
        let missing = || RecipeError::new(format!("{VARIABLE} names {}, which is no file", path.display()), "correct or unset it");
        return if path.is_file() { Ok(path) } else { Err(missing()) };
    }
    let search = search.unwrap_or_default();
    let there = std::env::split_paths(&search).map(|d| d.join("esorex")).find(|p| p.is_file());
    there.ok_or_else(|| RecipeError::new("this recipe is run by esorex, which is not installed (not in PATH)", INSTALL))
}

fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
    // Numbers with a decimal point, and messages in English, wherever the user is.
    command.env("HOME", home).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// What it prints, standard error included.
fn ask(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<String, RecipeError> {
    let failed = |e: std::io::Error| {
        RecipeError::new(format!("cannot run {}: {e}", program.display()), format!("see whether it is a program; {INSTALL}"))
    };
    let home = tempfile::tempdir().map_err(failed)?;
    let log = [OsString::from("--log-dir"), home.path().into()].join(OsStr::new("="));
    let output = command(program, home.path()).current_dir(home.path()).arg(log).args(arguments).output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// `… Tool, version 3.13.6  …`
fn version_of(answer: &str) -> Option<String> {
    let (_, rest) = answer.split_once("version")?;
    rest.split_whitespace().next().map(|v| v.trim_end_matches([',', '*']).to_owned())
}

/// `muse_bias -- version 2.8.7`
fn release_of(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("-- version")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Lines of two blanks, a name, a colon; text that goes on is further to the right.
fn recipe_names(answer: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        let (name, _) = line.split_once(':')?;
        Some(name.trim().to_owned()).filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    let mut names: Vec<String> = answer.lines().filter_map(name).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_versions_are_read() {
        let answer = "\n     ***** ESO Recipe Execution Tool, version 3.13.6  *****\n\nList of Available Recipes :\n\n  muse_scipost_raman    : \
                      Remove of: light\n                          emission.\n  muse_scipost_make_cube: Make a cube.\n  muse_bias             : B\n";
        assert_eq!(recipe_names(answer), ["muse_bias", "muse_scipost_make_cube", "muse_scipost_raman"]);
        assert_eq!(version_of(answer).as_deref(), Some("3.13.6"));
        assert_eq!(release_of("RELEASE\n  muse_bias -- version 2.8.7\n").as_deref(), Some("2.8.7"));
    }

    #[test]
    fn a_program_that_is_not_there_says_how_to_get_it() {
        let directory = tempfile::tempdir().unwrap();
        let none = path(None, Some(directory.path().into())).unwrap_err();
        assert!(none.advice.contains("apt install esorex") && none.advice.contains("cpl-plugin-muse") && none.advice.contains("KMOS"));
        assert!(path(Some("/nowhere/esorex".into()), None).unwrap_err().what.contains("/nowhere/esorex"));
        std::fs::write(directory.path().join("esorex"), "").unwrap();
        assert_eq!(path(Some("".into()), Some(directory.path().into())), Ok(directory.path().join("esorex")));
        assert!(Program::at(&directory.path().join("esorex")).unwrap_err().what.contains("cannot run"));
    }
}
