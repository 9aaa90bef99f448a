//! The module object through which the host calls an instrument, whether it is built in or loaded.
//!
//! Few coarse calls, text (JSON) in and out, no type of the instrument ever crosses, and no panic either: a panic in a
//! plugin becomes an error with its message.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStringExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hint::Hints;
use crate::import::{ImportRequest, Imported};
use crate::instrument::{InstalledVersion, Instrument, InstrumentDescription, Library};
use crate::recipe::{AnyRecipe, Host, Outcome, ProductPath, RecipeError, Simulation, SimulationRequest, Task, TruthRow};

/// Version of this interface: a plugin made for another is refused. It changes with every change of [`ModuleTable`] or of what its
/// calls say.
pub const INTERFACE_VERSION: u32 = 4;

/// Name of the C symbol in which a plugin library says its [`INTERFACE_VERSION`]; read before anything else of it is touched.
pub const VERSION_SYMBOL: &str = "IFURED_INTERFACE_VERSION";

/// What a call answers: JSON, or an error as JSON.
pub type Answer = RResult<RString, RString>;

/// What a plugin hands to the host. Its calls are coarse: JSON in, JSON out.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = Module, prefix_fields = ModuleFields)))]
#[sabi(missing_field(panic))]
pub struct ModuleTable {
    /// Nothing in, [`InstrumentDescription`] out.
    pub describe: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
    /// [`Task`] in, [`Outcome`] out.
    pub run: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
    /// [`SimulationRequest`] in, [`Simulation`] out.
    pub simulate: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
    /// [`TruthRequest`] in, list of [`TruthRow`] out.
    pub compare_with_truth: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
    /// [`ImportRequest`] in, [`Imported`] out.
    pub import: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
    /// [`HintRequest`] in, [`Hints`] out.
    pub hints: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
    /// Nothing in, version of the program outside by recipe out ([`Instrument::installed_versions`]).
    #[sabi(last_prefix_field)]
    pub installed_versions: extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer,
}

impl RootModule for Module {
    abi_stable::declare_root_module_statics! {Module}
    const BASE_NAME: &'static str = "ifured_plugin";
    const NAME: &'static str = "ifured_plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}

/// A [`Host`] on its way into a plugin.
#[repr(C)]
#[derive(StableAbi)]
pub struct HostObject<'a> {
    context: NonNull<()>,
    progress: extern "C" fn(NonNull<()>, f64, RStr<'_>),
    threads: extern "C" fn(NonNull<()>) -> usize,
    seconds_left: extern "C" fn(NonNull<()>) -> ROption<f64>,
    memory: extern "C" fn(NonNull<()>) -> ROption<u64>,
    scratch: extern "C" fn(NonNull<()>) -> ROption<RVec<u8>>,
    lives: PhantomData<&'a ()>,
}

impl<'a> HostObject<'a> {
    /// The host behind a reference of known size.
    pub fn new(host: &'a &'a dyn Host) -> Self {
        extern "C" fn progress(context: NonNull<()>, fraction: f64, what: RStr<'_>) {
            host_of(context).progress(fraction, what.as_str());
        }
        extern "C" fn threads(context: NonNull<()>) -> usize {
            host_of(context).threads()
        }
        extern "C" fn seconds_left(context: NonNull<()>) -> ROption<f64> {
            host_of(context).time_left().map(|t| t.as_secs_f64()).into()
        }
        extern "C" fn memory(context: NonNull<()>) -> ROption<u64> {
            host_of(context).memory().into()
        }
        extern "C" fn scratch(context: NonNull<()>) -> ROption<RVec<u8>> {
            host_of(context).scratch().map(|path| path.into_os_string().into_vec().into()).into()
        }
        fn host_of<'h>(context: NonNull<()>) -> &'h dyn Host {
            // SAFETY: `new` made the context of a reference to a `&dyn Host`, which outlives the object.
            unsafe { *context.cast::<&'h dyn Host>().as_ref() }
        }
        HostObject { context: NonNull::from(host).cast(), progress, threads, seconds_left, memory, scratch, lives: PhantomData }
    }
}

// SAFETY: the context is a shared reference to a `Host`, which is `Sync`.
unsafe impl Sync for HostObject<'_> {}

impl Host for HostObject<'_> {
    fn progress(&self, fraction: f64, what: &str) {
        (self.progress)(self.context, fraction, what.into());
    }

