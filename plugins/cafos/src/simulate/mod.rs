//! Simulated nights of CAFOS with known truth.
//!
//! Below the directory asked for: `raw/<night>/` with frames as the telescope writes them (16-bit integers with BZERO, names with
//! the time), and `truth/` with the noise-free bias of each night, the response, the field, `catalogue.fits` with the stars as an extract of Gaia has them, and `truth.json`. Each night has bias frames, dome flats,
//! images of one field with small offsets, a spectroscopic flat, an arc and a spectrum, twilight flats in the morning, through the Wollaston prism dome
//! flats and two sequences of four angles (a field of polarised stars and a standard), and the spectrum of a standard.

mod detector;
mod frame;
mod sky;
mod spectra;
mod wollaston;

use std::fs;
use std::path::Path;

use ifured_core::recipe::{Simulation, SimulationRequest};
use ifured_core::{Header, Host, RecipeError};
use ifured_pixels::fits::{HduToWrite, write_product};
use ndarray::{Array2, ArrayView2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use detector::Detector;
use frame::{Kind, When};
pub use sky::ZERO_POINT;
use spectra::{Spectrograph, Star};
pub use spectra::{TrueSpectrum, response};
pub use wollaston::TruePolarisation;
use wollaston::{ANGLES, Target};

/// Pixels along each axis if none are asked for.
const DEFAULT_SIZE: u32 = 256;
const BIAS_FRAMES: u32 = 7;
const FLAT_FRAMES: u32 = 5;
const SCIENCE_FRAMES: u32 = 3;
/// Full width at half maximum of stars, in pixels.
pub const FWHM: f64 = 3.0;
/// Date of the first night.
const FIRST_NIGHT_MJD: i64 = 57831;
/// Random numbers of the spectra of the first night are those of this stream, so that the other frames do not depend on them.
const SPECTRA_STREAM: u64 = 1 << 32;

/// What was put in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Truth {
    /// Electrons per ADU.
    pub gain: f64,
    /// Read noise in ADU.
    pub read_noise: f64,
    /// Standard deviation of the bias level from frame to frame, in ADU.
    pub drift: f64,
    /// One entry for each raw frame.
    pub frames: Vec<TrueFrame>,
    /// One entry for each sequence through the Wollaston prism.
    #[serde(default)]
    pub polarimetry: Vec<TruePolarisation>,
    /// One entry for each arc and each spectrum.
    #[serde(default)]
    pub spectra: Vec<TrueSpectrum>,
}

/// What is in one raw frame.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TrueFrame {
    /// Night.
    pub night: String,
    /// File name.
    pub file: String,
    /// Tag that it must get.
    pub tag: String,
    /// Sky level in ADU, of images.
    #[serde(default)]
    pub sky: f64,
    /// Stars of images: column and row from 0, flux in ADU.
    #[serde(default)]
    pub stars: Vec<[f64; 3]>,
    /// Right ascension and declination (degrees) of these stars at the time of the image.
    #[serde(default)]
    pub sky_places: Vec<[f64; 2]>,
    /// Pixels struck by cosmic rays: column, row from 0, and height in ADU.
    #[serde(default)]
    pub cosmic_rays: Vec<[f64; 3]>,
}

/// Simulates nights.
pub fn simulate(request: &SimulationRequest, host: &dyn Host) -> Result<Simulation, RecipeError> {
    let size = request.size.unwrap_or(DEFAULT_SIZE).clamp(64, 2048) as usize;
    let (raw, truth_directory) = (request.directory.join("raw"), request.directory.join("truth"));
    make(&truth_directory)?;
    let detector = Detector::new(size, &mut ChaCha8Rng::seed_from_u64(request.seed));
    write_truth(&truth_directory, "response.fits", &detector.response)?;
    write_truth(&truth_directory, "dome.fits", &detector.dome_flat())?;
    write_truth(&truth_directory, "pixel.fits", &detector.pixel)?;
    write_truth(&truth_directory, "useful.fits", &detector.useful.mapv(f32::from))?;
    write_truth(&truth_directory, "defects.fits", &detector.defects.mapv(f32::from))?;
    let mut truth = Truth { gain: detector::GAIN, read_noise: detector::READ_NOISE, drift: detector::DRIFT, ..Truth::default() };
    let mut catalogue = sky::StarList::default();
    for night in 0..request.nights.max(1) {
        host.progress(f64::from(night) / f64::from(request.nights.max(1)), "simulating a night");
        // Streams of its own for each night: a night is the same however many there are.
        let rng = stream(request.seed, u64::from(night) + 1);
        let spectra_rng = stream(request.seed, u64::from(night) + SPECTRA_STREAM);
        let mut writer = Night::new(&detector, FIRST_NIGHT_MJD + 3 * i64::from(night), &raw, rng, spectra_rng)?;
        writer.all(&mut truth)?;
        // Last, so that the rest of the night does not depend on them.
        writer.polarimetry(&mut truth)?;
        writer.standard(&mut truth)?;
        catalogue.extend(&writer.stars);
        write_truth(&truth_directory, &format!("bias_{}.fits", writer.name), &writer.bias)?;
    }
    let text = serde_json::to_string_pretty(&truth).map_err(|e| RecipeError::new(e.to_string(), ""))?;
    write_product(truth_directory.join("catalogue.fits"), &[HduToWrite::Empty(&Header::new()), HduToWrite::Table(&catalogue.table())])?;
    let path = truth_directory.join("truth.json");
    fs::write(&path, text).map_err(|e| RecipeError::new(format!("cannot write {}: {e}", path.display()), ""))?;
    Ok(Simulation { raw, truth: truth_directory, frames: truth.frames.len() })
}

