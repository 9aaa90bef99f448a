//! Cosmic rays on single frames, where weak pixels are struck like others.

use ifured_pixels::cosmic::{CosmicOptions, remove_cosmic_rays};
use ifured_pixels::{Image, quality};

/// Removes cosmic rays (van Dokkum 2001, PASP 113, 1420); says how many pixels were struck.
pub fn remove_rays(image: &mut Image, sigma: f64, contrast: f64) -> usize {
    // Weak pixels can be struck like others.
    let exclude = !(quality::QUESTIONABLE | quality::LOW_SENSITIVITY);
    remove_cosmic_rays(image, &CosmicOptions { sigma_limit: sigma, contrast, exclude, ..CosmicOptions::default() }).pixels
}
