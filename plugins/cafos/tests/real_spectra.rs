//! Spectra of a real night (2024-07-20, green-200, long slit). Skipped, visibly, where the data are not there.

mod common;

use common::{MiniEngine, quality};
use ifured_pixels::fits::{Cells, ColumnData, HduSelect, read_image, read_table};
use ifured_test_support::shared;

fn reals(data: &ColumnData) -> Vec<f64> {
    match data {
        ColumnData::F64(Cells::Fixed { values, .. }) => values.clone(),
        other => panic!("not a column of real numbers: {other:?}"),
    }
}

#[test]
fn arcs_are_identified_without_a_start() {
    let Some(night) = shared("data/cafos/20240720") else { return };
    let out = tempfile::tempdir().unwrap();
    let mut engine = MiniEngine::new(&night, out.path());
    engine.run("master-bias").run("arc").run("wavelength-solution");
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    let outcomes = engine.outcomes("wavelength-solution");
    assert_eq!(outcomes.len(), 4);
    for (task, outcome) in outcomes {
        let name = &task.inputs[0].name;
        if name.contains("14-47-52") || name.contains("14-48-59") {
            // A tenth of the exposure through twice the slit: too few lines beside those of the second order. It says so.
            assert!(outcome.products.is_empty() && outcome.notes[0].contains("no wavelength solution"), "{name}: {:?}", outcome.notes);
            continue;
        }
        assert_eq!(outcome.products.len(), 1, "{name}");
        for q in &outcome.quality {
            println!("{name} {:14} {:10.4} {}", q.name, q.value.unwrap_or(f64::NAN), q.unit);
        }
        // The lines span the spectrum from the near ultraviolet to the near infrared.
        let lines = read_table(&task.outputs[0].path, HduSelect::name("LINES")).unwrap();
        let wavelengths = reals(&lines.column("WAVELENGTH_AIR").unwrap().data);
        assert!(wavelengths[0] < 3700.0 && wavelengths[wavelengths.len() - 1] > 10_000.0, "{wavelengths:?}");
        assert!(quality(outcome, "RMS") < 0.4, "{name}: {} Angstrom", quality(outcome, "RMS"));
        assert!(quality(outcome, "N LINES") >= 12.0, "{name}: {} lines", quality(outcome, "N LINES"));
        assert!((-4.9..-4.2).contains(&quality(outcome, "DISPERSION")), "{name}: {}", quality(outcome, "DISPERSION"));
        let (header, map) = read_image(&task.outputs[0].path).unwrap();
        assert_eq!(header.integer("IFURED DISPERSION AXIS"), Ok(2));
        // The brightest lines are where every user of this grism has them.
        assert!((map.data[[930, 550]] - 6438.0).abs() < 6.0 && (map.data[[1475, 550]] - 4046.0).abs() < 8.0);
    }
}
