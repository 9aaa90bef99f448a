//! Linear polarimetry with two beams: normalised Stokes parameters from pairs of ordinary and extraordinary fluxes, degree and angle of polarisation
//! without the bias of noise, and which images of a field belong together.
//!
//! Angles are in degrees, position angles count from north through east; q = Q/I and u = U/I are fractions of 1, counted so that the angle of
//! polarisation is `atan2(u, q) / 2` (IAU convention).

mod degree;
mod pairs;
mod stokes;

pub use degree::{Debias, Degree};
pub use pairs::{Separation, find_separation, pair_images};
pub use stokes::{BeamPair, FittedStokes, Modulator, PolarimetryError, Polarisation, distinct_angles, fit_stokes};
