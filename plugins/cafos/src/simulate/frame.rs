//! Headers and names of simulated frames, as the telescope writes them.

use ifured_core::precession::from_j2000;
use ifured_core::{Card, Header};

use super::spectra::STANDARD;

/// Pixels of the whole chip along each axis.
pub const CHIP: usize = 2048;
/// Scale in arcseconds per pixel.
pub const SCALE: f64 = 0.53;
/// Exposure time of images, in seconds.
pub const EXPOSURE: f64 = 120.0;
/// Field of the images, J2000 degrees.
pub const FIELD: (f64, f64) = (150.0, 32.5);

/// Time of a frame: seconds after 0 h UT of a date; more than 86400 is the next date.
#[derive(Clone, Copy)]
pub struct When {
    /// Modified Julian date of the date of the night.
    pub mjd: i64,
    /// Seconds.
    pub seconds: u32,
}

impl When {
    fn date(&self) -> (i64, u32, u32) {
        // Civil date of a day number (Richards 2013, Explanatory Supplement to the Astronomical Almanac, section 15.11).
        let j = self.mjd + i64::from(self.seconds / 86400) + 2_400_001;
        let f = j + 1401 + (4 * j + 274_277) / 146_097 * 3 / 4 - 38;
        let e = 4 * f + 3;
        let h = 5 * ((e % 1461) / 4) + 2;
        let (day, month) = ((h % 153) / 5 + 1, (h / 153 + 2) % 12 + 1);
        (e / 1461 - 4716 + (14 - month) / 12, month as u32, day as u32)
    }

    fn clock(&self) -> String {
        let s = self.seconds % 86400;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }

    fn iso(&self) -> String {
        let (year, month, day) = self.date();
        format!("{year:04}-{month:02}-{day:02}T{}", self.clock())
    }

    /// Name of the directory of the night.
    pub fn night(&self) -> String {
        let (year, month, day) = self.date();
        format!("{:02}{month:02}{day:02}_t2_CAFOS", year % 100)
    }

    /// Name of the file.
    pub fn file_name(&self, kind: &str) -> String {
        let (year, month, day) = self.date();
        format!("caf-{year:04}{month:02}{day:02}-{}-{kind}-simu.fits", self.clock())
    }

    fn mjd(&self) -> f64 {
        // The telescope writes four decimals.
        ((self.mjd as f64 + f64::from(self.seconds) / 86400.0) * 1e4).round() / 1e4
    }
}

/// What kind of frame.
pub struct Kind {
    /// Tag that it must get.
    pub tag: &'static str,
    /// `cal` or `sci`.
    pub file_kind: &'static str,
    image_type: &'static str,
    object: &'static str,
    /// Exposure time in seconds.
    pub exposure: f64,
    /// Air mass.
    pub air_mass: f64,
    grism: &'static str,
    filter: (&'static str, &'static str),
    /// Angle of the half-wave plate before the Wollaston prism.
    plate: Option<f64>,
    /// Where the telescope points, J2000 degrees.
    field: (f64, f64),
    /// Offset of the pointing from the field, in arcseconds east and north.
    pub offset_arcsec: (f64, f64),
}

const NO_GRISM: &str = "GRISM-11";
const GREEN: &str = "GRISM- 9";
const FREE: (&str, &str) = ("FILT-12", "free");
const RED: (&str, &str) = ("FILT-11", "John R");

impl Kind {
    fn new(tag: &'static str, file_kind: &'static str, image_type: &'static str, object: &'static str, exposure: f64) -> Self {
        Kind {
            tag,
            file_kind,
            image_type,
            object,
            exposure,
            air_mass: 1.2,
            grism: NO_GRISM,
            filter: FREE,
            plate: None,
            field: FIELD,
            offset_arcsec: (0.0, 0.0),
        }
    }

    /// A bias.
    pub fn bias() -> Self {
        Kind::new("bias", "cal", "bias", "[bias]", 0.0)
    }

    /// A flat of the dome screen.
    pub fn dome_flat() -> Self {
        Kind { filter: RED, ..Kind::new("flat-imaging", "cal", "domeflat", "[flat] dome R", 12.0) }
    }

    /// A flat of the twilight sky.
    pub fn twilight_flat() -> Self {
        Kind { filter: RED, ..Kind::new("flat-imaging", "cal", "twilight", "[flat] sky R", 3.0) }
    }

    /// A flat through the grism.
    pub fn spectroscopic_flat() -> Self {
        Kind { grism: GREEN, ..Kind::new("flat-spectroscopy", "cal", "flat", "[flat] cont", 30.0) }
    }

    /// An arc.
    pub fn arc() -> Self {
        Kind { grism: GREEN, ..Kind::new("arc", "cal", "arc", "[arc] HgCdHeRb", 3.0) }
    }

    /// An image.
    pub fn image() -> Self {
        Kind { filter: RED, ..Kind::new("science-imaging", "sci", "science", "Field R", EXPOSURE) }
    }

    /// A flat of the dome screen through the Wollaston prism.
    pub fn wollaston_flat(angle: f64) -> Self {
        let kind = Kind::new("flat-imaging-wollaston", "cal", "domeflat", "[flat] dome R Wollaston", 14.0);
        Kind { filter: RED, plate: Some(angle), ..kind }
    }

    /// An image through the Wollaston prism.
    pub fn wollaston(object: &'static str, field: (f64, f64), angle: f64) -> Self {
        let kind = Kind::new("science-imaging-wollaston", "sci", "science", object, EXPOSURE);
        Kind { filter: RED, plate: Some(angle), field, ..kind }
    }

