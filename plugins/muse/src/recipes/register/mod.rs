//! `muse_register`: the offsets of the exposures of a field tied to positions that are known on the sky.
//!
//! `muse_exp_align` places exposures against each other, so that all of them have the error of the pointing of the first. Here the user says which position
//! on the sky some pixels of the image of an exposure must have. The shift that this takes is added to the offsets of all exposures, and the combination
//! takes that list. The shift is computed at the pixels that are given, through the whole projection (see [`shift`]).

mod image;
mod offset_list;
mod shift;

use ifured_core::angle::{declination, right_ascension};
use ifured_core::header::Value;
use ifured_core::recipe::{InputSpec, Memory};
use ifured_core::rule::like;
use ifured_core::{Figure, Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, provenance};
use ifured_pixels::fits::Table;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::{REGISTERED_OFFSETS as OFFSETS, of_field, one_field, same_field};
use image::ExposureImage;
use offset_list::OffsetList;
use shift::{Offset, mean, offset_to};

const IMAGE: &str = "IMAGE_FOV_REGISTERED";

/// A pixel and where it is on the sky.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Column in the image of the exposure, counted from 1 as FITS and DS9 do; fractions count.
    #[schemars(range(min = 0.5), extend("x-unit" = "pixels", "examples" = [158.3]))]
    pub x: f64,
    /// Row, counted from 1.
    #[schemars(range(min = 0.5), extend("x-unit" = "pixels", "examples" = [161.0]))]
    pub y: f64,
    /// Right ascension: degrees as a number, or sexagesimal hours as text.
    #[schemars(with = "NumberOrText", extend("examples" = ["03:32:24.15", 53.1006]))]
    pub ra: Value,
    /// Declination: degrees as a number, or sexagesimal degrees as text.
    #[schemars(with = "NumberOrText", extend("examples" = ["-27:48:02.3", -27.8006]))]
    pub dec: Value,
    /// The exposure whose image has the pixel: its `DATE-OBS`, or the name of its file or a part of it; `*` and `?` are wild. Without it the
    /// reference of the list of offsets. Where there are several fields, every position must have it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-default" = "the exposure without offset", "examples" = ["MUSE.2017-09-04T02:24:00"]))]
    pub exposure: String,
}

/// What an angle may be written as.
struct NumberOrText;

impl JsonSchema for NumberOrText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NumberOrText".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["number", "string"], "x-unit": "degrees"})
    }
}

/// Parameters of `muse_register`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Pixels and the positions on the sky that they must have. Of several the mean shift is taken. The recipe runs when they are given.
    #[schemars(extend("x-enables" = true, "examples" = [[{"x": 158.3, "y": 161.0, "ra": "03:32:24.15", "dec": "-27:48:02.3"}]]))]
    pub positions: Vec<Position>,
    /// Largest shift, in arcseconds on the sky: a larger one is an error.
    #[schemars(range(min = 0.0, max = 3600.0), extend("x-unit" = "arcseconds"))]
    pub max_shift: f64,
    /// Largest scatter of the shifts of several positions about their mean (one component), in arcseconds, of a good list.
    #[schemars(range(min = 0.0, max = 60.0), extend("x-unit" = "arcseconds"))]
    pub max_scatter: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { positions: Vec::new(), max_shift: 10.0, max_scatter: 0.2 }
    }
}

/// The recipe.
pub struct Register;

