//! The sources of a field: both images of each, their fluxes in every frame, the Stokes parameters.

use ifured_core::{Host, RecipeError};
use ifured_pixels::fits::read_image;
use ifured_pixels::polarimetry::{BeamPair, FittedStokes, Separation, find_separation, fit_stokes, pair_images};
use ifured_pixels::sources::{Aperture, ApertureFlux, Source, aperture_flux};
use ifured_pixels::{Image, quality};

use super::field::Field;
use super::options::{Measurement, Side};

/// Inner and outer radius of the ring of sky, in radii of the aperture.
const RING: (f64, f64) = (1.5, 2.5);
/// Least radius of an aperture in pixels.
const LEAST_RADIUS: f64 = 2.0;
/// A flux with such a pixel is no flux.
const SPOILED: u32 =
    quality::MISSING | quality::OUTSIDE | quality::SATURATED_CONVERTER | quality::SATURATED_WELL | quality::CALIBRATION_DEFECT;

/// Another source is so near that its light is in an aperture.
pub const NEIGHBOUR: i32 = 1;
/// An image is saturated.
pub const SATURATED: i32 = 2;
/// A frame was left out because of a cosmic ray on an image.
pub const COSMIC_RAY: i32 = 4;
/// A dead, hot or weak pixel is in an aperture.
pub const DEFECT: i32 = 8;
/// The frames that are left have fewer than four angles.
pub const FEW_ANGLES: i32 = 16;
/// The angles contradict each other: chance would do so in 1 of 10 000.
pub const POOR_FIT: i32 = 32;
/// Flags that make the measurement doubtful.
const DOUBTFUL: i32 = NEIGHBOUR | SATURATED | FEW_ANGLES;

/// A source with its two images.
#[derive(Clone, Debug)]
pub struct Star {
    /// Column and row (from 0) of the ordinary image in the field.
    pub ordinary: (f64, f64),
    /// Column and row of the extraordinary image.
    pub extraordinary: (f64, f64),
    /// Mean flux of both images together in a frame, and its error, in ADU.
    pub flux: (f64, f64),
    /// Stokes parameters in the frame of the half-wave plate.
    pub stokes: Option<FittedStokes>,
    /// Why the polarisation may be wrong.
    pub flags: i32,
    pairs: Vec<BeamPair>,
}

/// The sources of a field.
pub struct Stars {
    /// Sources with two images, the brightest first.
    pub stars: Vec<Star>,
    /// The vector between the images.
    pub separation: Separation,
    /// Radius of the apertures in pixels.
    pub radius: f64,
    /// Images above twice the limit of the detection without a partner.
    pub unpaired: usize,
}

impl Stars {
    /// Finds the pairs and measures them; `None` where no two images belong together.
    pub fn of(field: &Field, options: &Measurement, host: &dyn Host) -> Result<Option<Stars>, RecipeError> {
        let places: Vec<(f64, f64, f64)> = field.sources.iter().map(|s| (s.x, s.y, s.flux)).collect();
        let Some(separation) = separation(&places, options) else { return Ok(None) };
        let pairs = pair_images(&places, separation.vector, options.pair_tolerance);
        if pairs.is_empty() {
            return Ok(None);
        }
        let radius = (options.aperture * field.fwhm).max(LEAST_RADIUS);
        let mut stars: Vec<Star> = pairs.iter().map(|&(o, e)| Star::of(&field.sources, (o, e), radius + field.fwhm)).collect();
        for (n, exposure) in field.exposures.iter().enumerate() {
            host.progress(0.6 + 0.3 * n as f64 / field.exposures.len() as f64, "fluxes");
            let (_, image) = read_image(&exposure.path)?;
            let apertures = Apertures { image: &image, radius, core: field.fwhm };
            for star in &mut stars {
                let place = |(x, y): (f64, f64)| exposure.alignment.apply(x, y);
                star.measure(&apertures, place(star.ordinary), place(star.extraordinary), exposure.angle);
            }
        }
        stars.iter_mut().for_each(|s| s.fit(options));
        let bright = field.sources.iter().enumerate().filter(|(_, s)| s.flux > 4.0 * options.detection_sigma * s.flux_error);
        let unpaired = bright.filter(|(n, _)| pairs.iter().all(|(o, e)| n != o && n != e)).count();
        Ok(Some(Stars { stars, separation, radius, unpaired }))
    }

    /// Stars that are measured without doubt, whether their angles agree or not.
    pub fn good(&self) -> impl Iterator<Item = (&Star, &FittedStokes)> {
        self.stars.iter().filter(|s| s.flags & DOUBTFUL == 0).filter_map(|s| Some((s, s.stokes.as_ref()?)))
    }
}

