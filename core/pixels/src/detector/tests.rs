//! A detector of two amplifiers, of which a window is read: raw frames and masters that no instrument knows.

use std::path::{Path, PathBuf};

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, Section, Task};
use ndarray::{Array2, s};

use super::calibration::{CUT_WINDOW, LEVEL_ONLY, load, require};
use super::*;
use crate::fits::{Layout, write_image};
use crate::simulate::{Detector, write_raw};
use crate::{Image, quality};

const GAINS: [f64; 2] = [2.0, 2.5];
const READ_NOISE: f64 = 4.0;
const LEVELS: [f64; 2] = [1000.0, 1200.0];
const OVERSCAN: usize = 16;
/// Rows and columns of the chip.
const CHIP: (usize, usize) = (80, 140);
/// The window that frames show.
const WINDOW: &str = "[21:120,11:70]";
const SHAPE: (usize, usize) = (60, 100);

struct TwoAmplifiers;

impl RawFormat for TwoAmplifiers {
    fn read_out(&self, _: &Header, (_, width): (usize, usize)) -> Result<ReadOut, String> {
        Ok(ReadOut::side_by_side(2, width.checked_sub(2 * OVERSCAN).ok_or("too narrow")?, OVERSCAN))
    }

    fn window(&self, header: &Header, shape: (usize, usize)) -> Section {
        header.text("WINDOW").ok().and_then(|t| Section::parse(t).ok()).unwrap_or(Section::of_shape(shape))
    }
}

/// Structure of the bias, at a pixel of the chip.
fn structure((y, x): (usize, usize)) -> f64 {
    ((3 * x + y) % 5) as f64
}

/// Response, at a pixel of the chip.
fn response((y, x): (usize, usize)) -> f64 {
    0.9 + 0.02 * ((x + 2 * y) % 11) as f64
}

fn on_chip((y, x): (usize, usize)) -> (usize, usize) {
    (y + 10, x + 20)
}

fn header_of(window: &str) -> Header {
    let mut header = Header::new();
    header.set("WINDOW", window, "");
    header
}

fn input(role: &str, path: PathBuf, adapt: Option<&str>) -> TaskInput {
    TaskInput { role: role.into(), name: role.into(), path, adapt: adapt.map(str::to_owned), ..TaskInput::default() }
}

/// A frame of so many ADU of light; the pixel [[1, 2]] is saturated.
fn raw(directory: &Path, light: f64, seed: u64) -> RawFrame {
    let half = SHAPE.1 / 2;
    let mut pixels = Array2::zeros((SHAPE.0, SHAPE.1 + 2 * OVERSCAN));
    for n in 0..2 {
        let mut amplifier = Detector::new(GAINS[n], READ_NOISE, LEVELS[n], seed + n as u64);
        let seen = |at: (usize, usize)| light * response(on_chip((at.0, at.1 + n * half))) * GAINS[n];
        let mut part = amplifier.read_out(Array2::from_shape_fn((SHAPE.0, half), seen).view());
        part.indexed_iter_mut().for_each(|((y, x), v)| *v += structure(on_chip((y, x + n * half))) as u16);
        pixels.slice_mut(s![.., n * half..(n + 1) * half]).assign(&part);
        let strip = SHAPE.1 + n * OVERSCAN;
        pixels.slice_mut(s![.., strip..strip + OVERSCAN]).assign(&amplifier.read_out(Array2::zeros((SHAPE.0, OVERSCAN)).view()));
    }
    pixels[[1, 2]] = 65535;
    let path = directory.join(format!("raw{seed}.fits"));
    write_raw(&path, &header_of(WINDOW), pixels.view()).unwrap();
    RawFrame::open(&input("main", path, None), &TwoAmplifiers).unwrap()
}

/// A master of the whole chip.
fn master(directory: &Path, role: &str, value: fn((usize, usize)) -> f64) -> PathBuf {
    let path = directory.join(format!("{role}.fits"));
    let image = Image::new(Array2::from_shape_fn(CHIP, |at| value(at) as f32), 0.0);
    write_image(&path, &header_of("[1:140,1:80]"), &image, Layout::PrimaryData).unwrap();
    path
}

