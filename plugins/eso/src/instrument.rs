//! An ESO instrument as data.
//!
//! Night, time and recognition are those of every ESO instrument; what differs is in the fields. Raw frames have their
//! set-up in the primary header, which is the one that signatures are read from; no pixel statistics are asked for.

use std::path::Path;

use ifured_core::recipe::{ProductPath, Simulation, SimulationRequest, TruthRow};
use ifured_core::{
    AnyRecipe, ExposureNames, FrameType, Hints, Host, ImportRequest, ImportSource, Imported, Instrument, InstrumentDescription, RecipeError,
};

use crate::simulation::{self, RawFrame};
use crate::{association_xml, classification, observatory};

/// Recipes, or what is wrong with one of them.
pub type Recipes = Result<Vec<Box<dyn AnyRecipe>>, RecipeError>;

/// An instrument whose frames are classified by DPR and PRO keywords.
#[derive(Clone, Copy)]
pub struct EsoInstrument {
    /// Name, lower case: `muse`.
    pub name: &'static str,
    /// Other names it is asked for by.
    pub aliases: &'static [&'static str],
    /// One line.
    pub title: &'static str,
    /// Version of the plugin.
    pub version: &'static str,
    /// `INSTRUME` of its frames, to the letter.
    pub instrume: &'static str,
    /// Kinds of frames in the order in which the rules are tried.
    pub frame_types: fn() -> Vec<FrameType>,
    /// Its recipes.
    pub recipes: fn() -> Recipes,
    /// Keywords that lists show.
    pub columns: &'static [&'static str],
    /// How its exposures are named, and which products are collected.
    pub exposure_names: fn() -> ExposureNames,
    /// The raw frames of a simulation, in order of time.
    pub raw_frames: fn(&SimulationRequest) -> Vec<RawFrame>,
    /// Programs whose configuration it understands.
    pub imports: fn() -> Vec<ImportSource>,
    /// What such a configuration means.
    pub import: fn(&ImportRequest) -> Result<Imported, RecipeError>,
}

/// For instruments that import nothing.
pub fn nothing_to_import(request: &ImportRequest) -> Result<Imported, RecipeError> {
    Err(RecipeError::new(format!("there is nothing to import of {}", request.program), "`ifured init` makes a configuration to start from"))
}

impl Instrument for EsoInstrument {
    fn describe(&self) -> InstrumentDescription {
        InstrumentDescription {
            name: self.name.into(),
            aliases: self.aliases.iter().map(|a| (*a).into()).collect(),
            title: self.title.into(),
            version: self.version.into(),
            recognise: vec![classification::instrument_is(self.instrume)],
            require: vec![],
            statistics: false,
            night: observatory::paranal_night(),
            time: observatory::time_keys(),
            frame_types: (self.frame_types)(),
            recipes: vec![],
            columns: self.columns.iter().map(|c| (*c).into()).collect(),
            exposure_names: (self.exposure_names)(),
            imports: (self.imports)(),
            hint_files: vec!["*.xml".into()],
            ..InstrumentDescription::default()
        }
    }

    fn recipes(&self) -> Recipes {
        (self.recipes)()
    }

    fn simulate(&self, request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
        simulation::write(request, &(self.raw_frames)(request), host)
    }

    fn compare_with_truth(&self, truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        simulation::compare_tags(truth, products)
    }

    fn import(&self, request: &ImportRequest) -> Result<Imported, RecipeError> {
        (self.import)(request)
    }

    fn hints(&self, file: &Path) -> Result<Hints, RecipeError> {
        association_xml::read(file)
    }
}
