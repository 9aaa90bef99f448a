//! From a two-dimensional spectrum to the spectra of the objects on the slit.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Figure, Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, provenance};
use ifured_pixels::Image;
use ifured_pixels::detector::{GAIN, measured};
use ifured_pixels::fits::{Table, read_image};
use ifured_pixels::spectrum::air;
use ifured_pixels::spectrum::excess_noise::excess_variance;
use ifured_pixels::spectrum::extract::{ExtractOptions, Extracted, SkyOfFrame, extract};
use ifured_pixels::spectrum::flexure::{Flexure, FlexureOptions, SkySample, flexure};
use ifured_pixels::spectrum::objects::{self, SlitObject};
use ifured_pixels::spectrum::rectify::{WavelengthGrid, rectify};
use ifured_pixels::spectrum::sky::{SkyModel, SkyOptions, fit_sky};
use ifured_pixels::spectrum::slit::{SlitView, transposed, turned};
use ifured_pixels::spectrum::trace::{Trace, trace};
use ifured_pixels::statistics::clipped_moments;
use ifured_pixels::task;
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use super::wavelength_solution::AXIS;
use crate::detector::USUAL_GAIN;
use crate::spectra::{Medium, SpectrumTable};
use crate::{products, signatures, tags};

/// Parameters of `extraction`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Whether wavelengths are those in air or in vacuum; the fluxes are the same.
    pub medium: Medium,
    /// Parts of the slit that are sky, as pairs of first and last pixel, counted from 1; without them the program looks for itself.
    #[schemars(extend("x-unit" = "pixels"), example = vec![(20, 300), (900, 1080)])]
    pub sky_regions: Vec<(usize, usize)>,
    /// Degree of the change of the sky along the slit.
    #[schemars(range(min = 0, max = 5), extend("x-unit" = "1"))]
    pub sky_degree: usize,
    /// Places of the objects along the slit in pixels from 1; without them the program looks for itself.
    #[schemars(extend("x-unit" = "pixels"), example = vec![532.0])]
    pub objects: Vec<f64>,
    /// Most objects that are extracted, brightest first.
    #[schemars(range(min = 1, max = 20), extend("x-unit" = "1"))]
    pub most_objects: usize,
    /// Height of an object in the mean of all wavelengths, in units of the noise.
    #[schemars(range(min = 3.0, max = 1000.0), extend("x-unit" = "1"))]
    pub threshold: f64,
    /// Degree of the curve along which an object runs.
    #[schemars(range(min = 0, max = 8), extend("x-unit" = "1"))]
    pub trace_degree: usize,
    /// Half the aperture, in units of the full width at half maximum of the object.
    #[schemars(range(min = 0.3, max = 10.0), extend("x-unit" = "1"))]
    pub aperture: f64,
    /// Whether the night-sky lines correct the wavelengths of the arc.
    pub flexure: bool,
    /// Degree of the flexure in wavelength, if the sky lines allow it.
    #[schemars(range(min = 0, max = 4), extend("x-unit" = "1"))]
    pub flexure_degree: usize,
    /// Largest flexure that is looked for, in pixels.
    #[schemars(range(min = 0.5, max = 50.0), extend("x-unit" = "pixels"))]
    pub flexure_reach: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            medium: Medium::Air,
            sky_regions: Vec::new(),
            sky_degree: 2,
            objects: Vec::new(),
            most_objects: 3,
            threshold: 8.0,
            trace_degree: 3,
            aperture: 1.5,
            flexure: true,
            flexure_degree: 1,
            flexure_reach: 8.0,
        }
    }
}

/// The recipe.
pub struct Extraction;