/// A stream of random numbers.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

fn make(directory: &Path) -> Result<(), RecipeError> {
    fs::create_dir_all(directory)
        .map_err(|e| RecipeError::new(format!("cannot create {}: {e}", directory.display()), "choose another directory"))
}

fn write_truth(directory: &Path, name: &str, data: &Array2<f32>) -> Result<(), RecipeError> {
    let header = Header::new();
    write_product(directory.join(name), &[HduToWrite::image(&header, data.view())])?;
    Ok(())
}

/// One night that is being written.
struct Night<'a> {
    detector: &'a Detector,
    rng: ChaCha8Rng,
    spectra_rng: ChaCha8Rng,
    mjd: i64,
    name: String,
    directory: std::path::PathBuf,
    bias: Array2<f32>,
    stars: sky::StarList,
}

impl<'a> Night<'a> {
    fn new(detector: &'a Detector, mjd: i64, raw: &Path, mut rng: ChaCha8Rng, spectra_rng: ChaCha8Rng) -> Result<Self, RecipeError> {
        let name = When { mjd, seconds: 0 }.night();
        let directory = raw.join(&name);
        make(&directory)?;
        let level = 666.0 + rng.random_range(-6.0..6.0_f32);
        Ok(Night {
            detector,
            rng,
            spectra_rng,
            mjd,
            name,
            directory,
            bias: detector.bias_structure.mapv(|v| v + level),
            stars: sky::StarList::default(),
        })
    }

    fn all(&mut self, truth: &mut Truth) -> Result<(), RecipeError> {
        let n = self.detector.size;
        let hour = |h: u32| h * 3600;
        for i in 0..BIAS_FRAMES {
            self.write(&Kind::bias(), hour(16) + 71 * i, None, TrueFrame::default(), &mut truth.frames)?;
        }
        let dome = self.detector.dome_flat();
        for i in 0..FLAT_FRAMES {
            let level = 28_000.0 * self.rng.random_range(0.9..1.1_f32);
            self.write(&Kind::dome_flat(), hour(17) + 60 * i, Some(dome.mapv(|r| r * level)), TrueFrame::default(), &mut truth.frames)?;
        }
        let continuum = Array2::from_shape_fn((n, n), |(y, _)| {
            let t = y as f32 / n as f32 - 0.5;
            15_000.0 * (-4.0 * t * t).exp()
        });
        for i in 0..3 {
            let flat = &continuum * &self.detector.pixel;
            self.write(&Kind::spectroscopic_flat(), hour(18) + 60 * i, Some(flat), TrueFrame::default(), &mut truth.frames)?;
        }
        self.skip_old_arc();
        let (arc, spectrum) = self.spectrograph().arc();
        self.spectrum(&Kind::arc(), hour(18) + 600, &arc, spectrum, truth)?;
        self.images(hour(20), &mut truth.frames)?;
        self.skip_old_spectrum(&continuum);
        let kind = Kind::spectrum();
        let star = Star::target(kind.exposure, kind.air_mass);
        let (image, spectrum) = self.spectrograph().expose(&star, &mut self.spectra_rng);
        self.spectrum(&kind, hour(27), &image, spectrum, truth)?;
        for i in 0..FLAT_FRAMES {
            // Each is brighter than the one before, with stars in other places.
            let mut sky = Array2::from_elem((n, n), 16_000.0 * 1.15_f32.powi(i as i32));
            for _ in 0..5 {
                let star = [self.rng.random_range(0.0..n as f64), self.rng.random_range(0.0..n as f64), self.rng.random_range(2e4..2e5)];
                add_star(&mut sky, star);
            }
            self.write(
                &Kind::twilight_flat(),
                hour(29) + 75 * i,
                Some(&sky * &self.detector.response),
                TrueFrame::default(),
                &mut truth.frames,
            )?;
        }
        Ok(())
    }

