//! The calibrations that the recipes take, level by level.
//!
//! Level 0 is a calibration of the same night, 1 one of the days around it, 2 one further away. The mode of the instrument (wide or narrow field,
//! adaptive optics, nominal or extended range) must agree in all that light has passed; bias and dark depend on the read-out alone; the geometry on the
//! field, as ESO's calibration plan has it.

use ifured_core::Signature;
use ifured_core::recipe::{InputSpec, Level, Take};
use ifured_core::rule::key;
use ifured_core::signature::{Compare, SignatureKey};

use crate::frames::{MODE, detector, mode, set_up};

/// Days that a calibration may be away at levels 1 and 2.
const NEAR: f64 = 3.0;
const FAR: f64 = 30.0;

/// A signature with the channel: of one's own file, or of one with all channels.
pub fn with_channel(mut signature: Signature) -> Signature {
    signature.0.push(SignatureKey { key: "EXTNAME".into(), compare: Compare::Extension });
    signature
}

/// Of the same night, of the days around it, further away.
fn nightly(mut spec: InputSpec, signature: &Signature) -> InputSpec {
    let level = |level: i32, title: String, days: Option<f64>| Level {
        level,
        title,
        signature: signature.clone(),
        same_night: days.is_none(),
        max_age_days: days,
        ..Level::default()
    };
    spec.levels.push(level(0, "same night, same set-up".into(), None));
    spec.levels.push(level(1, format!("same set-up, within {NEAR} days"), Some(NEAR)));
    spec.levels.push(level(2, format!("same set-up, within {FAR} days"), Some(FAR)));
    spec
}

/// The next level of an input: whatever the time.
fn whenever(mut spec: InputSpec, title: &str, signature: &Signature) -> InputSpec {
    let level = spec.levels.last().map_or(0, |l| l.level + 1);
    spec.levels.push(Level { level, title: title.into(), signature: signature.clone(), ..Level::default() });
    spec
}

/// One of the channel of the task, required.
fn channel(role: &str, tag: &str, signature: Signature) -> InputSpec {
    nightly(InputSpec::required(role, tag), &with_channel(signature))
}

/// One of each channel, required.
fn each_channel(role: &str, tag: &str, signature: Signature) -> InputSpec {
    nightly(InputSpec::required(role, tag), &signature).take(Take::EachOf("EXTNAME".into()))
}

/// What belongs to the instrument: the nearest in time, whatever the time.
fn fixed(role: &str, tag: &str) -> InputSpec {
    whenever(InputSpec::required(role, tag), "nearest in time", &Signature::default())
}

fn optional(spec: InputSpec, otherwise: &str, level_without: i32) -> InputSpec {
    InputSpec { required: false, otherwise: otherwise.into(), level_without, ..spec }
}

/// The master bias.
pub fn bias() -> InputSpec {
    channel("bias", "MASTER_BIAS", detector())
}

/// The master dark: used where there is one.
pub fn dark() -> InputSpec {
    optional(channel("dark", "MASTER_DARK", detector()), "no dark current is subtracted", 0)
}

/// The master flat.
pub fn flat() -> InputSpec {
    channel("flat", "MASTER_FLAT", set_up())
}

/// The traces of the slices.
pub fn trace() -> InputSpec {
    channel("trace", "TRACE_TABLE", set_up())
}

/// The wavelength solution.
pub fn wavelengths() -> InputSpec {
    channel("wavelengths", "WAVECAL_TABLE", set_up())
}

/// Masters of all channels, for recipes that merge them.
pub fn masters_of_all_channels() -> Vec<InputSpec> {
    vec![
        each_channel("bias", "MASTER_BIAS", detector()),
        optional(each_channel("dark", "MASTER_DARK", detector()), "no dark current is subtracted", 0),
        each_channel("flat", "MASTER_FLAT", set_up()),
        each_channel("trace", "TRACE_TABLE", set_up()),
        each_channel("wavelengths", "WAVECAL_TABLE", set_up()),
    ]
}

/// Line-spread functions of all channels; without them sky lines cannot be subtracted.
pub fn line_spread() -> InputSpec {
    let spec = each_channel("line-spread", "LSF_PROFILE", set_up());
    optional(whenever(spec, "same mode", &mode()), "sky lines are not modelled", 3)
}

/// Known bad pixels, if there is a table.
pub fn bad_pixels() -> InputSpec {
    optional(fixed("bad-pixels", "BADPIX_TABLE"), "bad pixels are those that the calibrations show", 0)
}

/// The arc lines.
pub fn line_catalogue() -> InputSpec {
    fixed("line-catalogue", "LINE_CATALOG")
}

/// The places of the slices: of the same field, wide or narrow, the nearest in time.
pub fn geometry() -> InputSpec {
    let same = |pattern: &str| Level {
        title: "same field".into(),
        signature: Signature(vec![SignatureKey { key: MODE.into(), compare: Compare::Like(pattern.into()) }]),
        ..Level::default()
    };
    let spec = InputSpec { levels: vec![same("WFM*"), same("NFM*")], ..InputSpec::required("geometry", "GEOMETRY_TABLE") };
    whenever(spec, "field not said", &Signature::default())
}

