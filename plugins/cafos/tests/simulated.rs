//! Simulated nights, reduced: the truth comes back within its errors.

mod common;

use std::path::Path;

use common::{DEFAULT_RECIPES, MiniEngine, first, header_with_statistics, quality, rewrite, simulate};
use ifured_cafos::Cafos;
use ifured_core::recipe::ProductPath;
use ifured_core::{Instrument, Value};
use ifured_pixels::fits::{HduSelect, HduToWrite, ImageReader, read_image, write_product};
use ifured_pixels::quality as bits;

fn reduced(directory: &Path, size: u32) -> MiniEngine {
    simulate(directory, size);
    let mut engine = MiniEngine::new(&directory.join("raw"), &directory.join("out"));
    for recipe in DEFAULT_RECIPES {
        engine.run(recipe);
    }
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    engine
}

#[test]
fn every_simulated_frame_gets_its_tag() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 128);
    let truth: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(directory.path().join("truth/truth.json")).unwrap()).unwrap();
    let frames = truth["frames"].as_array().unwrap();
    assert!(frames.len() >= 25);
    for frame in frames {
        let path = directory.path().join("raw").join(frame["night"].as_str().unwrap()).join(frame["file"].as_str().unwrap());
        let found = common::classify_header(&header_with_statistics(&path));
        assert_eq!(found.tag.as_str(), frame["tag"].as_str().unwrap(), "{}: {}", path.display(), found.why);
    }
}

#[test]
fn truth_comes_back_with_honest_errors() {
    let directory = tempfile::tempdir().unwrap();
    let engine = reduced(directory.path(), 256);
    let products: Vec<ProductPath> = engine
        .frames
        .iter()
        .filter(|f| f.path.starts_with(directory.path().join("out")))
        .map(|f| ProductPath { tag: f.tag.as_str().into(), path: f.path.clone(), name: f.name.clone() })
        .collect();
    let rows = Cafos.compare_with_truth(&directory.path().join("truth"), &products).unwrap();
    for row in &rows {
        println!("{:60} {:30} {:.4} truth {:.4} +- {:.4} {}", row.product, row.what, row.found, row.truth, row.tolerance, row.unit);
    }
    let lost: Vec<_> = rows.iter().filter(|r| !r.recovered()).collect();
    assert!(rows.len() >= 30 && lost.is_empty(), "not recovered: {lost:#?}");
    for tag in ["master-bias", "master-flat-imaging", "flat-imaging-mask", "illumination", "reduced-imaging", "coadd"] {
        assert!(products.iter().any(|p| p.tag.as_str() == tag), "no {tag}");
    }
    // The dome screen is tilted by 3 %: the correction says so, and images reduced with it have a flat sky (tested by the pulls).
    let (_, outcome) = engine.outcomes("illumination")[0];
    assert!((quality(outcome, "CORRECTION") - 0.03).abs() < 0.01);
}

#[test]
fn the_order_of_the_frames_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 96);
    let mut hashes = Vec::new();
    for reverse in [false, true] {
        let mut engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join(format!("out{reverse}")));
        for recipe in ["master-bias", "master-flat-imaging"] {
            let spec = engine.description.recipe(recipe).unwrap().clone();
            let mut group = engine.groups(&spec).remove(0);
            let first = group[0].clone();
            let mut task = engine.task(&spec, &group);
            if reverse {
                group.reverse();
                let n = group.len();
                task.inputs[..n].reverse();
            }
            engine.execute(&spec, task, &first);
        }
        assert!(engine.failures().is_empty(), "{:?}", engine.failures());
        hashes
            .push(engine.done.iter().flat_map(|d| d.result.as_ref().unwrap().products.iter().map(|p| p.hash.clone())).collect::<Vec<_>>());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_eq!(hashes[0].len(), 3);
}

#[test]
fn a_bias_of_another_level_is_left_out_and_named() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 96);
    let engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join("out"));
    let odd = first(&engine, "bias").clone();
    rewrite(&odd.path, |data, _| data.mapv_inplace(|v| v + 25.0));
    let mut engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join("out"));
    engine.run("master-bias");
    let (_, outcome) = engine.outcomes("master-bias")[0];
    assert_eq!(outcome.rejected.len(), 1);
    assert_eq!(outcome.rejected[0].name, odd.name);
    assert!(outcome.rejected[0].why.contains("level"), "{}", outcome.rejected[0].why);
    assert_eq!(quality(outcome, "N FRAMES"), 6.0);
}

