//! Comparison of the products of two engines of one recipe (`engine = "both"`).
//!
//! The main inputs of the task are products of the first engine, those of role [`OTHER`] products of the second. Files are paired by tag and, within a tag,
//! by order; HDUs by `EXTNAME` and `EXTVER`, else by place; columns by name. The product is a table with one row for each pair of HDUs, or of columns
//! where the HDU is a table. Differences are first minus second.
//!
//! | column | content |
//! |---|---|
//! | `TAG`, `FILE`, `HDU`, `KIND` | tag, number of the file within the tag from 1, name of the HDU (`HDU.COLUMN` for columns), `image`, `table`, `empty` or `other` |
//! | `COMPARED`, `ONE_ONLY`, `EQUAL` | values finite in both, values finite in only one, how many of those compared are exactly equal |
//! | `MEDIAN`, `SCATTER` | median of the difference, 1.4826 times its median absolute deviation from it |
//! | `LARGEST`, `PLACE` | difference of largest magnitude, and its pixel in FITS order from 1, or its row (and element) |
//! | `RELATIVE` | largest magnitude of the difference over the larger magnitude of the two values |
//! | `CORRELATION`, `SLOPE`, `SLOPE_ERR`, `OFFSET` | second = offset + slope × first, where the correlation is at least 0.5 |
//! | `PULLS`, `PULL_RMS`, `PULL_FAR` | values with a variance in both, rms of (a − b)/√(va + vb), how many are beyond 5 |
//! | `UNIT`, `REMARK` | unit of the first, what differs besides values |
//!
//! Undefined numbers are NaN. Quality bits, logical columns and text are equal or not: they have no other numbers.
//!
//! # Quality numbers
//!
//! * `EQUAL`: share of equal values; no limit, as equal algorithms may add in another order.
//! * `ONE ONLY`: share of values that only one engine has; questionable above 1 %. Edges and rejected pixels account for less; more means that the
//!   engines cover different areas, and nothing else here would notice it.
//! * `PULL`: largest `PULL_RMS` among HDUs and columns of at least 30 such values; questionable above 1.5. Both engines reduce the same frames and share
//!   their noise, so engines that agree stay below 1, which is what independent noise gives. The rest of the margin is for variances that ignore
//!   the correlation of resampled pixels. With 30 Gaussian values 1.5 is exceeded by chance once in ten thousand.
//! * `STRUCTURE`: files, HDUs, shapes or columns that only one engine has, or that differ; bad if there is any.
//!
//! # Assumptions
//!
//! * The rows of two tables are in the same order. Unchecked: lists of sources in another order show large differences.
//! * Variances ignore the noise that the engines share, so a pull below 1 is no proof of right variances.
//! * Pixels have the same coordinates. Unchecked: cubes on shifted grids show as differences at every gradient.
//! * Units are not converted; units that differ are a remark.
//! * Values are compared as `f64`: 64-bit integers are exact to 2^53. For median and scatter differences are rounded to `f32`.
//! * Images are read in bands of rows, up to four times (see `median`): memory does not grow with the image. Tables are read whole.

mod hdus;
mod images;
mod measure;
mod median;
mod row;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;

use ifured_core::recipe::{TaskInput, TaskOutput};
use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, RecipeError, Role, Tag, Task, provenance};

use crate::fits::{HduInfo, primary_header};
use crate::task;
use hdus::Kind;
use row::{Label, Row};

/// Role of the products of the second engine; those of the first are main.
pub const OTHER: &str = "other";

/// Largest rms of the pull that needs no look; see the head of the module.
const LARGEST_PULL: f64 = 1.5;
/// An rms of fewer values is not judged.
const FEWEST_PULLS: u64 = 30;
/// Largest share of values of only one engine that needs no look.
const LARGEST_ONE_ONLY: f64 = 0.01;
/// A note names at most so many differences of structure.
const MOST_NAMED: usize = 5;

