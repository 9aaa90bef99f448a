//! Wavelengths in air and in vacuum.
//!
//! Refractive index of standard air (15 C, 101 325 Pa, dry, 450 ppm CO2): Ciddor 1996, Applied Optics 35, 1566, equation 1.
//! The way back is by fixed-point iteration, as the index hardly changes over the shift.

/// Refractive index of standard air at a vacuum wavelength in Angstrom (2300 to 17000).
pub fn refractive_index(vacuum: f64) -> f64 {
    let wave_number_squared = (1e4 / vacuum).powi(2);
    1.0 + 0.057_921_05 / (238.0185 - wave_number_squared) + 0.001_679_17 / (57.362 - wave_number_squared)
}

/// Wavelength in air of a wavelength in vacuum, Angstrom.
pub fn to_air(vacuum: f64) -> f64 {
    vacuum / refractive_index(vacuum)
}

/// Wavelength in vacuum of a wavelength in air, Angstrom.
pub fn to_vacuum(air: f64) -> f64 {
    (0..4).fold(air, |vacuum, _| air * refractive_index(vacuum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_measured_in_both_agree() {
        // NIST Atomic Spectra Database: Hg I, Ne I, Ar I in air and in vacuum.
        for (air, vacuum) in [(4358.335, 4359.560), (5460.750, 5462.268), (6402.248, 6404.018), (8115.311, 8117.542)] {
            assert!((to_air(vacuum) - air).abs() < 0.002, "{vacuum}: {}", to_air(vacuum));
            assert!((to_vacuum(air) - vacuum).abs() < 0.002, "{air}: {}", to_vacuum(air));
            assert!((to_vacuum(to_air(vacuum)) - vacuum).abs() < 1e-8);
        }
    }
}