#[test]
fn missing_pixels_stay_missing_and_dead_ones_are_flagged() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 128);
    let engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join("out"));
    let image = first(&engine, "science-imaging").clone();
    let holes = [(60, 60), (61, 60), (70, 64)];
    rewrite(&image.path, |data, _| holes.iter().for_each(|at| data[*at] = f32::NAN));
    for (how, is_nan) in [("interpolate", false), ("nan", true)] {
        let mut engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join(how));
        engine.set("science-imaging", "dead_pixels", how.into());
        engine.run("master-bias").run("master-flat-imaging").run("science-imaging");
        assert!(engine.failures().is_empty(), "{:?}", engine.failures());
        let (header, reduced) = read_image(&first(&engine, "reduced-imaging").path).unwrap();
        for at in holes {
            assert!(reduced.data[at].is_nan() && reduced.quality[at] & bits::MISSING != 0);
        }
        let dead: Vec<_> =
            reduced.quality.indexed_iter().filter(|(_, q)| **q & bits::DEAD != 0 && **q & bits::OUTSIDE == 0).map(|(at, _)| at).collect();
        assert!(!dead.is_empty());
        assert!(dead.iter().all(|at| reduced.data[*at].is_nan() == is_nan));
        assert!(reduced.data.iter().all(|v| v.is_nan() || v.abs() <= 1e5));
        assert!(reduced.data.iter().zip(&reduced.quality).all(|(v, q)| q & bits::OUTSIDE == 0 || *v == 0.0));
        assert_eq!(header.text("CTYPE1"), Ok("RA---TAN"));
        assert_eq!(header.get("IFURED RAW1 NAME"), Some(&Value::from(image.name.as_str())));
        assert!(!header.columns().concat().contains(&*directory.path().to_string_lossy()), "a path of this machine");
    }
}

#[test]
fn a_window_is_cut_from_a_larger_master_and_other_windows_get_the_level() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 128);
    let raw = directory.path().join("raw");
    let engine = MiniEngine::new(&raw, &directory.path().join("out"));
    let image = first(&engine, "science-imaging").clone();
    let corner = (2048 - 128) / 2 + 1;
    let write_window = |name: &str, x: usize, y: usize, n: usize, chip: (usize, usize)| {
        let reader = ImageReader::open(&image.path, HduSelect::First).unwrap();
        let mut header = reader.header().clone();
        let part = reader.read_all().unwrap().slice(ndarray::s![y..y + n, x..x + n]).to_owned();
        header.set("DATASEC", format!("[{},{}:{},{}]", chip.0, chip.1, chip.0 + n - 1, chip.1 + n - 1), "");
        header.retain(|c| !matches!(c.keyword.as_str(), "BZERO" | "BSCALE"));
        write_product(image.path.with_file_name(name), &[HduToWrite::image(&header, part.view())]).unwrap();
    };
    write_window("caf-20170319-21:00:00-sci-simu.fits", 30, 40, 64, (corner + 30, corner + 40));
    write_window("caf-20170319-21:10:00-sci-simu.fits", 30, 40, 64, (1, 1));
    let mut engine = MiniEngine::new(&raw, &directory.path().join("out"));
    engine.run("master-bias").run("master-flat-imaging").run("science-imaging");
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    let product = |name: &str| engine.frames.iter().find(|f| f.tag == "reduced-imaging" && f.name.contains(name)).unwrap();
    let (_, whole) = read_image(&product(image.path.file_stem().unwrap().to_str().unwrap()).path).unwrap();
    let (header, cut) = read_image(&product("21:00:00").path).unwrap();
    assert_eq!(header.integer("IFURED LEVEL"), Ok(2));
    // The whole frame has dark corners, so that the drift of the bias level is known; the window has none and keeps it.
    let name = image.path.file_name().unwrap().to_string_lossy().into_owned();
    let outcomes = engine.outcomes("science-imaging");
    let (_, outcome) = outcomes.iter().find(|(t, _)| t.inputs[0].name.ends_with(&name)).unwrap();
    let drift = quality(outcome, "PEDESTAL") as f32;
    let kept = |a: &f32, b: &f32| (b - a - drift).abs() < 0.01 + 0.1 * drift.abs();
    let same = whole.data.slice(ndarray::s![40..104, 30..94]).iter().zip(&cut.data).filter(|(a, b)| kept(a, b)).count();
    assert!(same as f64 > 0.98 * cut.data.len() as f64, "{same} of {}", cut.data.len());
    let (header, level) = read_image(&product("21:10:00").path).unwrap();
    assert_eq!(header.integer("IFURED LEVEL"), Ok(3));
    assert_eq!(header.text("IFURED MISS1 OTHERWISE"), Ok("a flat of ones"));
    let sky = ifured_pixels::statistics::median(level.data.as_slice().unwrap());
    assert!((sky - 400.0).abs() < 20.0, "{sky}");
}

#[test]
fn unknown_parameters_are_refused() {
    let spec = Cafos.description().unwrap();
    for recipe in Cafos.recipes().unwrap() {
        let description = recipe.description();
        assert!(
            description.engines[0].schema["properties"]
                .as_object()
                .unwrap()
                .values()
                .all(|p| p.get("description").is_some() || p.get("$ref").is_some())
        );
        assert_eq!(description.engines[0].schema["additionalProperties"], false, "{}", description.name);
        assert!(spec.recipe(&description.name).is_some());
    }
}

