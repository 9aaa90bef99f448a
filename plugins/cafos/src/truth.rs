//! Products against the truth that the simulator wrote.
//!
//! Each comparison has a tolerance from the noise. A pull is (product - truth) / error; its robust standard deviation is 1 where the variance
//! of the product is honest.

mod polarimetry;
mod spectra;

use std::path::Path;

use ifured_core::recipe::{ProductPath, TruthRow};
use ifured_core::{RecipeError, provenance};
use ifured_pixels::astrometry::TanSip;
use ifured_pixels::detector::{GAIN, READ_NOISE, measured};
use ifured_pixels::fits::{HduSelect, ImageReader, read_image};
use ifured_pixels::sources::{Aperture, aperture_flux};
use ifured_pixels::statistics::{median, robust_sigma};
use ifured_pixels::{Image, quality};
use ndarray::Array2;

use crate::simulate::{TrueFrame, Truth, ZERO_POINT, add_star};
use crate::tags;

/// How far the standard deviation of the pulls may be from 1.
const PULL_TOLERANCE: f64 = 0.05;
/// Root mean square of a distortion that the fit may leave out, in pixels.
const HIDDEN_DISTORTION: f64 = 0.004;
/// Radius of the apertures for star fluxes, in pixels.
const APERTURE: f64 = 6.0;

/// Compares products with the truth in a directory.
pub fn compare(truth: &Path, products: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> {
    let known = Known::read(truth)?;
    let mut rows = Vec::new();
    for product in products {
        let mut add = |what: &str, found: f64, truth: f64, tolerance: f64, unit: &str| {
            let (product, what, unit) = (product.name.clone(), what.to_owned(), unit.to_owned());
            rows.push(TruthRow { product, what, found, truth, tolerance, unit });
        };
        match product.tag.as_str() {
            tags::MASTER_BIAS => known.bias(product, &mut add)?,
            tags::MASTER_FLAT_IMAGING => known.flat(product, &mut add)?,
            tags::FLAT_IMAGING_MASK => known.mask(product, &mut add)?,
            tags::MASTER_FLAT_SPECTROSCOPY => known.spectroscopic_flat(product, &mut add)?,
            tags::REDUCED_IMAGING => known.image(product, &mut add)?,
            tags::STOKES => polarimetry::stokes(polarimetry::sequence(&known.truth.polarimetry, product)?, product, &mut add)?,
            tags::INSTRUMENTAL_POLARISATION => {
                polarimetry::instrumental(polarimetry::sequence(&known.truth.polarimetry, product)?, product, &mut add)?;
            }
            tags::WAVELENGTH_SOLUTION => spectra::wavelengths(spectra::spectrum(&known.truth.spectra, product)?, product, &mut add)?,
            tags::EXTRACTED_SPECTRUM => spectra::extracted(spectra::spectrum(&known.truth.spectra, product)?, product, &mut add)?,
            tags::CALIBRATED_SPECTRUM => spectra::calibrated(spectra::spectrum(&known.truth.spectra, product)?, product, &mut add)?,
            tags::RESPONSE => spectra::curve(product, &mut add)?,
            tags::SOLVED_IMAGING => known.solved(product, &mut add)?,
            tags::COADD => known.coadd(product, &mut add)?,
            _ => {}
        }
    }
    Ok(rows)
}

type Add<'a> = &'a mut dyn FnMut(&str, f64, f64, f64, &str);

struct Known<'a> {
    directory: &'a Path,
    truth: Truth,
    useful: Array2<f32>,
    defects: Array2<f32>,
}

impl<'a> Known<'a> {
    fn read(directory: &'a Path) -> Result<Self, RecipeError> {
        let path = directory.join("truth.json");
        let advice = "give the truth directory that `ifured simulate` made";
        let text = std::fs::read_to_string(&path).map_err(|e| RecipeError::new(format!("cannot read {}: {e}", path.display()), advice))?;
        let truth = serde_json::from_str(&text).map_err(|e| RecipeError::new(format!("{}: {e}", path.display()), advice))?;
        let plane = |name: &str| plane(&directory.join(name));
        Ok(Known { directory, truth, useful: plane("useful.fits")?, defects: plane("defects.fits")? })
    }

    fn product(&self, product: &ProductPath) -> Result<(ifured_core::Header, Image), RecipeError> {
        let (header, image) = read_image(&product.path)?;
        if image.shape() != self.useful.dim() && product.tag.as_str() != tags::COADD {
            let what = format!("{} has {:?} pixels, the truth {:?}", product.name, image.shape(), self.useful.dim());
            return Err(RecipeError::new(what, "compare products of the simulated frames"));
        }
        Ok((header, image))
    }