    fn spectrograph(&self) -> Spectrograph {
        Spectrograph { size: self.detector.size }
    }

    /// Draws what an arc of twelve lines anywhere drew, which nights once had: the frames after it keep their noise.
    fn skip_old_arc(&mut self) {
        let n = self.detector.size;
        let lines: Vec<(f32, f32)> =
            (0..12).map(|_| (self.rng.random_range(0.0..n as f32), self.rng.random_range(500.0..8000.0))).collect();
        let arc = Array2::from_shape_fn((n, n), |(y, _)| {
            lines.iter().map(|(c, height)| height * (-0.5 * ((y as f32 - c) / 1.5).powi(2)).exp()).sum::<f32>()
        });
        self.detector.expose(&self.bias, Some(&(&arc * &self.detector.pixel)), &mut self.rng);
    }

    /// As [`Self::skip_old_arc`], of a spectrum without sky.
    fn skip_old_spectrum(&mut self, continuum: &Array2<f32>) {
        let n = self.detector.size;
        let spectrum = Array2::from_shape_fn((n, n), |(y, x)| {
            let trace = (-0.5 * ((x as f32 - 0.52 * n as f32) / 2.0).powi(2)).exp();
            continuum[[y, x]] * (0.01 + 0.2 * trace)
        });
        self.detector.expose(&self.bias, Some(&(&spectrum * &self.detector.pixel)), &mut self.rng);
    }

    /// The spectrum of a standard star.
    fn standard(&mut self, truth: &mut Truth) -> Result<(), RecipeError> {
        let Some(standard) = spectra::standard() else { return Ok(()) };
        let kind = Kind::standard_spectrum(standard.position);
        let star = Star::standard(standard, kind.exposure, kind.air_mass);
        let (image, spectrum) = self.spectrograph().expose(&star, &mut self.spectra_rng);
        self.spectrum(&kind, 26 * 3600 + 1800, &image, spectrum, truth)
    }

    /// Writes a spectroscopic frame: light in ADU before the response of the pixels.
    fn spectrum(
        &mut self,
        kind: &Kind,
        seconds: u32,
        light: &Array2<f32>,
        spectrum: TrueSpectrum,
        truth: &mut Truth,
    ) -> Result<(), RecipeError> {
        let raw = self.detector.expose(&self.bias, Some(&(light * &self.detector.pixel)), &mut self.spectra_rng);
        let file = self.save(kind, seconds, raw.view(), TrueFrame::default(), &mut truth.frames)?;
        truth.spectra.push(TrueSpectrum { night: self.name.clone(), file, ..spectrum });
        Ok(())
    }

    fn images(&mut self, start: u32, frames: &mut Vec<TrueFrame>) -> Result<(), RecipeError> {
        let n = self.detector.size as f64;
        let count = (n * n / 2200.0) as usize;
        let field: Vec<[f64; 3]> = (0..count)
            .map(|_| {
                [
                    self.rng.random_range(-20.0..n + 20.0),
                    self.rng.random_range(-20.0..n + 20.0),
                    10_f64.powf(self.rng.random_range(3.6..5.2)),
                ]
            })
            .collect();
        let (stars, sky_places) = sky::place(&field, self.detector.size, self.mjd);
        self.stars = stars;
        for i in 0..SCIENCE_FRAMES {
            let (dx, dy) = (self.rng.random_range(-8.0..8.0), self.rng.random_range(-8.0..8.0));
            let stars: Vec<[f64; 3]> = field.iter().map(|s| [s[0] + dx, s[1] + dy, s[2]]).collect();
            let sky = 400.0 + 40.0 * f64::from(i);
            let mut scene = Array2::from_elem((self.detector.size, self.detector.size), sky as f32);
            stars.iter().for_each(|s| add_star(&mut scene, *s));
            let cosmic_rays = (0..(n * n / 3000.0) as usize)
                .map(|_| {
                    [
                        self.rng.random_range(0..self.detector.size) as f64,
                        self.rng.random_range(0..self.detector.size) as f64,
                        self.rng.random_range(400.0..9000.0),
                    ]
                })
                .collect();
            let truth = TrueFrame { sky, stars, sky_places: sky_places.clone(), cosmic_rays, ..TrueFrame::default() };
            let mut kind = Kind::image();
            // East is to the left: stars that move right show that the telescope went east.
            kind.offset_arcsec = (dx * 0.53, -dy * 0.53);
            self.write(&kind, start + 260 * i, Some(&scene * &self.detector.response), truth, frames)?;
        }
        Ok(())
    }