impl Recipe for Extraction {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "extraction".into(),
            title: "Spectra of the objects on the slit".into(),
            description: "Fits the sky where it was recorded (Kelson 2003), measures the flexure on its lines and corrects the \
                wavelengths, finds objects, follows them, and extracts them by profile (Horne 1986) and by plain sum at the pixels of \
                the detector. Writes the sky-subtracted frame on equal steps in wavelength, and a table for each object."
                .into(),
            main: MainInput::single(&[tags::REDUCED_SPECTROSCOPY], &signatures::science()),
            inputs: vec![inputs::wavelengths()],
            products: vec![
                ProductSpec::new(
                    tags::RECTIFIED_SPECTRUM,
                    "Two-dimensional spectrum without sky, on equal steps in wavelength",
                    "extraction/{night}/rectified_{stem}.fits",
                    &signatures::science(),
                ),
                ProductSpec::new(
                    tags::EXTRACTED_SPECTRUM,
                    "Spectra of the objects on the slit",
                    "extraction/{night}/extracted_{stem}.fits",
                    &signatures::science(),
                ),
            ],
            memory: Memory::streaming(60e6, 90.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task::single(task)?;
        let (header, image) = read_image(&input.path)?;
        let mut outcome = Outcome::default();
        let Some(arc) = Arc::read(task, image.shape())? else {
            outcome.quality.push(QualityNumber::new("N OBJECTS", 0.0, "", "objects extracted").within(1.0, f64::INFINITY, Grade::Bad));
            outcome
                .notes
                .push("there is no wavelength solution for this grism: nothing is extracted; see `ifured why` for the arcs".into());
            return Ok(outcome);
        };
        let mut image = turned(image, arc.axis);
        let sky = Sky::of(&SlitView::of(&image, 1), &arc, &parameters)?;
        let excess = add_excess_noise(&mut image, &sky);
        let slit = Slit::of(SlitView::of(&image, 1), sky, &parameters)?;
        host.progress(0.5, "flexure");
        outcome.quality.push(QualityNumber::new(
            "EXCESS NOISE",
            excess,
            "adu",
            "noise beyond that of read-out and photons, added to the errors",
        ));
        let flexure = slit.flexure(&arc, &parameters);
        slit.judge(&mut outcome, flexure.as_ref(), parameters.flexure);
        let corrected = |w: f64| {
            let w = w - flexure.as_ref().map_or(0.0, |f| f.at(w));
            if parameters.medium == Medium::Air { w } else { air::to_vacuum(w) }
        };
        let wavelengths = slit.sky.wavelengths.mapv(|w| corrected(f64::from(w)) as f32);
        host.progress(0.6, "objects");
        let gain = measured(&header, GAIN).unwrap_or(USUAL_GAIN);
        let found = slit.extract(&parameters, gain);
        let mut header = products::header_of(&header);
        parameters.medium.write(&mut header);
        judge_objects(&mut outcome, &found);
        let rectified = rectified(&slit, &wavelengths, &mut header.clone())?;
        task::write(task, &mut outcome, tags::RECTIFIED_SPECTRUM, rectified.0, &rectified.1)?;
        if !found.is_empty() {
            let mut tables: Vec<Table> = found.iter().enumerate().map(|(n, o)| o.table(n + 1, &wavelengths, &slit)).collect();
            tables.push(traces_table(&found));
            tables.extend(flexure.as_ref().map(flexure_table));
            task::write_tables(task, &mut outcome, tags::EXTRACTED_SPECTRUM, header, &tables)?;
        }
        Ok(outcome)
    }
}

/// Adds the noise that the frame has beyond its variances to them; gives its median in ADU.
fn add_excess_noise(image: &mut Image, sky: &Sky) -> f64 {
    let excess = excess_variance(&SlitView::of(image, 1), sky.image.view(), &sky.is_sky);
    image.variance.indexed_iter_mut().for_each(|((_, x), v)| *v += excess[x] as f32);
    let roots: Vec<f32> = excess.iter().map(|e| e.sqrt() as f32).collect();
    ifured_pixels::statistics::median(&roots)
}

/// The wavelength solution of the frame.
struct Arc {
    /// In air, slit along axis 0.
    wavelengths: Array2<f32>,
    axis: u8,
    /// Full width at half maximum of its lines, Angstrom.
    line_width: f64,
}