/// The vector between the images: as the user says, or found.
fn separation(places: &[(f64, f64, f64)], options: &Measurement) -> Option<Separation> {
    let given = (options.separation_columns, options.separation_rows);
    if given != (0.0, 0.0) {
        return Some(Separation { vector: given, pairs: 0, scatter: 0.0 });
    }
    let mut found = find_separation(places, (options.separation_low, options.separation_high))?;
    if options.extraordinary == Side::Below {
        found.vector = (-found.vector.0, -found.vector.1);
    }
    Some(found)
}

/// A frame and how fluxes are measured in it.
struct Apertures<'a> {
    image: &'a Image,
    radius: f64,
    /// Radius in which a cosmic ray spoils a star.
    core: f64,
}

impl Apertures<'_> {
    fn flux(&self, place: (f64, f64)) -> Option<ApertureFlux> {
        let ring = Some((RING.0 * self.radius, RING.1 * self.radius));
        aperture_flux(self.image, place, &Aperture { radius: self.radius, ring, exclude: SPOILED })
    }

    /// Quality bits of the pixels within a radius.
    fn bits(&self, (x, y): (f64, f64), radius: f64) -> u32 {
        let (rows, columns) = self.image.shape();
        let range = |centre: f64, n: usize| {
            (centre - radius).ceil().clamp(0.0, n as f64) as usize..((centre + radius).floor() + 1.0).clamp(0.0, n as f64) as usize
        };
        let places = range(y, rows).flat_map(|row| range(x, columns).map(move |column| [row, column]));
        places.filter(|at| (at[1] as f64 - x).hypot(at[0] as f64 - y) <= radius).fold(0, |bits, at| bits | self.image.quality[at])
    }
}

impl Star {
    /// Whether its polarisation can be believed.
    pub fn is_used(&self) -> bool {
        self.stokes.is_some() && self.flags & (DOUBTFUL | POOR_FIT) == 0
    }

    fn of(sources: &[Source], (o, e): (usize, usize), reach: f64) -> Self {
        let (ordinary, extraordinary) = ((sources[o].x, sources[o].y), (sources[e].x, sources[e].y));
        let near = |n: usize, s: &Source| {
            let distance = |(x, y): (f64, f64)| (s.x - x).hypot(s.y - y);
            n != o && n != e && distance(ordinary).min(distance(extraordinary)) < reach
        };
        let crowded = sources.iter().enumerate().any(|(n, s)| near(n, s));
        let flags = if crowded { NEIGHBOUR } else { 0 };
        Star { ordinary, extraordinary, flux: (f64::NAN, f64::NAN), stokes: None, flags, pairs: Vec::new() }
    }

    fn measure(&mut self, apertures: &Apertures, o: (f64, f64), e: (f64, f64), angle: f64) {
        let within = |radius: f64| apertures.bits(o, radius) | apertures.bits(e, radius);
        let (all, core) = (within(apertures.radius), within(apertures.core));
        if all & (quality::SATURATED_CONVERTER | quality::SATURATED_WELL) != 0 {
            self.flags |= SATURATED;
        }
        if all & (quality::DEAD | quality::HOT | quality::LOW_SENSITIVITY) != 0 {
            self.flags |= DEFECT;
        }
        if core & quality::COSMIC_RAY != 0 {
            self.flags |= COSMIC_RAY;
            return;
        }
        if let (Some(o), Some(e)) = (apertures.flux(o), apertures.flux(e)) {
            let beam = |f: ApertureFlux| (f.flux, f.error * f.error);
            self.pairs.push(BeamPair { angle, ordinary: beam(o), extraordinary: beam(e) });
        }
    }

    fn fit(&mut self, options: &Measurement) {
        let n = self.pairs.len() as f64;
        if n > 0.0 {
            let sum: f64 = self.pairs.iter().map(|p| p.ordinary.0 + p.extraordinary.0).sum();
            let variance: f64 = self.pairs.iter().map(|p| p.ordinary.1 + p.extraordinary.1).sum();
            self.flux = (sum / n, variance.sqrt() / n);
        }
        match fit_stokes(&self.pairs, options.modulator.into()) {
            Ok(found) => {
                // For one degree of freedom: 15.1 is passed by chance in 1 of 10 000; for more the normal approximation of Wilson & Hilferty (1931).
                let k = found.degrees_of_freedom as f64;
                let limit = k * (1.0 - 2.0 / (9.0 * k) + 3.72 * (2.0 / (9.0 * k)).sqrt()).powi(3);
                self.flags |= if found.chi2 > limit { POOR_FIT } else { 0 };
                self.stokes = Some(found);
            }
            Err(_) => self.flags |= FEW_ANGLES,
        }
    }
}
