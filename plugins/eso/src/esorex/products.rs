//! What a recipe has made, judged by the files themselves.
//!
//! The exit status of esorex says little: recipes end with 0 without a product, and with another status after good ones. So each file that
//! has a `PRO CATG` is opened: its HDUs must have data, its checksums must be right, its pixels be numbers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ifured_core::rule::like;
use ifured_core::{Header, RecipeError};
use ifured_pixels::fits::{self, HduInfo, HduKind, HduSelect, ImageReader};
use rustix::process::Signal;

use super::group::Ended;
use super::run::Ran;
use crate::classification::PRO_CATG;

/// Pixels read at a time.
const BAND: usize = 1 << 18;

/// What a product must be.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductRule {
    /// Its tag.
    pub tag: String,
    /// What its `PRO CATG` is, one of these patterns (`*` any characters, `?` one): some pipelines write the name of the target into it.
    pub categories: Vec<String>,
    /// Whether the recipe has failed without it.
    pub required: bool,
    /// Extensions that must be there with data; if empty, any HDU will do.
    pub extensions: Vec<String>,
    /// The extension whose pixels are counted; if empty, `DATA` or else the first image with data. (In a pixel table of MUSE, `data` is the
    /// column of the fluxes; upper and lower case are the same.)
    pub pixels: String,
    /// Least share of its pixels that are finite numbers in a good product; at 0 they are not counted.
    pub finite: f64,
}

impl ProductRule {
    /// A product that must be there, with data of which half is finite.
    pub fn required(tag: &str) -> Self {
        ProductRule {
            tag: tag.into(),
            categories: vec![tag.into()],
            required: true,
            extensions: Vec::new(),
            pixels: String::new(),
            finite: 0.5,
        }
    }

    /// One that the recipe may make.
    pub fn optional(tag: &str) -> Self {
        ProductRule { required: false, ..ProductRule::required(tag) }
    }

    /// With these extensions, all with data.
    pub fn with_extensions(mut self, names: &[&str]) -> Self {
        self.extensions = names.iter().map(|n| (*n).to_owned()).collect();
        self
    }

    /// With a `PRO CATG` that is not its tag.
    pub fn with_categories(mut self, patterns: &[&str]) -> Self {
        self.categories = patterns.iter().map(|p| (*p).to_owned()).collect();
        self
    }

    /// Good if that share of its pixels is finite; 0 for tables and for what may be empty.
    pub fn with_finite(mut self, share: f64) -> Self {
        self.finite = share;
        self
    }
}

/// A file that a recipe made.
#[derive(Clone, Debug)]
pub struct Product {
    /// Where it is.
    pub path: PathBuf,
    /// Its tag.
    pub tag: String,
    /// Headers of its HDUs.
    pub headers: Vec<Header>,
    /// Share of finite pixels, where they were counted.
    pub finite: Option<f64>,
}

/// What is to be said about a run.
#[derive(Debug, Default)]
pub struct Judged {
    /// Good products, those of one tag in the order of their names.
    pub products: Vec<Product>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The exit status, if it is not 0 although the products are good.
    pub doubtful_status: Option<i32>,
}

/// Judges a run by what is in its directory.
///
/// # Errors
/// If a product that is required is missing or no good, or the recipe was ended: what happened, the last errors of its log and where
/// that is, and what to do next.
pub fn judge(recipe: &str, ran: &Ran, directory: &Path, rules: &[ProductRule]) -> Result<Judged, RecipeError> {
    if !matches!(ran.ended, Ended::Status(_)) {
        return Err(failure(recipe, ran, &[]));
    }
    let mut judged = Judged::default();
    let mut broken = Vec::new();
    for path in fits_files(directory) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let headers = match fits::hdus(&path) {
            Ok(hdus) => hdus,
            Err(e) => {
                broken.push(e.to_string());
                continue;
            }
        };
        let category = headers.first().and_then(|h| h.header.text(PRO_CATG).ok()).unwrap_or_default().trim().to_owned();
        let Some(rule) = rules.iter().find(|r| r.categories.iter().any(|pattern| like(pattern, &category))) else {
            let what = if category.is_empty() { "has no PRO CATG".to_owned() } else { format!("is a {category}") };
            judged.notes.push(format!("{recipe} made {name}, which {what} and not asked for: left out"));
            continue;
        };
        match inspected(&path, rule, headers) {
            Ok(product) => judged.products.push(product),
            Err(what) => broken.push(format!("{name} ({category}): {what}")),
        }
    }
    let missing = |rule: &&ProductRule| rule.required && !judged.products.iter().any(|p| p.tag == rule.tag);
    let missing: Vec<&str> = rules.iter().filter(missing).map(|r| r.tag.as_str()).collect();
    if !missing.is_empty() {
        let mut facts = vec![format!("no good {}", missing.join(", "))];
        facts.append(&mut broken);
        facts.extend(judged.notes);
        return Err(failure(recipe, ran, &facts));
    }
    judged.notes.extend(broken.into_iter().map(|what| format!("left out: {what}")));
    if let Ended::Status(status) = ran.ended
        && status != 0
    {
        let said = ran.errors.front().map(|e| format!(" (it said: {e})")).unwrap_or_default();
        judged.notes.push(format!("{recipe} ended with exit status {status}{said}, but its products are good"));
        judged.doubtful_status = Some(status);
    }
    Ok(judged)
}

/// Files of FITS in a directory, in the order of their names.
fn fits_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_product = |p: &PathBuf| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("fits")) && !p.is_symlink() && p.is_file();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(is_product).collect();
    files.sort_unstable();
    files
}