impl Arc {
    /// None where the task has none.
    fn read(task: &Task, shape: (usize, usize)) -> Result<Option<Arc>, RecipeError> {
        let (Some(image), Some(input)) = (task::calibration(task, "wavelengths", shape)?, task.role("wavelengths").next()) else {
            return Ok(None);
        };
        let header = ifured_pixels::fits::primary_header(&input.path)?;
        let wavelengths = match Medium::of(&header) {
            Medium::Air => image.data,
            medium => image.data.mapv(|w| medium.to_air(f64::from(w)) as f32),
        };
        let width = provenance::outcome(&header).quality.iter().find(|q| q.name == "LINE WIDTH").and_then(|q| q.value);
        let axis = if header.integer(AXIS).unwrap_or(2) == 1 { 1 } else { 2 };
        let wavelengths = if axis == 1 { wavelengths } else { transposed(&wavelengths) };
        Ok(Some(Arc { wavelengths, axis, line_width: width.filter(|w| *w > 0.0).unwrap_or(f64::NAN) }))
    }
}

/// The sky of a frame, slit along axis 0.
struct Sky {
    wavelengths: Array2<f32>,
    is_sky: Vec<bool>,
    model: SkyModel,
    image: Array2<f32>,
}

/// A frame with its sky and the objects on it.
struct Slit<'a> {
    view: SlitView<'a>,
    sky: Sky,
    objects: Vec<SlitObject>,
}

/// An object with its spectrum.
struct Object {
    found: SlitObject,
    trace: Trace,
    spectrum: Extracted,
}

impl Sky {
    fn of(view: &SlitView, arc: &Arc, parameters: &Parameters) -> Result<Sky, RecipeError> {
        let wavelengths = arc.wavelengths.clone();
        let options = SkyOptions { slit_degree: parameters.sky_degree, ..SkyOptions::default() };
        let fit = |rows: &[bool]| {
            enough(rows)?;
            let model = fit_sky(view, wavelengths.view(), rows, &options)
                .map_err(|e| RecipeError::new(format!("the sky cannot be fitted: {e}"), "set `recipes.extraction.sky_regions`"))?;
            let image = model.image(wavelengths.view());
            Ok::<_, RecipeError>((model, image))
        };
        let chosen = regions(&parameters.sky_regions, view.shape().0)?;
        let mut is_sky = chosen.clone().unwrap_or_else(|| {
            let rough = objects::median_sky(view);
            objects::sky_rows(&objects::slit_profile(view, |_, x| rough[x]), parameters.sky_degree + 1)
        });
        let (mut model, mut image) = fit(&is_sky)?;
        if chosen.is_none() {
            // Faint wings are seen once most of the sky is gone.
            let again = objects::sky_rows(&objects::subtracted_profile(view, image.view()), 1);
            is_sky.iter_mut().zip(again).for_each(|(a, b)| *a &= b);
            (model, image) = fit(&is_sky)?;
        }
        Ok(Sky { wavelengths, is_sky, model, image })
    }

    /// The middle row of those that are sky.
    fn row(&self) -> usize {
        let rows: Vec<usize> = (0..self.is_sky.len()).filter(|&y| self.is_sky[y]).collect();
        rows[rows.len() / 2]
    }
}