/// The twilight cube; without it the illumination of the field is that of the lamp.
pub fn twilight() -> InputSpec {
    let spec = nightly(InputSpec::required("twilight", "TWILIGHT_CUBE"), &mode());
    optional(spec, "the illumination of the field is that of the lamp", 2)
}

/// The corner that is vignetted in frames before 2017-03-11 (MJD 57823.5).
pub fn vignetting() -> InputSpec {
    let spec = fixed("vignetting", "VIGNETTING_MASK").when(key("MJD-OBS").below(57823.5));
    optional(spec, "the vignetted corner is not corrected", 2)
}

/// Sensor of the temperature by which lamp flats beside the science exposures are chosen.
const TEMPERATURE: &str = "ESO INS TEMP7 VAL";

/// The lamp flat beside an exposure: the illumination of the slices changes with the temperature. Within two hours and half a degree, then one
/// degree, then the night and one degree; where temperatures are not known, the nearest of the night. None that is warmer or colder by more.
pub fn illumination() -> InputSpec {
    let level = |level: i32, title: &str, compare: Compare, hours: Option<f64>| {
        let mut signature = set_up();
        signature.0.push(SignatureKey { key: TEMPERATURE.into(), compare });
        let max_age_days = hours.map(|h| h / 24.0);
        Level { level, title: title.into(), signature, same_night: true, max_age_days, ..Level::default() }
    };
    let levels = vec![
        level(0, "within 2 hours and 0.5 degrees", Compare::Within(0.5), Some(2.0)),
        level(1, "within 2 hours and 1 degree", Compare::Within(1.0), Some(2.0)),
        // Exact and absent: both are unknown.
        Level { when: vec![key(TEMPERATURE).absent()], ..level(1, "same night, temperatures not known", Compare::Exact, None) },
        level(2, "same night, within 1 degree", Compare::Within(1.0), None),
    ];
    let spec = InputSpec { levels, ..InputSpec::required("illumination", "ILLUM") };
    optional(spec, "slices keep the illumination of the master flat", 2)
}

/// Atmospheric extinction.
pub fn extinction() -> InputSpec {
    fixed("extinction", "EXTINCT_TABLE")
}

/// Fluxes of standard stars.
pub fn standard_fluxes() -> InputSpec {
    fixed("standard-fluxes", "STD_FLUX_TABLE")
}

/// Telluric bands, if others than those of the pipeline.
pub fn telluric_regions() -> InputSpec {
    optional(fixed("telluric-regions", "TELLURIC_REGIONS"), "telluric bands are those of the pipeline", 0)
}

/// Filter curves.
pub fn filters() -> InputSpec {
    optional(fixed("filters", "FILTER_LIST"), "images in white light alone", 0)
}

/// The response of the standard nearest in time.
pub fn response() -> InputSpec {
    whenever(nightly(InputSpec::required("response", "STD_RESPONSE"), &mode()), "same mode, another season", &mode())
}

/// The telluric correction of the standard nearest in time.
pub fn telluric() -> InputSpec {
    optional(nightly(InputSpec::required("telluric", "STD_TELLURIC"), &mode()), "telluric absorption is not corrected", 2)
}

/// Sky lines: as measured in a sky exposure of the night (the nearest), else the list of lines from which the science exposure itself is fitted.
pub fn sky_lines() -> InputSpec {
    let spec = InputSpec { levels: vec![measured_in_the_night(), list_of_lines()], ..InputSpec::required("sky-lines", "SKY_LINES") };
    optional(spec, "no sky lines are subtracted", 3)
}

/// Measured in an exposure, not a list that is shipped.
fn measured_in_the_night() -> Level {
    let when = vec![key("ESO DPR CATG").present()];
    Level { title: "measured in the same night".into(), same_night: true, signature: mode(), when, ..Level::default() }
}

fn list_of_lines() -> Level {
    Level { title: "list of lines".into(), when: vec![key("ESO DPR CATG").absent()], ..Level::default() }
}

/// The list of sky lines to start from.
pub fn sky_line_list() -> InputSpec {
    InputSpec { levels: vec![list_of_lines()], ..InputSpec::required("sky-lines", "SKY_LINES") }
}

/// The continuum of the sky, as measured in the sky exposure of the night that is nearest.
pub fn sky_continuum() -> InputSpec {
    optional(
        InputSpec { levels: vec![measured_in_the_night()], ..InputSpec::required("sky-continuum", "SKY_CONTINUUM") },
        "the continuum is that of the exposure itself",
        0,
    )
}

/// The scale of the field.
pub fn astrometry() -> InputSpec {
    let spec = whenever(
        whenever(InputSpec::required("astrometry", "ASTROMETRY_WCS"), "same mode", &mode()),
        "another mode",
        &Signature::default(),
    );
    optional(spec, "a scale of 0.2 arcseconds is taken", 2)
}

/// What a user puts beside the data: used where it is.
pub fn own(role: &str, tag: &str) -> InputSpec {
    optional(fixed(role, tag), "the recipe makes its own", 0)
}

/// Lines of Raman scattering by air, which the lasers of the adaptive optics excite: only with them.
pub fn raman_lines() -> InputSpec {
    let spec = fixed("raman-lines", "RAMAN_LINES").when(key(MODE).like(&["*-AO-*"]));
    optional(spec, "light of the lasers that air scatters is not subtracted", 0)
}