    /// The raw frame whose name is in that of the product.
    fn frame(&self, product: &ProductPath) -> Result<&TrueFrame, RecipeError> {
        let of_product = |f: &&TrueFrame| {
            let stem = f.file.trim_end_matches(".fits");
            product.name.contains(stem) && product.name.split('/').any(|part| part == f.night)
        };
        self.truth
            .frames
            .iter()
            .find(of_product)
            .ok_or_else(|| RecipeError::new(format!("{} comes from no simulated frame", product.name), "leave it out of the comparison"))
    }

    fn bias(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let frame = self.frame(product)?;
        let (header, image) = self.product(product)?;
        let truth = plane(&self.directory.join(format!("bias_{}.fits", frame.night)))?;
        let good: Vec<usize> = (0..truth.len()).filter(|&p| at(&self.defects, p) == 0.0).collect();
        let errors: Vec<f32> = good.iter().map(|&p| at(&image.data, p) - at(&truth, p)).collect();
        let frames = header.real("IFURED FRAMES").unwrap_or(1.0);
        let noise = self.truth.read_noise / (frames * good.len() as f64).sqrt();
        let tolerance = 4.0 * (self.truth.drift.powi(2) / frames + 1.6 * noise * noise).sqrt();
        add("level error", median(&errors), 0.0, tolerance, "adu");
        let read_noise = (self.truth.read_noise.powi(2) + 1.0 / 12.0).sqrt();
        add("read noise", measured(&header, READ_NOISE).unwrap_or(f64::NAN), read_noise, 0.01 * read_noise, "adu");
        let pulls: Vec<f32> = good.iter().zip(&errors).map(|(&p, e)| e / at(&image.variance, p).sqrt()).collect();
        add("pull", robust_sigma(&pulls), 1.0, PULL_TOLERANCE, "");
        Ok(())
    }

    fn flat(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let (header, image) = self.product(product)?;
        let twilight = header.text("IMAGETYP").is_ok_and(|t| t.eq_ignore_ascii_case("twilight"));
        let truth = plane(&self.directory.join(if twilight { "response.fits" } else { "dome.fits" }))?;
        let good = self.good(&image);
        let ratios: Vec<f32> = good.iter().map(|&p| at(&image.data, p) / at(&truth, p)).collect();
        let scale = median(&ratios) as f32;
        add("median ratio", f64::from(scale), 1.0, 0.001, "");
        let pulls: Vec<f32> = good.iter().map(|&p| (at(&image.data, p) / scale - at(&truth, p)) / at(&image.variance, p).sqrt()).collect();
        add("pull", robust_sigma(&pulls), 1.0, PULL_TOLERANCE, "");
        let gain = header.real(GAIN).unwrap_or(f64::NAN);
        add("gain", gain, self.truth.gain, 0.04 * self.truth.gain, "e-/adu");
        let dead = (0..truth.len()).filter(|&p| at(&self.defects, p) == 3.0 && at(&self.useful, p) == 1.0);
        let (mut all, mut flagged) = (0.0, 0.0);
        for p in dead {
            all += 1.0;
            flagged += f64::from(u8::from(at(&image.quality, p) & quality::DEAD != 0));
        }
        add("dead pixels flagged", flagged, all, 0.0, "");
        Ok(())
    }

    fn mask(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let mask = plane(&product.path)?;
        let count = |useful: f32| self.useful.iter().zip(&mask).filter(|(u, m)| **u == useful && **m == 1.0).count() as f64;
        let lit = self.useful.iter().filter(|u| **u == 1.0).count() as f64;
        let side = self.useful.ncols() as f64;
        add("fraction of the field kept", count(1.0) / lit, 1.0, 0.015, "");
        add("pixels beyond the field", count(0.0), 0.0, 4.0 * side, "");
        let between = mask.iter().filter(|m| **m != 0.0 && **m != 1.0).count() as f64;
        add("pixels neither 0 nor 1", between, 0.0, 0.0, "");
        Ok(())
    }