    fn threads(&self) -> usize {
        (self.threads)(self.context)
    }

    fn time_left(&self) -> Option<Duration> {
        (self.seconds_left)(self.context).into_option().map(|s| Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX))
    }

    fn memory(&self) -> Option<u64> {
        (self.memory)(self.context).into_option()
    }

    fn scratch(&self) -> Option<PathBuf> {
        (self.scratch)(self.context).into_option().map(|bytes| OsString::from_vec(bytes.into_vec()).into())
    }
}

/// Products to be compared with the truth in a directory.
#[derive(Serialize, Deserialize)]
pub struct TruthRequest {
    /// Directory of the truth.
    #[serde(with = "crate::path")]
    pub truth: PathBuf,
    /// The products.
    pub products: Vec<ProductPath>,
}

/// A file that is asked what belongs together.
#[derive(Serialize, Deserialize)]
pub struct HintRequest {
    /// The file.
    #[serde(with = "crate::path")]
    pub file: PathBuf,
}

/// Reads the argument of a call, does it guarded against panics, writes the result. Used by [`export_instrument!`](crate::export_instrument).
pub fn guarded<A: DeserializeOwned, R: Serialize>(argument: RStr<'_>, work: impl FnOnce(A) -> Result<R, RecipeError>) -> Answer {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let argument = serde_json::from_str(argument.as_str()).map_err(|e| RecipeError::new(format!("argument of the call: {e}"), ""))?;
        let value = work(argument)?;
        serde_json::to_string(&value).map_err(|e| RecipeError::new(format!("result of the call: {e}"), ""))
    }));
    let result = result.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(RecipeError::new(
            format!("the plugin panicked: {}", message.unwrap_or_default()),
            "this is a fault of the plugin: report it to its author with the frames named above",
        ))
    });
    match result {
        Ok(text) => RResult::ROk(text.into()),
        Err(e) => RResult::RErr(serde_json::to_string(&e).unwrap_or(e.what).into()),
    }
}

/// A module with typed calls: how the host sees an instrument.
#[derive(Clone)]
pub struct LoadedInstrument {
    source: Source,
    description: InstrumentDescription,
}

/// Where the module is.
#[derive(Clone)]
enum Source {
    Here(Module),
    /// In a library that is loaded when it is wanted.
    Later(Arc<dyn Fn() -> Result<Module, RecipeError> + Send + Sync>),
}

impl LoadedInstrument {
    /// Asks a module for its description.
    pub fn new(module: Module) -> Result<Self, RecipeError> {
        let description: InstrumentDescription = call(module.describe(), &(), &crate::recipe::QuietHost)?;
        check(&description)?;
        Ok(LoadedInstrument { source: Source::Here(module), description })
    }

    /// An instrument whose description is known, and whose module is got when something is to be done with it.
    pub fn deferred(description: InstrumentDescription, module: impl Fn() -> Result<Module, RecipeError> + Send + Sync + 'static) -> Self {
        LoadedInstrument { source: Source::Later(Arc::new(module)), description }
    }

    /// The module.
    ///
    /// # Errors
    /// If its library cannot be loaded any more.
    pub fn module(&self) -> Result<Module, RecipeError> {
        match &self.source {
            Source::Here(module) => Ok(*module),
            Source::Later(load) => load(),
        }
    }

    /// The same, known to come from a library.
    pub fn of_library(mut self, library: Library) -> Self {
        self.description.library = Some(library);
        self
    }

    /// What the instrument says of itself.
    pub fn description(&self) -> &InstrumentDescription {
        &self.description
    }

