//! A real night (2024-07-20, green-200, long slit). Skipped, visibly, where the data are not there.

mod common;

use common::{MiniEngine, quality};
use ifured_pixels::fits::read_image;
use ifured_pixels::quality as bits;
use ifured_pixels::statistics::{median, robust_sigma};
use ifured_test_support::shared;

#[test]
fn the_night_is_reduced_and_says_what_its_headers_do_not() {
    let Some(night) = shared("data/cafos/20240720") else { return };
    let out = tempfile::tempdir().unwrap();
    let mut engine = MiniEngine::new(&night, out.path());
    let count = |tag: &str| engine.frames.iter().filter(|f| f.tag == tag).count();
    assert_eq!((count("bias"), count("flat-spectroscopy"), count("arc"), count("science-spectroscopy")), (7, 7, 4, 2));
    for recipe in common::DEFAULT_RECIPES {
        engine.run(recipe);
    }
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());

    let (_, bias) = engine.outcomes("master-bias")[0];
    // All seven frames have the median 672 ADU; the mean of what is left without hot pixels is known far better than to 1 ADU.
    assert!((quality(bias, "LEVEL") - 672.4).abs() < 0.5, "{}", quality(bias, "LEVEL"));
    let read_noise = quality(bias, "READ NOISE");
    assert!((read_noise - 6.1).abs() < 0.15, "{read_noise}");
    assert!(bias.notes.iter().any(|n| n.contains("header states a read noise of 5.17")), "{:?}", bias.notes);
    // The errors of the master: two halves of the night's bias frames differ by them.
    let halves: Vec<_> = [[0, 2, 4], [1, 3, 5]]
        .iter()
        .enumerate()
        .map(|(n, part)| {
            let mut engine = MiniEngine::new(&night, &out.path().join(format!("half{n}")));
            let spec = engine.description.recipe("master-bias").unwrap().clone();
            let all = engine.groups(&spec).remove(0);
            let group: Vec<_> = part.iter().map(|&i| all[i].clone()).collect();
            let task = engine.task(&spec, &group);
            engine.execute(&spec, task, &group[0]);
            read_image(&engine.frames.iter().find(|f| f.tag == "master-bias").unwrap().path).unwrap().1
        })
        .collect();
    let pulls: Vec<f32> = (0..halves[0].data.len())
        .map(|p| [p / 1100, p % 1100])
        .filter(|at| halves.iter().all(|h| h.quality[*at] == 0))
        .map(|at| (halves[0].data[at] - halves[1].data[at]) / (halves[0].variance[at] + halves[1].variance[at]).sqrt())
        .collect();
    assert!((robust_sigma(&pulls) - 1.0).abs() < 0.05, "{}", robust_sigma(&pulls));

    let (_, flat) = engine.outcomes("master-flat-spectroscopy")[0];
    assert!((quality(flat, "GAIN") - 1.45).abs() < 0.03, "{}", quality(flat, "GAIN"));
    let product = engine.frames.iter().find(|f| f.tag == "master-flat-spectroscopy").unwrap();
    let (_, image) = read_image(&product.path).unwrap();
    let good: Vec<f32> = image.data.iter().zip(&image.quality).filter(|(_, q)| **q == 0).map(|(v, _)| *v).collect();
    assert!((median(&good) - 1.0).abs() < 0.005 && robust_sigma(&good) < 0.03, "{} {}", median(&good), robust_sigma(&good));
    let science = engine.frames.iter().find(|f| f.tag == "reduced-spectroscopy" && f.name.contains("22-24-10")).unwrap();
    let (header, spectrum) = read_image(&science.path).unwrap();
    assert!(header.get("CTYPE1").is_none(), "pixel coordinates are no world coordinates");
    assert!(spectrum.data.iter().all(|v| v.is_nan() || v.abs() <= 1e6));
    assert!(spectrum.quality.iter().any(|q| q & bits::COSMIC_RAY != 0));
}