impl<'a> Slit<'a> {
    fn of(view: SlitView<'a>, sky: Sky, parameters: &Parameters) -> Result<Slit<'a>, RecipeError> {
        let mut objects = objects::find_objects(&objects::subtracted_profile(&view, sky.image.view()), parameters.threshold);
        if !parameters.objects.is_empty() {
            objects = asked_for(&parameters.objects, &objects, view.shape().0)?;
        }
        objects.truncate(parameters.most_objects);
        Ok(Slit { view, sky, objects })
    }

    fn flexure(&self, arc: &Arc, parameters: &Parameters) -> Option<Flexure> {
        if !parameters.flexure {
            return None;
        }
        let y = self.sky.row();
        let row = self.sky.wavelengths.row(y);
        let pixel = f64::from((row[row.len() - 1] - row[0]).abs()) / (row.len().max(2) - 1) as f64;
        let sample = |w: &f32| {
            let (value, variance) = self.sky.model.at(f64::from(*w), y as f64)?;
            Some(SkySample { wavelength: f64::from(*w), value, variance })
        };
        let mut spectrum: Vec<SkySample> = row.iter().filter_map(sample).collect();
        spectrum.sort_by(|a, b| a.wavelength.total_cmp(&b.wavelength));
        let fwhm = if arc.line_width.is_finite() { arc.line_width } else { 3.0 * pixel };
        flexure(&spectrum, &FlexureOptions { air: true, fwhm, reach: parameters.flexure_reach * pixel, degree: parameters.flexure_degree })
    }

    fn judge(&self, outcome: &mut Outcome, flexure: Option<&Flexure>, wanted: bool) {
        let mut pulls: Vec<f32> = Vec::new();
        let (height, width) = self.view.shape();
        for y in (0..height).filter(|&y| self.sky.is_sky[y]) {
            for x in (0..width).step_by(3) {
                if let Some((value, variance)) = self.view.good(y, x) {
                    pulls.push(((value - f64::from(self.sky.image[[y, x]])) / variance.sqrt()) as f32);
                }
            }
        }
        let share = self.sky.is_sky.iter().filter(|s| **s).count() as f64 / self.sky.is_sky.len().max(1) as f64;
        outcome.quality.extend([
            QualityNumber::new("SKY SHARE", 100.0 * share, "%", "share of the slit that is sky").within(10.0, 100.0, Grade::Questionable),
            QualityNumber::new("SKY PULL", clipped_moments(&pulls, 5.0).sigma, "", "scatter of the sky pixels over their errors").within(
                0.8,
                1.25,
                Grade::Questionable,
            ),
        ]);
        if let Some(found) = flexure {
            let middle = f64::from(self.sky.wavelengths[[self.sky.row(), width / 2]]);
            outcome.quality.extend([
                QualityNumber::new("FLEXURE", found.at(middle), "Angstrom", "arc minus sky lines, in the middle")
                    .with_error(found.error_at(middle)),
                QualityNumber::new("N SKY LINES", found.used() as f64, "", "sky lines that the correction goes by"),
                QualityNumber::new("FLEXURE RMS", found.rms, "Angstrom", "distance of the sky lines from the correction"),
            ]);
        } else if wanted {
            outcome.notes.push("no night-sky line is seen: the wavelengths are those of the arc, without correction of the flexure".into());
            outcome.quality.push(QualityNumber::new("N SKY LINES", 0.0, "", "sky lines that the correction goes by").within(
                1.0,
                f64::INFINITY,
                Grade::Questionable,
            ));
        }
    }

    fn extract(&self, parameters: &Parameters, gain: f64) -> Vec<Object> {
        let pixel = |y: usize, x: usize| self.view.good(y, x).map(|(v, s)| (v - f64::from(self.sky.image[[y, x]]), s));
        let variance = |y: usize, x: usize| self.sky.model.at(f64::from(self.sky.wavelengths[[y, x]]), y as f64).map_or(0.0, |v| v.1);
        let sky = SkyOfFrame { image: self.sky.image.view(), variance: &variance };
        let options = ExtractOptions { radius: parameters.aperture, photon: 1.0 / gain, ..ExtractOptions::default() };
        let object = |found: &SlitObject| {
            let trace = trace(self.view.shape(), pixel, found, parameters.trace_degree);
            let spectrum = extract(&self.view, &sky, &trace, &options);
            Object { found: *found, trace, spectrum }
        };
        self.objects.iter().map(object).collect()
    }
}

fn enough(is_sky: &[bool]) -> Result<(), RecipeError> {
    let count = is_sky.iter().filter(|s| **s).count();
    if count >= 5 && count * 20 >= is_sky.len() {
        return Ok(());
    }
    Err(RecipeError::new(
        format!("{count} of {} pixels of the slit are sky: an object fills it", is_sky.len()),
        "say which part is sky with `recipes.extraction.sky_regions`",
    ))
}

/// Rows in regions counted from 1; none where there are no regions.
fn regions(regions: &[(usize, usize)], height: usize) -> Result<Option<Vec<bool>>, RecipeError> {
    if regions.is_empty() {
        return Ok(None);
    }
    let mut rows = vec![false; height];
    for (from, to) in regions {
        if *from < 1 || from > to || *to > height {
            let what = format!("sky_regions: {from} to {to} is no part of a slit of {height} pixels");
            return Err(RecipeError::new(what, "count pixels from 1, first one first"));
        }
        rows[from - 1..*to].fill(true);
    }
    Ok(Some(rows))
}

/// The objects at given places (from 1): as found there, or a guess as wide as the others.
fn asked_for(places: &[f64], found: &[SlitObject], height: usize) -> Result<Vec<SlitObject>, RecipeError> {
    let width = found.first().map_or(6.0, |o| o.fwhm);
    places
        .iter()
        .map(|place| {
            if !(1.0..=height as f64).contains(place) {
                let what = format!("objects: {place} is not on a slit of {height} pixels");
                return Err(RecipeError::new(what, "count pixels along the slit from 1"));
            }
            let near = found.iter().find(|o| (o.centre + 1.0 - place).abs() < 1.5 * o.fwhm);
            Ok(near.copied().unwrap_or(SlitObject { centre: place - 1.0, fwhm: width, height: 0.0, significance: 0.0 }))
        })
        .collect()
}

fn judge_objects(outcome: &mut Outcome, objects: &[Object]) {
    let least = QualityNumber::new("N OBJECTS", objects.len() as f64, "", "objects extracted").within(1.0, f64::INFINITY, Grade::Bad);
    outcome.quality.push(least);
    let Some(first) = objects.first() else {
        outcome.notes.push("no object on the slit: nothing is extracted; `recipes.extraction.objects` names places by hand".into());
        return;
    };
    let mut ratios: Vec<f32> = first.spectrum.samples.iter().map(|s| (s.flux / s.error) as f32).filter(|r| r.is_finite()).collect();
    let signal_to_noise = if ratios.is_empty() { f64::NAN } else { ifured_pixels::statistics::median_in_place(&mut ratios) };
    outcome.quality.extend([
        QualityNumber::new("OBJECT CENTRE", first.found.centre + 1.0, "pixel", "place of the brightest object along the slit"),
        QualityNumber::new("OBJECT FWHM", first.trace.fwhm, "pixel", "full width at half maximum of the brightest object"),
        QualityNumber::new("SIGNAL TO NOISE", signal_to_noise, "", "median of the spectrum of the brightest object, by pixel"),
        QualityNumber::new("TRACE RMS", first.trace.rms, "pixel", "distance of the places of the brightest object from their curve"),
        QualityNumber::new("N REJECTED", first.spectrum.rejected as f64, "", "pixels that the profile left out"),
    ]);
    for (n, object) in objects.iter().enumerate().filter(|(_, o)| o.trace.points.is_empty()) {
        outcome.notes.push(format!(
            "object {} at pixel {:.1} is too faint to be followed: it is taken to run straight",
            n + 1,
            object.found.centre + 1.0
        ));
    }
}

impl Object {
    fn table(&self, n: usize, wavelengths: &Array2<f32>, slit: &Slit) -> Table {
        let (height, width) = slit.view.shape();
        let wavelength = |x: usize| {
            let y = self.trace.at(x as f64).clamp(0.0, (height - 1) as f64);
            let (below, part) = ((y.floor() as usize).min(height.saturating_sub(2)), y - y.floor());
            let (a, b) = (f64::from(wavelengths[[below, x]]), f64::from(wavelengths[[(below + 1).min(height - 1), x]]));
            a + part * (b - a)
        };
        let mut order: Vec<usize> = (0..width).filter(|&x| wavelength(x).is_finite()).collect();
        order.sort_by(|&a, &b| wavelength(a).total_cmp(&wavelength(b)));
        let samples = &self.spectrum.samples;
        let column = |f: &dyn Fn(usize) -> f64| order.iter().map(|&x| f(x)).collect::<Vec<f64>>();
        let spectrum = SpectrumTable {
            wavelength: column(&wavelength),
            flux: column(&|x| samples[x].flux),
            error: column(&|x| samples[x].error),
            sum: column(&|x| samples[x].sum),
            sum_error: column(&|x| samples[x].sum_error),
            sky: column(&|x| samples[x].sky),
            usable: order.iter().map(|&x| !samples[x].saturated && samples[x].flux.is_finite()).collect(),
        };
        let mut header = Header::new();
        header.set("CENTRE", self.found.centre + 1.0, "[pixel] place along the slit");
        header.set("FWHM", self.trace.fwhm, "[pixel] full width at half maximum");
        header.set("APRADIUS", self.spectrum.radius, "[pixel] half the aperture");
        spectrum.table(n, "adu", header)
    }
}

/// Sky-subtracted frame on equal steps in wavelength along axis 1, slit along axis 2.
fn rectified(slit: &Slit, wavelengths: &Array2<f32>, header: &mut Header) -> Result<(Header, Image), RecipeError> {
    let grid = WavelengthGrid::of(wavelengths.view()).ok_or_else(|| {
        RecipeError::new("the wavelengths of the frame do not rise or fall along it", "make the wavelength solution again")
    })?;
    let image = rectify(wavelengths.view(), &grid, |y, x| {
        let at = [y, x];
        (slit.view.data[at] - slit.sky.image[at], slit.view.variance[at], slit.view.quality[at])
    });
    header.set("BUNIT", "adu", "");
    header.set("CTYPE1", if Medium::of(header) == Medium::Air { "AWAV" } else { "WAVE" }, "");
    header.set("CUNIT1", "Angstrom", "");
    header.set("CRPIX1", 1.0, "");
    header.set("CRVAL1", grid.start, "");
    header.set("CDELT1", grid.step, "");
    header.set("CTYPE2", "LINEAR", "place along the slit");
    header.set("CUNIT2", "pixel", "");
    header.set("CRPIX2", 1.0, "");
    header.set("CRVAL2", 1.0, "");
    header.set("CDELT2", 1.0, "");
    products::write_statistics(header, &image);
    Ok((header.clone(), image))
}

fn traces_table(objects: &[Object]) -> Table {
    let rows: Vec<(usize, _)> = objects.iter().enumerate().flat_map(|(n, o)| o.trace.points.iter().map(move |p| (n, p))).collect();
    let mut header = Header::new();
    header.set("EXTNAME", "TRACES", "");
    Figure::new("Places of the objects along the slit", "DISPERSION").points("CENTRE").error("ERROR").used("USED").write(&mut header);
    let mut table = Table::new(header, rows.len());
    table.push("OBJECT", "", rows.iter().map(|(n, _)| *n as i32 + 1).collect::<Vec<i32>>().into());
    table.push("DISPERSION", "pixel", rows.iter().map(|(_, p)| p.x + 1.0).collect::<Vec<f64>>().into());
    table.push("CENTRE", "pixel", rows.iter().map(|(_, p)| p.centre + 1.0).collect::<Vec<f64>>().into());
    table.push("ERROR", "pixel", rows.iter().map(|(_, p)| p.error).collect::<Vec<f64>>().into());
    table.push("FWHM", "pixel", rows.iter().map(|(_, p)| p.fwhm).collect::<Vec<f64>>().into());
    table.push("USED", "", rows.iter().map(|(_, p)| p.used).collect::<Vec<bool>>().into());
    table
}

fn flexure_table(found: &Flexure) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", "SKYLINES", "");
    Figure::new("Sky lines: wavelength by the arc minus true wavelength", "WAVELENGTH_AIR")
        .points("SHIFT")
        .error("ERROR")
        .used("USED")
        .line("CORRECTION")
        .write(&mut header);
    let column = |f: &dyn Fn(&ifured_pixels::spectrum::flexure::SkyLineShift) -> f64| found.lines.iter().map(f).collect::<Vec<f64>>();
    let mut table = Table::new(header, found.lines.len());
    table.push("WAVELENGTH_AIR", "Angstrom", column(&|l| l.wavelength).into());
    table.push("SHIFT", "Angstrom", column(&|l| l.shift).into());
    table.push("ERROR", "Angstrom", column(&|l| l.error).into());
    table.push("CORRECTION", "Angstrom", column(&|l| found.at(l.wavelength)).into());
    table.push("USED", "", found.lines.iter().map(|l| l.used).collect::<Vec<bool>>().into());
    table
}