    /// The spectrum of a standard star.
    pub fn standard_spectrum(field: (f64, f64)) -> Self {
        let kind = Kind::new("science-spectroscopy", "sci", "science", STANDARD, 30.0);
        Kind { grism: GREEN, field, air_mass: 1.07, ..kind }
    }

    /// A spectrum.
    pub fn spectrum() -> Self {
        Kind { grism: GREEN, ..Kind::new("science-spectroscopy", "sci", "science", "Star G200", 600.0) }
    }
}

/// The header of a frame of `size` pixels along each axis, a window in the middle of the chip.
pub fn header(kind: &Kind, when: When, size: usize) -> Header {
    let mut h = Header::new();
    let corner = (CHIP - size) / 2 + 1;
    let section = format!("[{corner},{corner}:{},{}]", corner + size - 1, corner + size - 1);
    let (field, (east, north)) = (kind.field, kind.offset_arcsec);
    let (ra, dec) = from_j2000(field.0 + east / 3600.0 / field.1.to_radians().cos(), field.1 + north / 3600.0, when.mjd());
    let micro = |v: f64| (v * 1e6).round() / 1e6;
    h.set("INSTRUME", "CAFOS 2.2", "instrument ID");
    h.set("TELESCOP", "CA-2.2", "telescope-id");
    h.set("OBJECT", kind.object, "Target description");
    h.set("OBSERVER", "simulated", "Name of observer");
    h.set("EXPTIME", kind.exposure, "Total integration time (sec)");
    h.set("RA", micro(ra), "RA [deg]");
    h.set("DEC", micro(dec), "DEC [deg]");
    h.set("AIRMASS", kind.air_mass, "airmass");
    h.set("DATE", when.iso(), "file creation date");
    h.set("CTYPE1", "PIXEL", "Pixel coordinate system");
    h.set("CTYPE2", "PIXEL", "Pixel coordinate system");
    h.set("CRVAL1", (corner - 1) as f64, "start point rel. to 1. phys. pixel in axis 1");
    h.set("CRVAL2", (corner - 1) as f64, "start point rel. to 1. phys. pixel in axis 2");
    h.set("EQUINOX", 2000.0, "Equinox in years");
    h.set("RADECSYS", "FK5", "FK5?");
    h.set("MJD-OBS", when.mjd(), "modified jul. date");
    h.set("DATE-OBS", when.iso(), "UT date at beginning integration");
    h.set("IMAGETYP", kind.image_type, "Type of observation");
    h.set("CCDNAME", "SITE#1d_15", "Detector used");
    h.set("CCDBINX", 1_i64, "Binning factor along X");
    h.set("CCDBINY", 1_i64, "Binning factor along Y");
    h.set("CCDSENS", 1.43, "Sensitivity at selected Gain (e-/DN)");
    h.set("CCDSAT", 180_000.0, "Saturation of CCD (e-)");
    h.set("CCDRON", 7.4, "Readout-nois of CCD at selected Gain (e-)");
    h.set("BIASSEC", format!("[0,1:0,{size}]"), "overscan portion of frame [x1:y1,x2:y2]");
    h.set("DATASEC", section.as_str(), "image portion of frame [x1,y1:x2,y2]");
    h.set("CCDSEC", section.as_str(), "orientation to full frame [x1,y1:x2:y2]");
    h.set("ORIGSECX", 2048.0, "original size full frame nx");
    h.set("ORIGSECY", 2048.0, "original size full frame ny");
    h.push(Card::new("CAHA DET CCDS", 1_i64, "# of CCDs in detector array"));
    h.push(Card::new("CAHA DET CCD1 CF", 1.43, "Sensitivity at selected Gain (e-/DN)"));
    h.push(Card::new("CAHA TEL DOME.AZ", 118.0, "dome azimut [degr]"));
    h.push(Card::new("CAHA ADA POSANG", 0.0, "position angle of adapter"));
    h.set("INSTRMOD", if kind.grism == NO_GRISM { "Direct imaging" } else { "Spectroscopy" }, "");
    h.set("INSTRSCL", SCALE, "scale [arcsec/pixel]");
    h.set("INSTRPIX", 24.0, "pixel size");
    h.set("INSTRPX0", 1059.57, "pixel at x=0");
    h.set("INSTRPY0", 1056.95, "pixel at y=0");
    h.set("INSAPID", if kind.grism == NO_GRISM { "FREE" } else { "SLIT" }, "");
    h.set("INSFLID", kind.filter.0, "filter no.");
    h.set("INSFLNAM", kind.filter.1, "");
    h.set("INSGRID", kind.grism, "grism no.");
    h.set("INSGRNAM", if kind.grism == NO_GRISM { "free" } else { "green-200" }, "");
    h.set("INSGRROT", 241.22, "grism angle");
    h.set("INSPOFPI", if kind.plate.is_some() { "Wollaston" } else { "FREE" }, "");
    match kind.plate {
        Some(angle) => h.set("INSPOROT", angle, "rotator position"),
        None => h.set("INSPOROT", 0_i64, "rotator position"),
    }
    let lit = kind.tag == "arc";
    h.set("INSCALST", lit, "Calib IN (T/F)");
    h.set("INSCALID", if lit { "Lamp 123" } else { "Lamp" }, "lamp comb.");
    h.set("INSCALNM", if lit { "HgCd/He  /Rb" } else { "    /    /" }, "");
    h
}