    /// The description, with the versions of programs outside as they are installed now. Only recipes that have such a program cause a call.
    ///
    /// # Errors
    /// If the library of the instrument cannot be loaded any more.
    pub fn as_installed(&self) -> Result<InstrumentDescription, RecipeError> {
        let mut description = self.description.clone();
        if description.recipes.iter().flat_map(|r| &r.engines).all(|e| e.external.is_none()) {
            return Ok(description);
        }
        let versions: Vec<InstalledVersion> = call(self.module()?.installed_versions(), &(), &crate::recipe::QuietHost)?;
        for InstalledVersion { recipe, engine, version } in versions {
            let engines = description.recipes.iter_mut().filter(|r| r.name == recipe).flat_map(|r| &mut r.engines);
            for external in engines.filter(|e| e.name == engine).filter_map(|e| e.external.as_mut()) {
                external.version.clone_from(&version);
            }
        }
        Ok(description)
    }

    /// Runs a task.
    pub fn run(&self, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
        call(self.module()?.run(), task, host)
    }

    /// Simulates raw frames.
    pub fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
        call(self.module()?.simulate(), request, host)
    }

    /// Compares products with the truth.
    pub fn compare_with_truth(&self, request: &TruthRequest) -> Result<Vec<TruthRow>, RecipeError> {
        call(self.module()?.compare_with_truth(), request, &crate::recipe::QuietHost)
    }

    /// Asks what the configuration of another program means.
    pub fn import(&self, request: &ImportRequest) -> Result<Imported, RecipeError> {
        call(self.module()?.import(), request, &crate::recipe::QuietHost)
    }

    /// Asks what a file says of which frames belong together.
    pub fn hints(&self, file: &Path) -> Result<Hints, RecipeError> {
        call(self.module()?.hints(), &HintRequest { file: file.to_owned() }, &crate::recipe::QuietHost)
    }
}

type Call = extern "C" fn(RStr<'_>, &HostObject<'_>) -> Answer;

fn call<A: Serialize, R: DeserializeOwned>(call: Call, argument: &A, host: &dyn Host) -> Result<R, RecipeError> {
    let text = serde_json::to_string(argument).map_err(|e| RecipeError::new(format!("argument of the call: {e}"), ""))?;
    match call(text.as_str().into(), &HostObject::new(&host)) {
        RResult::ROk(result) => serde_json::from_str(&result).map_err(|e| RecipeError::new(format!("result of the call: {e}"), "")),
        RResult::RErr(error) => Err(serde_json::from_str(&error).unwrap_or(RecipeError::new(error.into_string(), ""))),
    }
}

/// Dispatches a task to the recipe and engine of its names. Used by [`export_instrument!`](crate::export_instrument).
pub fn run_task(instrument: &impl Instrument, task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
    let recipes = instrument.recipes()?;
    let is = |r: &dyn AnyRecipe| r.engine() == task.engine && r.description().name == task.recipe;
    let recipe = recipes.iter().find(|r| is(&***r)).ok_or_else(|| {
        let what = format!("{} has no recipe `{}` with engine `{}`", task.instrument, task.recipe, task.engine);
        RecipeError::new(what, "see `ifured recipe ls`")
    })?;
    recipe.execute(task, host)
}

/// Refuses an instrument whose description contradicts itself.
fn check(description: &InstrumentDescription) -> Result<(), RecipeError> {
    let problems = description.problems();
    if problems.is_empty() {
        return Ok(());
    }
    let what = format!("the description of {} is broken: {}", description.name, problems.join("; "));
    Err(RecipeError::new(what, "this is a fault of the plugin: report it to its author"))
}

/// The result of a simulation call. Used by [`export_instrument!`](crate::export_instrument).
pub fn simulate(instrument: &impl Instrument, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
    instrument.simulate(request, host)
}