    fn spectroscopic_flat(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let (_, image) = self.product(product)?;
        let truth = plane(&self.directory.join("pixel.fits"))?;
        let good: Vec<usize> = (0..truth.len()).filter(|&p| at(&self.defects, p) == 0.0 && at(&image.quality, p) == 0).collect();
        let ratios: Vec<f32> = good.iter().map(|&p| at(&image.data, p) / at(&truth, p)).collect();
        add("median ratio", median(&ratios), 1.0, 0.002, "");
        let pulls: Vec<f32> = good.iter().map(|&p| (at(&image.data, p) - at(&truth, p)) / at(&image.variance, p).sqrt()).collect();
        add("pull", robust_sigma(&pulls), 1.0, 2.0 * PULL_TOLERANCE, "");
        Ok(())
    }

    fn image(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let frame = self.frame(product)?;
        let (_, image) = self.product(product)?;
        let mut scene = Array2::from_elem(image.shape(), frame.sky as f32);
        frame.stars.iter().for_each(|s| add_star(&mut scene, *s));
        let good: Vec<usize> = self.good(&image).into_iter().filter(|&p| at(&scene, p) < 1.05 * frame.sky as f32).collect();
        let errors: Vec<f32> = good.iter().map(|&p| at(&image.data, p) - at(&scene, p)).collect();
        let tolerance = 4.0 * self.truth.drift + 0.001 * frame.sky;
        add("sky error", median(&errors), 0.0, tolerance, "adu");
        let pulls: Vec<f32> = good.iter().zip(&errors).map(|(&p, e)| e / at(&image.variance, p).sqrt()).collect();
        add("pull", robust_sigma(&pulls), 1.0, PULL_TOLERANCE, "");
        let inside = |x: f64, y: f64| self.useful.get((y as usize, x as usize)).is_some_and(|u| *u == 1.0);
        let (mut struck, mut found) = (0.0, 0.0);
        for [x, y, height] in &frame.cosmic_rays {
            let place = (*y as usize, *x as usize);
            let noise = image.variance.get(place).map_or(0.0, |v| f64::from(v.max(0.0).sqrt()));
            // On a star a ray may be lost in the light.
            if inside(*x, *y) && scene[place] < 1.3 * frame.sky as f32 && *height > 10.0 * noise && self.defects[place] == 0.0 {
                struck += 1.0;
                found += f64::from(u8::from(image.quality[place] & quality::COSMIC_RAY != 0));
            }
        }
        add("fraction of cosmic rays found", found / struck, 1.0, 0.1, "");
        self.fluxes(&image, &frame.stars, add);
        Ok(())
    }

    /// World coordinates: where they have the stars of the frame, less where the stars are.
    fn solved(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let frame = self.frame(product)?;
        let (header, image) = self.product(product)?;
        let (mut squares, mut largest, mut count) = (0.0, 0.0_f64, 0.0);
        let side = image.shape().0 as f64;
        if let Some(wcs) = TanSip::of_header(&header) {
            for ([x, y, _], [ra, dec]) in frame.stars.iter().zip(&frame.sky_places) {
                if (0.0..side).contains(x) && (0.0..side).contains(y) {
                    let (a, b) = wcs.to_pixel(*ra, *dec);
                    let distance = (a - x).hypot(b - y);
                    squares += distance * distance;
                    largest = largest.max(distance);
                    count += 1.0;
                }
            }
        }
        let error = (squares / count).sqrt();
        let numbers = provenance::outcome(&header).quality;
        let number = |name: &str| numbers.iter().find(|q| q.name == name);
        let value = |name: &str| number(name).and_then(|q| q.value).unwrap_or(f64::NAN);
        let stated = value("WCS ERROR");
        // The error is the sum of squares of some six numbers, so it may well be twice what is stated; and a distortion that is too small to be
        // seen stays in it.
        add("error of the world coordinates", error, 0.0, 2.5 * stated + HIDDEN_DISTORTION, "pixel");
        add("largest error of the world coordinates", largest, 0.0, 6.0 * stated + 3.0 * HIDDEN_DISTORTION, "pixel");
        let zero_point_error = number("ZERO POINT").and_then(|q| q.error).unwrap_or(f64::NAN);
        add("zero point", value("ZERO POINT"), ZERO_POINT, 4.0 * zero_point_error + 0.003, "mag");
        let seeing = value("SEEING") / value("WCS SCALE");
        add("seeing", seeing, crate::simulate::FWHM, 0.05, "pixel");
        Ok(())
    }