/// Compares the products of two engines and writes the table of all differences to the one output of the task.
///
/// # Errors
/// If the task has no products to compare or no output, or a file cannot be read or written.
pub fn run(task: &Task, host: &dyn Host) -> Result<Outcome, RecipeError> {
    let files = pair_files(task)?;
    let Some(example) = files.iter().find_map(|f| f.first.as_ref().or(f.second.as_ref())) else {
        return Err(RecipeError::new("there are no products to compare", "run both engines first: `ifured reduce`"));
    };
    let header = header_of(&example.path)?;
    let mut rows = Vec::new();
    for (n, file) in files.iter().enumerate() {
        let (from, to) = (n as f64 / files.len() as f64, (n + 1) as f64 / files.len() as f64);
        let progress = |fraction: f64, what: &str| host.progress(from + (to - from) * fraction, what);
        rows.extend(file.compare(&progress)?);
    }
    let mut outcome = Outcome { quality: quality(&rows), notes: notes(&rows), ..Outcome::default() };
    let tag = task.outputs.first().map_or_else(String::new, |o| o.tag.to_string());
    task::write_tables(task, &mut outcome, &tag, header, &[row::table(&rows)])?;
    Ok(outcome)
}

/// The same product by both engines, or by one of them.
struct FilePair {
    tag: Tag,
    number: usize,
    first: Option<TaskInput>,
    second: Option<TaskInput>,
}

