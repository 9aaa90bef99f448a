//! A plugin that does what plugins must not do: in a task as its parameter `behave` says, in its description as the variable
//! `MISBEHAVE` says.

use std::path::Path;

use ifured_core::prelude::*;
use ifured_pixels::simulate::{Detector, write_raw};
use ifured_pixels::{Image, task};
use ndarray::Array2;

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// What to do with the frame of the object `victim`: panic, abort, segfault, loop.
    behave: String,
}

struct Work;
impl Recipe for Work {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        let sig = Signature::exact(&["NAXIS1"]);
        RecipeDescription {
            name: "work".into(),
            title: "Work".into(),
            description: "Copies a frame.".into(),
            main: MainInput::single(&["object"], &sig),
            products: vec![ProductSpec::new("copy", "Copy", "copy/{stem}_copy.fits", &sig)],
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        print!("nor is this: {{");
        let (header, data) = task::read_raw(task::single(task)?)?;
        if header.text("OBJECT") == Ok("victim") {
            match parameters.behave.as_str() {
                "panic" => panic!("seven stars in the slit"),
                "abort" => std::process::abort(),
                // SAFETY: none; the crash is what is wanted.
                "segfault" => unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) },
                "loop" => loop {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                },
                _ => {}
            }
        }
        task::finish(task, vec![], header, &Image::new(data, 1.0))
    }
}

struct Misbehaving;

fn misbehave(how: &str) -> bool {
    std::env::var("MISBEHAVE").is_ok_and(|v| v == how)
}

impl Instrument for Misbehaving {
    fn describe(&self) -> InstrumentDescription {
        InstrumentDescription {
            name: if misbehave("twin") { "cafos" } else { "misbehaving" }.into(),
            title: "Misbehaving".into(),
            version: "1".into(),
            // The frames of the instrument that `plugin new myspec` makes.
            recognise: vec![key("INSTRUME").is("MYSPEC")],
            frame_types: vec![FrameType::new(
                "object",
                "Image",
                Purpose::Science,
                &Signature::exact(&["NAXIS1"]),
                vec![key("OBJECT").present()],
            )],
            columns: vec!["OBJECT".into()],
            ..InstrumentDescription::default()
        }
    }

    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError> {
        Ok(vec![Box::new(Work)])
    }

    fn description(&self) -> Result<InstrumentDescription, RecipeError> {
        // Libraries print; it must not matter.
        print!("this is no answer");
        if misbehave("abort") {
            std::process::abort();
        }
        if misbehave("panic") {
            panic!("no description today");
        }
        let mut description = self.describe();
        description.recipes = self.recipes()?.iter().map(|r| r.description()).collect();
        if misbehave("schema") {
            description.recipes[0].engines[0].schema = serde_json::json!({"type": "objekt", "properties": {"behave": {"minimum": "low"}}});
        }
        Ok(description)
    }

    fn simulate(&self, request: &SimulationRequest, _: &dyn Host) -> Result<Simulation, RecipeError> {
        if misbehave("simulate") {
            std::process::abort();
        }
        let (raw, truth) = (request.directory.join("raw"), request.directory.join("truth"));
        let mut detector = Detector::new(1.0, 5.0, 100.0, request.seed);
        for (n, object) in ["victim", "bystander"].into_iter().enumerate() {
            let mut header = Header::new();
            header.set("INSTRUME", "MYSPEC", "");
            header.set("OBJECT", object, "");
            header.set("MJD-OBS", 60000.0 + n as f64, "");
            write_raw(&raw.join(format!("{object}.fits")), &header, detector.read_out(Array2::zeros((16, 16)).view()).view())?;
        }
        Ok(Simulation { raw, truth, frames: 2 })
    }

    fn compare_with_truth(&self, _: &Path, _: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
        Ok(Vec::new())
    }
}

ifured_core::export_instrument!(Misbehaving);