#[test]
fn a_frame_is_calibrated_with_masters_of_a_larger_window() {
    let directory = tempfile::tempdir().unwrap();
    let frame = raw(directory.path(), 3000.0, 5);
    assert_eq!((frame.shape(), frame.has_overscan(), frame.footprint().window), (SHAPE, true, Section::parse(WINDOW).unwrap()));
    let task = Task {
        inputs: vec![
            input("bias", master(directory.path(), "bias", structure), Some(CUT_WINDOW)),
            input("flat", master(directory.path(), "flat", response), Some(CUT_WINDOW)),
        ],
        ..Task::default()
    };
    let calibration = |role| require(&task, role, &TwoAmplifiers, frame.footprint()).unwrap();
    let (bias, flat) = (calibration("bias"), calibration("flat"));
    // Both amplifiers have nearly one gain; the mean is good to 6 % of the variance in either half.
    let noise = NoiseModel { gain: 0.5 * (GAINS[0] + GAINS[1]), read_noise: READ_NOISE, quantisation: true };
    let saturation = Saturation { converter: 65000.0, well: None };
    let corrections = Corrections { bias: &bias, pedestal: 0.0, flats: vec![&flat], noise, saturation, blank_outside: false };
    let image = correct(&frame, &corrections).unwrap();
    assert_eq!((image.quality[[1, 2]], image.quality.iter().filter(|q| **q != 0).count()), (quality::SATURATED_CONVERTER, 1));
    let mut rest = image;
    rest.quality[[1, 2]] = quality::MISSING;
    let pulls = rest.pulls(|_| 3000.0);
    assert!(pulls.mean().abs() < 4.0 / 6000f64.sqrt() && (pulls.std() - 1.0).abs() < 0.06, "{} {}", pulls.mean(), pulls.std());
    assert!(load(&task, "dark", &TwoAmplifiers, frame.footprint()).unwrap().is_none());
    assert!(require(&task, "dark", &TwoAmplifiers, frame.footprint()).is_err());
}

#[test]
fn a_master_of_another_window_is_refused_or_gives_its_level() {
    let directory = tempfile::tempdir().unwrap();
    let path = master(directory.path(), "bias", structure);
    let task = |adapt| Task { inputs: vec![input("bias", path.clone(), adapt)], ..Task::default() };
    let beyond = Footprint { shape: (60, 100), window: Section::parse("[61:160,11:70]").unwrap() };
    let error = require(&task(Some(CUT_WINDOW)), "bias", &TwoAmplifiers, beyond).err().unwrap();
    assert!(error.what.contains("[61,11:160,70]"), "{}", error.what);
    assert!(require(&task(Some("stretch")), "bias", &TwoAmplifiers, beyond).is_err());
    let level = require(&task(Some(LEVEL_ONLY)), "bias", &TwoAmplifiers, beyond).unwrap().image().unwrap();
    assert_eq!((level.shape(), level.data[[5, 5]]), ((60, 100), 2.0));
    assert!((level.variance[[5, 5]] - 2.0).abs() < 1e-3, "{}", level.variance[[5, 5]]);
}

#[test]
fn electrons_of_each_amplifier_have_its_gain_and_the_error_of_its_overscan() {
    let directory = tempfile::tempdir().unwrap();
    let frame = raw(directory.path(), 0.0, 11);
    let options = OverscanOptions { smoothing: Smoothing::None, ..OverscanOptions::default() };
    let image = frame.electrons(&options, &GAINS).unwrap();
    for (n, gain) in GAINS.iter().enumerate() {
        let half = s![2.., n * 50..(n + 1) * 50];
        let mean = image.data.slice(half).iter().map(|v| f64::from(*v)).sum::<f64>() / (58.0 * 50.0);
        // The structure of the bias is 2 ADU on average; levels of 58 rows rest on 16 pixels each.
        let error = gain * READ_NOISE * (1.0 / (58.0 * 50.0) + 1.0 / (58.0 * 16.0_f64)).sqrt();
        assert!((mean - 2.0 * gain).abs() < 4.0 * error, "{n}: {mean}");
        // The read noise of 960 pixels by their median deviation is known to 4 %.
        let variance = f64::from(image.variance.column(n * 50).sum()) / 60.0;
        assert!((variance / (gain * READ_NOISE).powi(2) * 16.0 - 1.0).abs() < 4.0 * 2.0 * 0.04, "{n}: {variance}");
    }
    assert!(frame.electrons(&options, &GAINS[..1]).is_err());
    // By bands it is the same frame.
    let mut rows = vec![0f32; 3 * SHAPE.1];
    frame.read_corrected(10..13, &mut rows).unwrap();
    let whole = frame.without_overscan(&options).unwrap();
    assert!(rows.iter().zip(whole.data.slice(s![10..13, ..])).all(|(a, b)| (a - b).abs() < 0.5));
}