impl Recipe for Register {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        let offsets = InputSpec::optional("offsets", "OFFSET_LIST", "exposures are taken not to be shifted against each other");
        RecipeDescription {
            name: "muse_register".into(),
            title: "Offsets tied to known positions on the sky".into(),
            description: "Adds to the offsets of all exposures of a field the shift that puts pixels of an image where they must be on the sky. The \
                          list keeps the offsets as they were in RA_OFFSET_ORIG and DEC_OFFSET_ORIG, the image its world coordinates in OLDCRV1, \
                          OLDCRV2, OLDCPX1, OLDCPX2. muse_exp_combine takes this list before that of muse_exp_align. The pointing (CRVAL) \
                          moves, the reference pixel stays: so the image is not turned, also near the poles."
                .into(),
            main: one_field("IMAGE_FOV", 1),
            inputs: vec![InputSpec { level_without: 0, ..offsets.any_time(&same_field()) }],
            products: vec![
                of_field("muse_register", OFFSETS, "Offsets with the shift"),
                of_field("muse_register", IMAGE, "Image of the exposure at its place"),
            ],
            enabled: false,
            memory: Memory::fixed(64e6),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let images: Vec<ExposureImage> = task.main().map(ExposureImage::read).collect::<Result<_, _>>()?;
        let list = match task.role("offsets").next() {
            Some(input) => OffsetList::read(input)?,
            None => without_offsets(&images),
        };
        let ties = ties(&parameters, &images, &list)?;
        let Some(first) = ties.first() else {
            let note = "none of recipes.muse_register.positions is of this field: their exposures are of others";
            return Ok(Outcome { notes: vec![note.into()], ..Outcome::default() });
        };
        let shifts: Vec<Offset> = ties.iter().map(|t| t.shift).collect();
        let dec = first.place.1;
        let (shift, scatter) = mean(&shifts, dec);
        if shift.length(dec) > parameters.max_shift {
            let (x, y) = shift.arcsec(dec);
            let what = format!(
                "{}: the shift is {x:.2} and {y:.2} arcseconds in right ascension and declination, more than max_shift ({})",
                first.image.name, parameters.max_shift
            );
            let advice = "check pixel, position and units (text is hours in right ascension, numbers are degrees), or allow it with recipes.muse_register.max_shift";
            return Err(RecipeError::new(what, advice));
        }
        let mut outcome = Outcome { quality: quality(shift, scatter, &ties, dec, &parameters), ..Outcome::default() };
        outcome.notes.extend(not_in_list(&images, &list));
        let mut primary = list.primary.clone();
        primary.remove("DATE");
        task::write_tables(task, &mut outcome, OFFSETS, primary, &[list.registered(shift)])?;
        let offset = list.offset(&first.image.date).unwrap_or_default().plus(shift);
        let output = task::output(task, IMAGE)?;
        let stamp = |header: &mut Header| provenance::write(header, task, &outcome, IMAGE);
        let written = first.image.write_moved(&output.path, offset, &residuals(&ties, shift, dec), stamp)?;
        outcome.add(output, written.hash, written.bytes);
        Ok(outcome)
    }
}

/// A position in the image that it is of.
struct Tie<'a> {
    image: &'a ExposureImage,
    pixel: (f64, f64),
    place: (f64, f64),
    shift: Offset,
}

fn without_offsets(images: &[ExposureImage]) -> OffsetList {
    let exposures: Vec<(String, f64)> = images.iter().map(|i| (i.date.clone(), i.mjd)).collect();
    let mut primary = images.first().map(ExposureImage::primary).unwrap_or_default();
    primary.set("ESO PRO CATG", "OFFSET_LIST", "");
    OffsetList::of_exposures(&exposures, primary)
}

/// The positions of this field, each with the shift that it asks for.
fn ties<'a>(parameters: &Parameters, images: &'a [ExposureImage], list: &OffsetList) -> Result<Vec<Tie<'a>>, RecipeError> {
    if parameters.positions.is_empty() {
        let advice = "for example: positions = [{ x = 158.3, y = 161.0, ra = \"03:32:24.15\", dec = \"-27:48:02.3\" }]";
        return Err(RecipeError::new("recipes.muse_register.positions is empty", advice));
    }
    let mut ties = Vec::new();
    for (n, position) in parameters.positions.iter().enumerate() {
        let wrong = |what: String, advice: &str| Err(RecipeError::new(format!("recipes.muse_register.positions[{n}]: {what}"), advice));
        let Some(ra) = right_ascension(&position.ra) else {
            return wrong(
                format!("`{}` is no right ascension", position.ra),
                "write degrees as a number (53.1006) or hours as text (\"03:32:24.15\")",
            );
        };
        let Some(dec) = declination(&position.dec) else {
            return wrong(
                format!("`{}` is no declination", position.dec),
                "write degrees as a number (-27.8006) or as text (\"-27:48:02.3\")",
            );
        };
        let image = match image_of(position, images, list) {
            Ok(Some(image)) => image,
            Ok(None) => continue,
            Err(what) => return wrong(what, "name one exposure by its DATE-OBS or its file, as `ifured ls --tag OBJECT` shows it"),
        };
        let pixel = (position.x, position.y);
        if !image.contains(pixel) {
            let what =
                format!("the pixel ({}, {}) is outside of {}, which has {} x {}", pixel.0, pixel.1, image.name, image.size.0, image.size.1);
            return wrong(what, "pixels count from 1, as DS9 shows them (IMAGE coordinates)");
        }
        let Some(total) = offset_to(&image.wcs, pixel, (ra, dec)) else {
            return wrong(format!("({ra}, {dec}) degrees cannot be reached from {}", image.name), "check the position");
        };
        let shift = total.minus(list.offset(&image.date).unwrap_or_default());
        ties.push(Tie { image, pixel, place: (ra, dec), shift });
    }
    Ok(ties)
}