/// A product that was looked at, or what is wrong with it.
fn inspected(path: &Path, rule: &ProductRule, hdus: Vec<HduInfo>) -> Result<Product, String> {
    for wanted in &rule.extensions {
        match hdus.iter().find(|h| h.name().is_some_and(|n| n.eq_ignore_ascii_case(wanted))) {
            None => return Err(format!("it has no extension {wanted}")),
            Some(hdu) if !has_data(hdu) => return Err(format!("its extension {wanted} has no data")),
            _ => {}
        }
    }
    if !hdus.iter().any(has_data) {
        return Err("it has no data".into());
    }
    let verdicts = fits::verify(path).map_err(|e| e.to_string())?;
    if let Some(bad) = verdicts.iter().find(|v| !v.is_intact()) {
        return Err(format!("the checksum of HDU {} is wrong: it was damaged when or after it was written", bad.index));
    }
    let counted = if rule.finite > 0.0 { pixels_of(&hdus, &rule.pixels) } else { None };
    let finite = counted.map(|index| finite_share(path, index)).transpose().map_err(|e| e.to_string())?;
    if finite == Some(0.0) {
        return Err("none of its pixels is a number".into());
    }
    Ok(Product { path: path.to_owned(), tag: rule.tag.clone(), headers: hdus.into_iter().map(|h| h.header).collect(), finite })
}

fn has_data(hdu: &HduInfo) -> bool {
    match &hdu.kind {
        HduKind::Image { axes, .. } | HduKind::CompressedImage { axes, .. } => !axes.is_empty() && !axes.contains(&0),
        HduKind::BinaryTable { rows, .. } | HduKind::AsciiTable { rows, .. } => *rows > 0,
        _ => false,
    }
}

/// The image whose pixels are counted.
fn pixels_of(hdus: &[HduInfo], name: &str) -> Option<usize> {
    let image = |h: &&HduInfo| h.kind.image().is_some() && has_data(h);
    let wanted = if name.is_empty() { "DATA" } else { name };
    let named = hdus.iter().filter(image).find(|h| h.name().is_some_and(|n| n.eq_ignore_ascii_case(wanted)));
    named.or_else(|| hdus.iter().find(image)).map(|h| h.index)
}

/// Share of the pixels of an image that are finite, read band by band.
fn finite_share(path: &Path, index: usize) -> Result<f64, fits::FitsError> {
    let reader = ImageReader::open(path, HduSelect::Index(index))?;
    let (rows, columns) = reader.stacked_shape();
    if reader.bitpix() > 0 && reader.scaling().blank.is_none() {
        return Ok(1.0);
    }
    let step = (BAND / columns.max(1)).clamp(1, rows.max(1));
    let mut band = vec![0f32; step * columns];
    let mut finite = 0usize;
    for first in (0..rows).step_by(step) {
        let range = first..(first + step).min(rows);
        let values = &mut band[..range.len() * columns];
        reader.read_rows(range, values)?;
        finite += values.iter().filter(|v| v.is_finite()).count();
    }
    Ok(finite as f64 / (rows * columns).max(1) as f64)
}

/// The error of a run that has no good products: what, where, why, and what next.
fn failure(recipe: &str, ran: &Ran, facts: &[String]) -> RecipeError {
    let seconds = ran.time.as_secs_f64();
    let (what, next) = match ran.ended {
        Ended::Signal(signal) => (
            format!("{recipe} crashed after {seconds:.0} s: signal {signal}{}", signal_name(signal)),
            "an input of a kind or size that the recipe does not expect is the usual cause: look at its inputs with `ifured show`; signal 9 is \
             often the system being out of memory",
        ),
        Ended::TimeLimit(limit) => (
            format!("{recipe} was ended: it took longer than {}", in_words(limit)),
            "if its log shows that it went on, raise `resources.task_minutes`, or give it more threads or fewer frames; if not, it hangs: look at the last lines",
        ),
        Ended::MemoryLimit(used, allowed) => (
            format!("{recipe} was ended after {seconds:.0} s: it used {:.1} GB, and {:.1} GB were free for it", gb(used), gb(allowed)),
            "give it a machine with more memory, fewer tasks at a time (`resources.memory_gb`) or fewer frames at a time",
        ),
        Ended::Status(0) => (
            format!("{recipe} ended after {seconds:.0} s as if all were well (exit status 0)"),
            "look into the log for what it left out; frames whose set-up disagrees are dropped by the recipe with a warning only",
        ),
        Ended::Status(status) => (
            format!("{recipe} failed after {seconds:.0} s with exit status {status}"),
            "the first error is usually the cause; `ifured show FILE` tells whether the input it names is what it should be",
        ),
    };
    let mut text = what;
    for fact in facts {
        text += "; ";
        text += fact;
    }
    for error in &ran.errors {
        text += "\n  it said: ";
        text += error;
    }
    RecipeError::new(text, next)
}

fn in_words(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds => format!("{:.0} minutes", seconds / 60.0),
    }
}

fn gb(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

fn signal_name(signal: i32) -> &'static str {
    match Signal::from_named_raw(signal) {
        Some(Signal::SEGV) => " (SIGSEGV, access to memory that is not its own)",
        Some(Signal::ABORT) => " (SIGABRT, it gave up)",
        Some(Signal::FPE) => " (SIGFPE, arithmetic)",
        Some(Signal::BUS) => " (SIGBUS, a file became shorter, or memory failed)",
        Some(Signal::ILL) => " (SIGILL, built for another processor)",
        Some(Signal::KILL) => " (SIGKILL, from outside)",
        Some(Signal::TERM) => " (SIGTERM, from outside)",
        _ => "",
    }
}
