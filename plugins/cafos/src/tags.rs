//! Names of raw frames and products of CAFOS.

/// Bias frames.
pub const BIAS: &str = "bias";
/// Imaging flats.
pub const FLAT_IMAGING: &str = "flat-imaging";
/// Imaging flats through the Wollaston prism.
pub const FLAT_IMAGING_WOLLASTON: &str = "flat-imaging-wollaston";
/// Spectroscopic flats.
pub const FLAT_SPECTROSCOPY: &str = "flat-spectroscopy";
/// Arcs.
pub const ARC: &str = "arc";
/// Images.
pub const SCIENCE_IMAGING: &str = "science-imaging";
/// Images through the Wollaston prism.
pub const SCIENCE_IMAGING_WOLLASTON: &str = "science-imaging-wollaston";
/// Spectra.
pub const SCIENCE_SPECTROSCOPY: &str = "science-spectroscopy";
/// Master bias.
pub const MASTER_BIAS: &str = "master-bias";
/// Master imaging flat.
pub const MASTER_FLAT_IMAGING: &str = "master-flat-imaging";
/// Mask of the illuminated field.
pub const FLAT_IMAGING_MASK: &str = "flat-imaging-mask";
/// Master imaging flat through the Wollaston prism.
pub const MASTER_FLAT_IMAGING_WOLLASTON: &str = "master-flat-imaging-wollaston";
/// Its mask of the illuminated field.
pub const FLAT_IMAGING_WOLLASTON_MASK: &str = "flat-imaging-wollaston-mask";
/// Master spectroscopic flat.
pub const MASTER_FLAT_SPECTROSCOPY: &str = "master-flat-spectroscopy";
/// Arc, bias subtracted.
pub const REDUCED_ARC: &str = "reduced-arc";
/// Image, reduced.
pub const REDUCED_IMAGING: &str = "reduced-imaging";
/// Image through the Wollaston prism, reduced.
pub const REDUCED_IMAGING_WOLLASTON: &str = "reduced-imaging-wollaston";
/// Two-dimensional spectrum, reduced.
pub const REDUCED_SPECTROSCOPY: &str = "reduced-spectroscopy";
/// Illumination correction.
pub const ILLUMINATION: &str = "illumination";
/// Fringe map.
pub const FRINGE_MAP: &str = "fringe-map";
/// Image with its fringes subtracted.
pub const DEFRINGED_IMAGING: &str = "defringed-imaging";
/// Sum of images of one field.
pub const COADD: &str = "coadd";
/// Image with fitted world coordinates.
pub const SOLVED_IMAGING: &str = "solved-imaging";
/// Wavelength of every pixel.
pub const WAVELENGTH_SOLUTION: &str = "wavelength-solution";
/// Two-dimensional spectrum without sky, on equal steps in wavelength.
pub const RECTIFIED_SPECTRUM: &str = "rectified-spectrum";
/// Spectra of the objects on the slit, in ADU.
pub const EXTRACTED_SPECTRUM: &str = "extracted-spectrum";
/// Response of telescope and instrument.
pub const RESPONSE: &str = "response";
/// Spectra of the objects on the slit, in physical units.
pub const CALIBRATED_SPECTRUM: &str = "calibrated-spectrum";
/// Stokes parameters of the sources of a field.
pub const STOKES: &str = "stokes";
/// Polarisation that telescope and instrument add.
pub const INSTRUMENTAL_POLARISATION: &str = "instrumental-polarisation";