#[test]
fn fringes_are_mapped_and_subtracted() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 128);
    let raw = directory.path().join("raw");
    let engine = MiniEngine::new(&raw, &directory.path().join("out"));
    let images: Vec<_> = engine.frames.iter().filter(|f| f.tag == "science-imaging").cloned().collect();
    let copies = [(0, "21:00:00"), (1, "21:10:00"), (2, "21:20:00")];
    for (n, time) in copies {
        std::fs::copy(&images[n].path, images[n].path.with_file_name(format!("caf-20170319-{time}-sci-simu.fits"))).unwrap();
    }
    let pattern = |y: usize, x: usize| 0.05 * (0.35 * x as f32 + 0.22 * y as f32).sin();
    for (n, frame) in MiniEngine::new(&raw, &directory.path().join("out")).frames.iter().filter(|f| f.tag == "science-imaging").enumerate()
    {
        rewrite(&frame.path, |data, header| {
            // Stars must not stand at one place in all of them: the copies are turned upside down, the fringes are not.
            if n >= 3 {
                data.invert_axis(ndarray::Axis(0));
            }
            data.indexed_iter_mut().for_each(|((y, x), v)| *v += 400.0 * pattern(y, x));
            header.set("RA", 150.0 + n as f64, "");
        });
    }
    let mut engine = MiniEngine::new(&raw, &directory.path().join("out"));
    engine.run("master-bias").run("master-flat-imaging").run("science-imaging").run("fringe-map").run("defringe");
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    assert_eq!(engine.outcomes("fringe-map").len(), 1);
    let amplitude = |path: &Path| {
        let (_, image) = read_image(path).unwrap();
        let sky = ifured_pixels::statistics::median(image.data.as_slice().unwrap()) as f32;
        let (mut sum, mut norm) = (0.0, 0.0);
        for ((y, x), v) in image.data.indexed_iter() {
            if image.quality[[y, x]] == 0 && (v - sky).abs() < 100.0 {
                sum += f64::from((v - sky) * pattern(y, x));
                norm += f64::from(pattern(y, x).powi(2));
            }
        }
        sum / norm
    };
    for image in images.iter().take(2) {
        let stem = image.path.file_stem().unwrap().to_str().unwrap();
        let of = |tag: &str| engine.frames.iter().find(|f| f.tag == tag && f.name.contains(stem)).unwrap().path.clone();
        let (before, after) = (amplitude(&of("reduced-imaging")), amplitude(&of("defringed-imaging")));
        assert!(before > 300.0 && after.abs() < 0.12 * before, "{before} {after}");
    }
}

#[test]
fn corrected_keywords_are_used_and_written() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 96);
    let mut engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join("out"));
    engine.run("master-bias").run("master-flat-imaging");
    let spec = engine.description.recipe("science-imaging").unwrap().clone();
    let group = engine.groups(&spec).remove(0);
    let mut task = engine.task(&spec, &group);
    task.inputs[0].corrections = vec![("INSTRSCL".into(), Value::Real(1.06)), ("OBJECT".into(), Value::from("M 67"))];
    engine.execute(&spec, task, &group[0]);
    assert!(engine.failures().is_empty(), "{:?}", engine.failures());
    let (header, _) = read_image(&first(&engine, "reduced-imaging").path).unwrap();
    assert_eq!(header.text("OBJECT"), Ok("M 67"));
    assert!((header.real("CD2_2").unwrap() * 3600.0 - 1.06).abs() < 1e-9);
}

#[test]
fn the_drift_of_the_bias_level_is_seen_in_the_dark_corners() {
    let directory = tempfile::tempdir().unwrap();
    simulate(directory.path(), 384);
    let engine = MiniEngine::new(&directory.path().join("raw"), &directory.path().join("out"));
    let drifted = first(&engine, "science-imaging").clone();
    let name = drifted.path.file_name().unwrap().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for added in [0.0, 3.0] {
        rewrite(&drifted.path, |data, _| data.mapv_inplace(|v| v + added));
        let out = directory.path().join(format!("out{added}"));
        let mut engine = MiniEngine::new(&directory.path().join("raw"), &out);
        for recipe in ["master-bias", "master-flat-imaging", "science-imaging"] {
            engine.run(recipe);
        }
        let (_, outcome) = engine.outcomes("science-imaging").into_iter().find(|(t, _)| t.inputs[0].name.ends_with(&name)).unwrap();
        let pedestal = outcome.quality.iter().find(|q| q.name == "PEDESTAL").unwrap();
        found.push((pedestal.value.unwrap(), pedestal.error.unwrap(), quality(outcome, "SKY")));
    }
    let [(before, error, sky), (after, _, sky_after)] = found[..] else { panic!("two runs") };
    assert!(error < 0.3, "{error}");
    // The same noise twice: the drift comes back to a rounding, and the sky does not move.
    assert!((after - before - 3.0).abs() < 0.02, "{before} {after}");
    assert!((sky_after - sky).abs() < 0.02, "{sky} {sky_after}");
}