/// The result of a comparison call. Used by [`export_instrument!`](crate::export_instrument).
pub fn compare_with_truth(instrument: &impl Instrument, request: &TruthRequest) -> Result<Vec<TruthRow>, RecipeError> {
    instrument.compare_with_truth(&request.truth, &request.products)
}

/// The result of an import call. Used by [`export_instrument!`](crate::export_instrument).
pub fn import(instrument: &impl Instrument, request: &ImportRequest) -> Result<Imported, RecipeError> {
    instrument.import(request)
}

/// The result of a call for hints. Used by [`export_instrument!`](crate::export_instrument).
pub fn hints(instrument: &impl Instrument, request: &HintRequest) -> Result<Hints, RecipeError> {
    instrument.hints(&request.file)
}

/// Makes a plugin of an instrument: `ifured_core::export_instrument!(MySpectrograph);`.
///
/// The argument is an expression that makes the instrument. What comes out is `pub fn module()`, and the symbols by which a library
/// of this crate is found to be a plugin. `export_instrument!(MySpectrograph, builtin)` makes `module()` alone, for instruments that are
/// linked into the program: symbols of one name cannot be there twice.
#[macro_export]
macro_rules! export_instrument {
    ($instrument:expr, builtin) => {
        /// The module object through which the host calls this instrument.
        pub fn module() -> $crate::Module {
            use $crate::instrument::Instrument as _;
            use $crate::module::abi::{PrefixTypeTrait as _, RStr};
            use $crate::module::{Answer, HostObject, ModuleTable, guarded};

            extern "C" fn describe(argument: RStr<'_>, _: &HostObject<'_>) -> Answer {
                guarded(argument, |(): ()| $instrument.description())
            }
            extern "C" fn run(argument: RStr<'_>, host: &HostObject<'_>) -> Answer {
                guarded(argument, |task| $crate::module::run_task(&$instrument, &task, host))
            }
            extern "C" fn simulate(argument: RStr<'_>, host: &HostObject<'_>) -> Answer {
                guarded(argument, |request| $crate::module::simulate(&$instrument, &request, host))
            }
            extern "C" fn compare_with_truth(argument: RStr<'_>, _: &HostObject<'_>) -> Answer {
                guarded(argument, |request| $crate::module::compare_with_truth(&$instrument, &request))
            }
            extern "C" fn import(argument: RStr<'_>, _: &HostObject<'_>) -> Answer {
                guarded(argument, |request| $crate::module::import(&$instrument, &request))
            }
            extern "C" fn hints(argument: RStr<'_>, _: &HostObject<'_>) -> Answer {
                guarded(argument, |request| $crate::module::hints(&$instrument, &request))
            }
            extern "C" fn installed_versions(argument: RStr<'_>, _: &HostObject<'_>) -> Answer {
                guarded(argument, |(): ()| $instrument.installed_versions())
            }
            ModuleTable { describe, run, simulate, compare_with_truth, import, hints, installed_versions }.leak_into_prefix()
        }
    };
    ($instrument:expr) => {
        $crate::export_instrument!($instrument, builtin);

        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub static IFURED_INTERFACE_VERSION: u32 = $crate::module::INTERFACE_VERSION;

        // What abi_stable's own attribute makes, which would want it among the dependencies of the plugin.
        #[doc(hidden)]
        #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
        pub static IFURED_ROOT_MODULE: $crate::module::abi::LibHeader = {
            extern "C" fn root() -> $crate::module::abi::RootModuleResult {
                $crate::module::abi::__call_root_module_loader(module)
            }
            // SAFETY: the function gives the root module of the type that is named.
            unsafe { $crate::module::abi::LibHeader::from_constructor::<$crate::Module>(root, $crate::module::abi::CheckTypeLayout::Yes) }
        };
    };
}

/// What [`export_instrument!`](crate::export_instrument) needs of abi_stable.
#[doc(hidden)]
pub mod abi {
    pub use abi_stable::library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult};
    pub use abi_stable::prefix_type::PrefixTypeTrait;
    pub use abi_stable::std_types::{RResult, RStr, RString};
}