/// The image that a position is of; none if it is of another field.
fn image_of<'a>(position: &Position, images: &'a [ExposureImage], list: &OffsetList) -> Result<Option<&'a ExposureImage>, String> {
    let wanted = position.exposure.trim();
    if wanted.is_empty() {
        let Some(date) = list.reference() else { return Err("no exposure of the list has an offset of zero".into()) };
        let found = images.iter().find(|i| i.date == date);
        return found.map(Some).ok_or_else(|| format!("the reference of the list of offsets ({date}) has no image here"));
    }
    let is =
        |i: &&ExposureImage| i.date == wanted || i.name.contains(wanted) || like(&format!("*{wanted}*"), &i.name) || like(wanted, &i.date);
    let found: Vec<&ExposureImage> = images.iter().filter(is).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let names: Vec<&str> = several.iter().map(|i| i.name.as_str()).collect();
            Err(format!("`{wanted}` is the name of {} exposures: {}", several.len(), names.join(", ")))
        }
    }
}

fn quality(shift: Offset, scatter: Option<f64>, ties: &[Tie<'_>], dec: f64, parameters: &Parameters) -> Vec<QualityNumber> {
    let (ra, de) = shift.arcsec(dec);
    let error = scatter.map(|s| s / (ties.len() as f64).sqrt());
    let with_error = |number: QualityNumber| error.map_or(number.clone(), |e| number.with_error(e));
    let mut numbers = vec![
        with_error(QualityNumber::new("SHIFT RA", ra, "arcsec", "shift in right ascension, on the sky: added to the offsets")),
        with_error(QualityNumber::new("SHIFT DEC", de, "arcsec", "shift in declination: added to the offsets")),
        QualityNumber::new("POSITIONS", ties.len() as f64, "", "positions that were given"),
    ];
    if let Some(scatter) = scatter {
        let title = "scatter of the shifts of the positions about their mean, one component";
        numbers.push(QualityNumber::new("SHIFT SCATTER", scatter, "arcsec", title).within(
            0.0,
            parameters.max_scatter,
            Grade::Questionable,
        ));
    }
    numbers
}

/// Exposures that the list of offsets does not have: the combination would place them by their headers.
fn not_in_list(images: &[ExposureImage], list: &OffsetList) -> Option<String> {
    let missing: Vec<&str> = images.iter().filter(|i| list.offset(&i.date).is_none()).map(|i| i.name.as_str()).collect();
    (!missing.is_empty()).then(|| format!("not in the list of offsets, so that they are not shifted: {}", missing.join(", ")))
}

/// What each position is off after the shift.
fn residuals(ties: &[Tie<'_>], shift: Offset, dec: f64) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", "POSITIONS", "");
    Figure::new("What the positions are off after the shift (arrows: arcseconds on the sky)", "X")
        .arrows("Y", "RA_RESIDUAL", "DEC_RESIDUAL")
        .write(&mut header);
    let mut table = Table::new(header, ties.len());
    let of = |value: &dyn Fn(&Tie<'_>) -> f64| ties.iter().map(value).collect::<Vec<f64>>();
    table.push("EXPOSURE", "", ties.iter().map(|t| t.image.date.clone()).collect::<Vec<_>>().into());
    table.push("X", "pix", of(&|t| t.pixel.0).into());
    table.push("Y", "pix", of(&|t| t.pixel.1).into());
    table.push("RA", "deg", of(&|t| t.place.0).into());
    table.push("DEC", "deg", of(&|t| t.place.1).into());
    table.push("RA_RESIDUAL", "arcsec", of(&|t| t.shift.minus(shift).arcsec(dec).0).into());
    table.push("DEC_RESIDUAL", "arcsec", of(&|t| t.shift.minus(shift).arcsec(dec).1).into());
    table
}

#[cfg(test)]
mod tests;
