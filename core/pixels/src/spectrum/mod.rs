//! Long-slit spectra: emission lines, their identification without a start, wavelength solutions in two dimensions, sky, extraction, response.
//!
//! Spectra run along axis 1 of a view, the slit along axis 0; a frame whose dispersion runs along its rows' axis is given transposed.
//! Pixels count from 0. Wavelengths are in Angstrom, in air or in vacuum as the list of lines has them.

pub mod air;
pub mod excess_noise;
pub mod extract;
pub mod flexure;
pub mod identify;
pub mod lines;
pub mod objects;
pub mod rectify;
pub mod response;
pub mod sky;
pub mod slit;
pub mod solution;
pub mod standards;
pub mod trace;

#[cfg(test)]
mod tests;
