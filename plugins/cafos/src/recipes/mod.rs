//! The recipes, one file each.

mod arc;
mod astrometry;
mod coadd;
mod cosmic_rays;
mod defringe;
mod extraction;
mod flux_calibration;
mod fringe_map;
mod illumination;
mod inputs;
mod instrumental_polarisation;
mod master_bias;
mod master_flat_imaging;
mod master_flat_spectroscopy;
mod mode;
mod parameters;
mod polarimetry;
mod polarimetry_sequence;
mod response;
mod science_imaging;
mod science_spectroscopy;
mod wavelength_solution;

use ifured_core::{AnyRecipe, Task};
use mode::Mode;

/// All recipes, in the order in which they build on each other.
pub fn all() -> Vec<Box<dyn AnyRecipe>> {
    vec![
        Box::new(master_bias::MasterBias),
        Box::new(master_flat_imaging::MasterFlatImaging(Mode::Direct)),
        Box::new(master_flat_imaging::MasterFlatImaging(Mode::Wollaston)),
        Box::new(master_flat_spectroscopy::MasterFlatSpectroscopy),
        Box::new(illumination::IlluminationRecipe),
        Box::new(arc::Arc),
        Box::new(wavelength_solution::WavelengthSolution),
        Box::new(science_imaging::ScienceImaging(Mode::Direct)),
        Box::new(science_imaging::ScienceImaging(Mode::Wollaston)),
        Box::new(instrumental_polarisation::InstrumentalPolarisation),
        Box::new(polarimetry::Polarimetry),
        Box::new(science_spectroscopy::ScienceSpectroscopy),
        Box::new(extraction::Extraction),
        Box::new(response::ResponseRecipe),
        Box::new(flux_calibration::FluxCalibration),
        Box::new(fringe_map::FringeMap),
        Box::new(defringe::Defringe),
        Box::new(astrometry::Astrometry),
        Box::new(coadd::Coadd),
    ]
}

/// The task with its main frames in the order of time and name, so that the order in which they were given does not matter.
fn in_order(task: &Task) -> Task {
    let mut task = task.clone();
    let (mut main, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut task.inputs).into_iter().partition(|i| i.role.is_main());
    main.sort_by(|a, b| {
        let time = |mjd: Option<f64>| mjd.unwrap_or(f64::INFINITY);
        time(a.mjd).total_cmp(&time(b.mjd)).then_with(|| a.name.cmp(&b.name))
    });
    task.inputs = main.into_iter().chain(rest).collect();
    task
}

#[cfg(test)]
mod tests {
    use ifured_core::Task;
    use ifured_core::recipe::QuietHost;

    /// Flattened structs of shared parameters must leave no key to be taken for unknown, and let none through.
    #[test]
    fn every_recipe_takes_its_own_parameters_and_no_others() {
        for recipe in super::all() {
            let description = recipe.description();
            let refused = |parameters: serde_json::Value| {
                let task = Task { recipe: description.name.clone(), parameters, ..Task::default() };
                recipe.execute(&task, &QuietHost).is_err_and(|e| e.what.starts_with("parameters of recipe"))
            };
            assert!(!refused(description.engines[0].defaults.clone()), "{}", description.name);
            let mut more = description.engines[0].defaults.clone();
            more["no_such_parameter"] = 1.into();
            assert!(refused(more), "{}", description.name);
        }
    }
}