    /// Flats and sequences through the Wollaston prism.
    fn polarimetry(&mut self, truth: &mut Truth) -> Result<(), RecipeError> {
        let size = self.detector.size;
        let dome = self.detector.dome_flat();
        for (n, angle) in (0_u32..).zip(ANGLES) {
            let level = 26_000.0 * self.rng.random_range(0.9..1.1_f32);
            let when = 18 * 3600 + 1800 + 65 * n;
            self.write(&Kind::wollaston_flat(angle), when, Some(dome.mapv(|r| r * level)), TrueFrame::default(), &mut truth.frames)?;
        }
        let field = Target::field(size, frame::FIELD, &mut self.rng);
        self.sequence(&field, 22 * 3600, truth)?;
        if let Some(standard) = Target::standard(size, &mut self.rng) {
            self.sequence(&standard, 23 * 3600, truth)?;
        }
        Ok(())
    }

    /// One target at all angles.
    fn sequence(&mut self, target: &Target, start: u32, truth: &mut Truth) -> Result<(), RecipeError> {
        let mut first = None;
        for (n, angle) in (0_u32..).zip(ANGLES) {
            let shift = (self.rng.random_range(-2.0..2.0), self.rng.random_range(-2.0..2.0));
            let (scene, sky, stars) = target.expose(self.detector.size, angle, shift, &mut self.rng);
            let cosmic_rays = self.cosmic_rays();
            let mut kind = Kind::wollaston(target.object, target.place, angle);
            kind.offset_arcsec = (shift.0 * frame::SCALE, -shift.1 * frame::SCALE);
            let frame = TrueFrame { sky, cosmic_rays, ..TrueFrame::default() };
            self.write(&kind, start + 150 * n, Some(&scene * &self.detector.response), frame, &mut truth.frames)?;
            if let (None, Some(frame)) = (&first, truth.frames.last()) {
                first = Some(target.truth(&self.name, &frame.file, stars));
            }
        }
        truth.polarimetry.extend(first);
        Ok(())
    }

    /// Pixels struck in one exposure.
    fn cosmic_rays(&mut self) -> Vec<[f64; 3]> {
        let size = self.detector.size;
        let mut place = || self.rng.random_range(0..size) as f64;
        let places: Vec<(f64, f64)> = (0..size * size / 8000).map(|_| (place(), place())).collect();
        places.into_iter().map(|(x, y)| [x, y, self.rng.random_range(400.0..9000.0)]).collect()
    }

    fn write(
        &mut self,
        kind: &Kind,
        seconds: u32,
        signal: Option<Array2<f32>>,
        truth: TrueFrame,
        frames: &mut Vec<TrueFrame>,
    ) -> Result<(), RecipeError> {
        let mut raw = self.detector.expose(&self.bias, signal.as_ref(), &mut self.rng);
        for [x, y, height] in &truth.cosmic_rays {
            let v = &mut raw[[*y as usize, *x as usize]];
            *v = v.saturating_add(*height as u16);
        }
        self.save(kind, seconds, raw.view(), truth, frames)?;
        Ok(())
    }

    /// Writes a frame and gives its name.
    fn save(
        &self,
        kind: &Kind,
        seconds: u32,
        raw: ArrayView2<u16>,
        truth: TrueFrame,
        frames: &mut Vec<TrueFrame>,
    ) -> Result<String, RecipeError> {
        let when = When { mjd: self.mjd, seconds };
        let file = when.file_name(kind.file_kind);
        let header = frame::header(kind, when, self.detector.size);
        write_product(self.directory.join(&file), &[HduToWrite::image(&header, raw)])?;
        frames.push(TrueFrame { night: self.name.clone(), file: file.clone(), tag: kind.tag.to_owned(), ..truth });
        Ok(file)
    }
}

/// Adds a Gaussian star: column and row from 0, flux.
pub fn add_star(image: &mut Array2<f32>, star: [f64; 3]) {
    add_star_of(image, star, FWHM);
}

/// Adds a Gaussian star of another width.
fn add_star_of(image: &mut Array2<f32>, [x, y, flux]: [f64; 3], fwhm: f64) {
    let sigma = fwhm / 2.354_82;
    let reach = (7.0 * sigma).ceil();
    let (rows, columns) = image.dim();
    let range = |centre: f64, end: usize| (centre - reach).max(0.0) as usize..(centre + reach + 1.0).clamp(0.0, end as f64) as usize;
    for b in range(y, rows) {
        for a in range(x, columns) {
            let r2 = (a as f64 - x).powi(2) + (b as f64 - y).powi(2);
            image[[b, a]] += (flux / (2.0 * std::f64::consts::PI * sigma * sigma) * (-0.5 * r2 / (sigma * sigma)).exp()) as f32;
        }
    }
}