    fn coadd(&self, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
        let frame = self.frame(product)?;
        let (header, image) = self.product(product)?;
        if header.text("IFURED WCS").is_ok_and(|t| t.trim() == "fitted") {
            return self.solved_coadd(frame, &header, &image, add);
        }
        // The grid may be larger than the first image: its reference pixel has moved with the origin.
        let first = crate::wcs::Tan::of_header(&header);
        let shift = first.map_or((0.0, 0.0), |tan| {
            let corner = ((2048 - self.useful.ncols()) / 2 + 1) as f64;
            (tan.crpix.0 - (1059.57 - corner + 1.0), tan.crpix.1 - (1056.95 - corner + 1.0))
        });
        let stars: Vec<[f64; 3]> = frame.stars.iter().map(|s| [s[0] + shift.0, s[1] + shift.1, s[2]]).collect();
        self.fluxes(&image, &stars, add);
        Ok(())
    }

    /// A sum of solved images: its stars lie where its coordinates have them.
    fn solved_coadd(&self, frame: &TrueFrame, header: &ifured_core::Header, image: &Image, add: Add) -> Result<(), RecipeError> {
        let Some(wcs) = TanSip::of_header(header) else { return Ok(()) };
        let place = |([_, _, flux], [ra, dec]): (&[f64; 3], &[f64; 2])| {
            let (x, y) = wcs.to_pixel(*ra, *dec);
            [x, y, *flux]
        };
        let stars: Vec<[f64; 3]> = frame.stars.iter().zip(&frame.sky_places).map(place).collect();
        self.fluxes(image, &stars, add);
        let field = crate::stars::measure(image, 5.0, 1.5);
        let bright = field.stars.iter().filter(|s| s.flags == 0 && s.fit.flux > 50.0 * s.fit.flux_error);
        let nearest = |x: f64, y: f64| {
            let distances = stars.iter().map(|s| (s[0] - x, s[1] - y));
            distances.min_by(|a, b| a.0.hypot(a.1).total_cmp(&b.0.hypot(b.1))).filter(|d| d.0.hypot(d.1) < 1.0)
        };
        let off: Vec<(f64, f64)> = bright.filter_map(|s| nearest(s.fit.x, s.fit.y)).collect();
        let middle = |f: &dyn Fn(&(f64, f64)) -> f64| median(&off.iter().map(|d| f(d) as f32).collect::<Vec<_>>());
        add("column of the stars", middle(&|d| d.0), 0.0, 0.02, "pixel");
        add("row of the stars", middle(&|d| d.1), 0.0, 0.02, "pixel");
        Ok(())
    }

    /// Median ratio of aperture fluxes to the truth, from bright stars that stand alone well inside the field.
    fn fluxes(&self, image: &Image, stars: &[[f64; 3]], add: Add) {
        let unusable = quality::MISSING
            | quality::OUTSIDE
            | quality::DEAD
            | quality::COSMIC_RAY
            | quality::LOW_SENSITIVITY
            | quality::SATURATED_CONVERTER;
        let aperture = Aperture { radius: APERTURE, ring: Some((1.5 * APERTURE, 2.2 * APERTURE)), exclude: unusable };
        let mut ratios: Vec<f32> = Vec::new();
        for (n, [x, y, flux]) in stars.iter().enumerate() {
            let alone = stars.iter().enumerate().all(|(m, s)| m == n || (s[0] - x).hypot(s[1] - y) > 2.5 * APERTURE);
            if !alone || *flux < 2e4 || *flux > 3e5 {
                continue;
            }
            if let Some(found) = aperture_flux(image, (*x, *y), &aperture) {
                ratios.push((found.flux / flux) as f32);
            }
        }
        if ratios.len() >= 3 {
            let scatter = robust_sigma(&ratios).max(0.003);
            add("star flux", median(&ratios), 1.0, 5.0 * scatter / (ratios.len() as f64).sqrt() + 0.002, "");
        }
    }

    /// Pixels that are good in the product and in the truth.
    fn good(&self, image: &Image) -> Vec<usize> {
        (0..self.useful.len())
            .filter(|&p| at(&self.useful, p) == 1.0 && at(&self.defects, p) == 0.0 && at(&image.quality, p) == 0)
            .collect()
    }
}

/// A quality number of a product and its error.
fn number(header: &ifured_core::Header, name: &str) -> (f64, f64) {
    let numbers = provenance::outcome(header).quality;
    let found = numbers.iter().find(|q| q.name == name);
    (found.and_then(|q| q.value).unwrap_or(f64::NAN), found.and_then(|q| q.error).unwrap_or(f64::NAN))
}

fn at<T: Copy>(array: &Array2<T>, p: usize) -> T {
    array[[p / array.ncols(), p % array.ncols()]]
}

fn plane(path: &Path) -> Result<Array2<f32>, RecipeError> {
    Ok(ImageReader::open(path, HduSelect::First)?.read_all()?)
}