/// Products by tag, in the order of the task.
fn pair_files(task: &Task) -> Result<Vec<FilePair>, RecipeError> {
    let mut tags: Vec<&Tag> = Vec::new();
    for input in task.main().chain(task.role(OTHER)) {
        if !tags.contains(&&input.tag) {
            tags.push(&input.tag);
        }
    }
    let mut pairs = Vec::new();
    for tag in tags {
        let [mut first, mut second] = [files(task, Role::MAIN, tag)?.into_iter(), files(task, OTHER, tag)?.into_iter()];
        for number in 1.. {
            let pair = FilePair { tag: tag.clone(), number, first: first.next(), second: second.next() };
            if pair.first.is_none() && pair.second.is_none() {
                break;
            }
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

/// The files of a tag that an engine has made. An optional product that it has not made has none; where there are several, the task names the first and
/// the provenance says how many there are.
fn files(task: &Task, role: &str, tag: &Tag) -> Result<Vec<TaskInput>, RecipeError> {
    let mut all = Vec::new();
    for input in task.role(role).filter(|i| i.tag == *tag && i.path.exists()) {
        let made = provenance::made(&primary_header(&input.path)?).unwrap_or_default();
        let count = made.iter().find(|(made, _)| made == tag).map_or(1, |(_, files)| *files);
        let output = TaskOutput { path: input.path.clone(), name: input.name.clone(), ..TaskOutput::default() };
        let numbered = (1..=count).map(|n| output.numbered(n)).filter(|o| o.path.exists());
        all.extend(numbered.map(|o| TaskInput { path: o.path, name: o.name, ..input.clone() }));
    }
    Ok(all)
}

impl FilePair {
    fn compare(&self, progress: &dyn Fn(f64, &str)) -> Result<Vec<Row>, RecipeError> {
        let label = |hdu: &str| Label { tag: self.tag.clone(), file: self.number, hdu: hdu.to_owned() };
        let (first, second) = match (&self.first, &self.second) {
            (Some(first), Some(second)) => (first, second),
            (first, _) => return Ok(vec![Row::differing(label(""), "file", &only_in(first.is_some()))]),
        };
        let hdus = [crate::fits::hdus(&first.path)?, crate::fits::hdus(&second.path)?];
        let pairs = hdus::pair(&hdus[0], &hdus[1]);
        let mut rows = Vec::new();
        for (n, pair) in pairs.iter().enumerate() {
            progress(n as f64 / pairs.len() as f64, &format!("{}, HDU {} of {}", first.name, n + 1, pairs.len()));
            match *pair {
                (Some(a), Some(b)) => {
                    let both = HduPair { paths: [&first.path, &second.path], hdus: [&hdus[0], &hdus[1]], index: [a, b] };
                    rows.extend(both.compare(label(&hdus::name(&hdus[0][a])))?);
                }
                (a, b) => {
                    let only = a.map(|a| &hdus[0][a]).or(b.map(|b| &hdus[1][b]));
                    // An empty primary HDU is not content: products with data in extensions begin with one.
                    let only = only.filter(|hdu| Kind::of(hdu) != Kind::Empty);
                    rows.extend(only.map(|hdu| Row::differing(label(&hdus::name(hdu)), Kind::of(hdu).as_str(), &only_in(a.is_some()))));
                }
            }
        }
        Ok(rows)
    }
}

fn only_in(first: bool) -> String {
    format!("only the {} engine has it", if first { "first" } else { "second" })
}

/// The same HDU of two files.
struct HduPair<'a> {
    paths: [&'a Path; 2],
    hdus: [&'a [HduInfo]; 2],
    index: [usize; 2],
}

impl HduPair<'_> {
    fn hdu(&self, engine: usize) -> &HduInfo {
        &self.hdus[engine][self.index[engine]]
    }

    fn compare(&self, label: Label) -> Result<Vec<Row>, RecipeError> {
        let kinds = [Kind::of(self.hdu(0)), Kind::of(self.hdu(1))];
        if kinds[0] != kinds[1] {
            let what = format!("{} and {}", self.hdu(0).kind.describe(), self.hdu(1).kind.describe());
            return Ok(vec![Row::differing(label, kinds[0].as_str(), &what)]);
        }
        Ok(match kinds[0] {
            Kind::Image => vec![images::compare(self, label)?],
            Kind::Table => tables::compare(self, &label)?,
            Kind::Empty => vec![Row::new(label, Kind::Empty.as_str())],
            Kind::Other => {
                vec![Row::new(label, Kind::Other.as_str()).with_remark(&format!("not compared: {}", self.hdu(0).kind.describe()))]
            }
        })
    }
}

/// What identifies the observation. A comparison is not a frame of the instrument, so the rest of the header would be wrong for it.
fn header_of(path: &Path) -> Result<Header, RecipeError> {
    let mut header = primary_header(path)?;
    header.retain(|c| matches!(c.keyword.as_str(), "INSTRUME" | "TELESCOP" | "OBJECT" | "DATE-OBS" | "MJD-OBS"));
    Ok(crate::fits::product_header(&header))
}

fn quality(rows: &[Row]) -> Vec<QualityNumber> {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>() as f64;
    let compared = sum(|r| r.numbers.compared);
    let one_only = sum(|r| r.numbers.one_only);
    let structure = rows.iter().filter(|r| r.differs).count() as f64;
    let mut numbers = vec![
        QualityNumber::new("EQUAL", sum(|r| r.numbers.equal) / compared, "", "share of equal values"),
        QualityNumber::new("STRUCTURE", structure, "", "differences of structure").within(0.0, 0.0, Grade::Bad),
    ];
    if compared + one_only > 0.0 {
        let share = QualityNumber::new("ONE ONLY", one_only / (compared + one_only), "", "share in only one engine");
        numbers.push(share.within(0.0, LARGEST_ONE_ONLY, Grade::Questionable));
    }
    if let Some(worst) = judged(rows).map(|r| r.numbers.pull_rms).max_by(f64::total_cmp) {
        let pull = QualityNumber::new("PULL", worst, "", "largest rms of difference/error");
        numbers.push(pull.within(0.0, LARGEST_PULL, Grade::Questionable));
    }
    numbers
}

/// Rows with enough values to judge the pull.
fn judged(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|r| r.numbers.pulls >= FEWEST_PULLS)
}

fn notes(rows: &[Row]) -> Vec<String> {
    let listed = |what: &str, all: Vec<String>| match all.len() {
        0 => None,
        n if n > MOST_NAMED => Some(format!("{what}: {}; and {} more in the table", all[..MOST_NAMED].join("; "), n - MOST_NAMED)),
        _ => Some(format!("{what}: {}", all.join("; "))),
    };
    let structure = rows.iter().filter(|r| r.differs).map(|r| format!("{}: {}", r.label, r.remark)).collect();
    let pulls = judged(rows).filter(|r| r.numbers.pull_rms > LARGEST_PULL);
    let pulls = pulls.map(|r| format!("{} by {:.2} (rms)", r.label, r.numbers.pull_rms)).collect();
    let other =
        rows.iter().filter(|r| r.kind == Kind::Other.as_str() && !r.differs).map(|r| format!("{}: {}", r.label, r.remark)).collect();
    [
        listed("the engines' products differ in structure", structure),
        listed("differences exceed their errors", pulls),
        listed("left out", other),
    ]
    .into_iter()
    .flatten()
    .collect()
}
