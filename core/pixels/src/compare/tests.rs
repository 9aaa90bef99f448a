use ifured_core::recipe::{QuietHost, TaskInput, TaskOutput};
use ifured_core::{Figure, Grade, Header, Outcome, Task, provenance};
use ndarray::{Array2, Array3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use tempfile::TempDir;

use super::{OTHER, run};
use crate::Image;
use crate::fits::{Cells, ColumnData, HduSelect, HduToWrite, Layout, Table, primary_header, read_table, write_image, write_product};
use crate::statistics::{mad, median};

/// Products of two engines, and the task that compares them.
struct Engines {
    directory: TempDir,
    task: Task,
}

impl Engines {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let output =
            TaskOutput { tag: "engine-comparison".into(), path: directory.path().join("comparison.fits"), ..TaskOutput::default() };
        let task = Task { id: "abc".into(), recipe: "muse_bias".into(), outputs: vec![output], ..Task::default() };
        Engines { directory, task }
    }

    /// Adds a product; the caller writes the file.
    fn add(&mut self, role: &str, tag: &str) -> std::path::PathBuf {
        let name = format!("{role}-{}.fits", self.task.inputs.len());
        let path = self.directory.path().join(&name);
        let input = TaskInput {
            role: role.into(),
            tag: tag.into(),
            path: path.clone(),
            identity: format!("hash of {name}"),
            name,
            ..TaskInput::default()
        };
        self.task.inputs.push(input);
        path
    }

    /// Both engines' files of one tag.
    fn with(first: &[HduToWrite<'_>], second: &[HduToWrite<'_>]) -> Self {
        let mut engines = Engines::new();
        write_product(engines.add("main", "CUBE"), first).unwrap();
        write_product(engines.add(OTHER, "CUBE"), second).unwrap();
        engines
    }

    fn compare(&self) -> Found {
        let outcome = run(&self.task, &QuietHost).unwrap();
        Found { table: read_table(&self.task.outputs[0].path, HduSelect::name("COMPARISON")).unwrap(), outcome }
    }
}

struct Found {
    outcome: Outcome,
    table: Table,
}

impl Found {
    fn hdus(&self) -> Vec<String> {
        self.texts("HDU")
    }

    fn texts(&self, column: &str) -> Vec<String> {
        match &self.table.column(column).unwrap().data {
            ColumnData::Text(Cells::Fixed { values, .. }) => values.clone(),
            other => panic!("{column}: {other:?}"),
        }
    }

    fn row(&self, hdu: &str) -> usize {
        self.hdus().iter().position(|h| h == hdu).unwrap_or_else(|| panic!("no {hdu} in {:?}", self.hdus()))
    }

    fn text(&self, hdu: &str, column: &str) -> String {
        self.texts(column)[self.row(hdu)].clone()
    }

    fn number(&self, hdu: &str, column: &str) -> f64 {
        let row = self.row(hdu);
        match &self.table.column(column).unwrap().data {
            ColumnData::F64(Cells::Fixed { values, .. }) => values[row],
            ColumnData::I64(Cells::Fixed { values, .. }) => values[row] as f64,
            other => panic!("{column}: {other:?}"),
        }
    }

    /// Compared, in only one, equal.
    fn counts(&self, hdu: &str) -> [f64; 3] {
        ["COMPARED", "ONE_ONLY", "EQUAL"].map(|c| self.number(hdu, c))
    }

    fn quality(&self, name: &str) -> Option<(f64, Grade)> {
        self.outcome.quality.iter().find(|q| q.name == name).map(|q| (q.value.unwrap_or(f64::NAN), q.grade))
    }
}

fn noise(seed: u64, count: usize, sigma: f64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let normal = Normal::new(0.0, sigma).unwrap();
    (0..count).map(|_| normal.sample(&mut rng) as f32).collect()
}

fn extension(name: &str) -> Header {
    let mut header = Header::new();
    header.set("EXTNAME", name, "");
    header
}

/// A signal with noise of its own, as large as the band that is read at a time and more.
fn image(seed: u64, sigma: f64) -> Image {
    let shape = (400, 500);
    let noise = noise(seed, shape.0 * shape.1, sigma);
    let data = Array2::from_shape_fn(shape, |(y, x)| 100.0 + x as f32 + noise[y * shape.1 + x]);
    Image::new(data, (sigma * sigma) as f32)
}

#[test]
fn an_offset_a_factor_and_noise_come_back_within_their_errors() {
    let mut engines = Engines::new();
    let (first, mut second) = (image(1, 2.0), image(2, 2.0));
    let (factor, offset) = (1.02_f32, -5.0_f32);
    second.data.mapv_inplace(|v| factor * v + offset);
    // Layouts differ: the primary HDU of one is DATA of the other.
    write_image(engines.add("main", "IMAGE"), &Header::new(), &first, Layout::PrimaryData).unwrap();
    write_image(engines.add(OTHER, "IMAGE"), &Header::new(), &second, Layout::Extensions).unwrap();
    let found = engines.compare();
    assert_eq!(found.hdus(), ["PRIMARY", "STAT", "DQ"]);
    let [slope, error, fitted] = ["SLOPE", "SLOPE_ERR", "OFFSET"].map(|c| found.number("PRIMARY", c));
    assert!((slope - 1.02).abs() < 4.0 * error && error < 1e-4, "{slope} {error}");
    // The offset is that of the mean less the slope's error times the mean signal of 350.
    assert!((fitted + 5.0).abs() < 4.0 * (error * 350.0).hypot(2.0 * 1.43 / 200_000_f64.sqrt()), "{fitted}");
    let differences: Vec<f32> = first.data.iter().zip(&second.data).map(|(a, b)| a - b).collect();
    assert!((found.number("PRIMARY", "MEDIAN") - median(&differences)).abs() < 1e-6);
    assert!((found.number("PRIMARY", "SCATTER") - mad(&differences)).abs() < 1e-6);
    assert_eq!(found.counts("STAT"), [200_000.0, 0.0, 200_000.0]);
    assert_eq!(found.quality("STRUCTURE"), Some((0.0, Grade::Good)));
}

#[test]
fn independent_noise_has_a_pull_of_one() {
    let mut engines = Engines::new();
    let (first, mut second) = (image(1, 2.0), image(2, 2.0));
    write_image(engines.add("main", "IMAGE"), &Header::new(), &first, Layout::PrimaryData).unwrap();
    let path = engines.add(OTHER, "IMAGE");
    write_image(&path, &Header::new(), &second, Layout::PrimaryData).unwrap();
    let found = engines.compare();
    let pull = found.number("PRIMARY", "PULL_RMS");
    assert!((pull - 1.0).abs() < 4.0 / 400_000_f64.sqrt(), "{pull}");
    let scatter = found.number("PRIMARY", "SCATTER");
    assert!((scatter / 8.0_f64.sqrt() - 1.0).abs() < 4.0 * 1.17 / 200_000_f64.sqrt(), "{scatter}");
    assert_eq!((found.quality("PULL").unwrap().1, found.outcome.grade()), (Grade::Good, Grade::Good));
    // Variances of a quarter: the pull is twice as large.
    second.variance.fill(0.0);
    let mut first = first;
    first.variance.fill(2.0);
    write_image(&engines.task.inputs[0].path, &Header::new(), &first, Layout::PrimaryData).unwrap();
    write_image(&path, &Header::new(), &second, Layout::PrimaryData).unwrap();
    let found = engines.compare();
    let (value, grade) = found.quality("PULL").unwrap();
    assert!((value - 2.0).abs() < 8.0 / 400_000_f64.sqrt() && grade == Grade::Questionable, "{value}");
    assert!(found.outcome.notes.iter().any(|n| n.contains("IMAGE PRIMARY by 2.0")), "{:?}", found.outcome.notes);
}

#[test]
fn standard_deviations_serve_as_variances_do() {
    let (first, second) = (image(3, 2.0), image(4, 2.0));
    let (empty, data, noise) = (Header::new(), extension("IFU.7.DATA"), extension("IFU.7.NOISE"));
    let sigma = first.variance.mapv(f32::sqrt);
    let of = |image| [HduToWrite::Empty(&empty), HduToWrite::image(&data, image), HduToWrite::image(&noise, sigma.view())];
    let found = Engines::with(&of(first.data.view()), &of(second.data.view())).compare();
    let pull = found.number("IFU.7.DATA", "PULL_RMS");
    assert!((pull - 1.0).abs() < 4.0 / 400_000_f64.sqrt(), "{pull}");
    assert_eq!(found.number("IFU.7.NOISE", "PULLS"), 0.0);
}

#[test]
fn a_voxel_that_differs_is_found_in_a_cube() {
    let shape = (5, 200, 300);
    let cube = Array3::from_shape_fn(shape, |(z, y, x)| (z * 1000 + y + x) as f32);
    let mut other = cube.clone();
    other[[3, 150, 20]] -= 40.0;
    other[[1, 10, 10]] += 8.0;
    let mut flags = Array3::<u32>::zeros(shape);
    let same = flags.clone();
    flags[[2, 2, 2]] = 1 << 31 | 1;
    let (empty, data, dq) = (Header::new(), extension("DATA"), extension("DQ"));
    let first = [HduToWrite::Empty(&empty), HduToWrite::image(&data, cube.view()), HduToWrite::image(&dq, same.view())];
    let second = [HduToWrite::Empty(&empty), HduToWrite::image(&data, other.view()), HduToWrite::image(&dq, flags.view())];
    let found = Engines::with(&first, &second).compare();
    let values = (5 * 200 * 300) as f64;
    assert_eq!(found.counts("DATA"), [values, 0.0, values - 2.0]);
    assert_eq!((found.number("DATA", "LARGEST"), found.text("DATA", "PLACE").as_str()), (40.0, "21,151,4"));
    assert_eq!((found.number("DATA", "MEDIAN"), found.number("DATA", "SCATTER")), (0.0, 0.0));
    assert!((found.number("DATA", "RELATIVE") - 40.0 / 3170.0).abs() < 1e-9);
    // Quality bits are equal or not.
    assert_eq!(found.counts("DQ"), [values, 0.0, values - 1.0]);
    assert!(found.number("DQ", "LARGEST").is_nan());
}

#[test]
fn values_of_only_one_engine_are_counted() {
    let mut first = Array2::from_elem((10, 10), 1.0_f32);
    let mut second = first.clone();
    first[[0, 0]] = f32::NAN;
    second[[0, 0]] = f32::NAN;
    second[[1, 1]] = f32::INFINITY;
    first[[2, 2]] = f32::NAN;
    first[[3, 3]] = -0.0;
    second[[3, 3]] = 0.0;
    let header = Header::new();
    let found = Engines::with(&[HduToWrite::image(&header, first.view())], &[HduToWrite::image(&header, second.view())]).compare();
    // Zeros are equal whatever their sign.
    assert_eq!(found.counts("PRIMARY"), [97.0, 2.0, 97.0]);
    assert_eq!((found.number("PRIMARY", "LARGEST"), found.text("PRIMARY", "PLACE")), (0.0, String::new()));
    assert!(found.number("PRIMARY", "PULL_RMS").is_nan() && found.quality("PULL").is_none());
    assert_eq!(found.quality("ONE ONLY"), Some((2.0 / 99.0, Grade::Questionable)));
    // Nothing in common is no agreement.
    second.fill(f32::NAN);
    let found = Engines::with(&[HduToWrite::image(&header, first.view())], &[HduToWrite::image(&header, second.view())]).compare();
    assert_eq!(found.outcome.grade(), Grade::Questionable);
    assert!(found.number("PRIMARY", "MEDIAN").is_nan() && found.outcome.quality[0].value.is_none());
}

#[test]
fn structures_that_differ_are_bad_and_named() {
    let header = Header::new();
    let (small, large) = (Array2::<f32>::zeros((4, 5)), Array2::<f32>::zeros((4, 6)));
    let (sky, mask, more) = (extension("SKY"), extension("MASK"), extension("MORE"));
    let mut words = Table::new(extension("MORE"), 2);
    words.push("X", "", vec![1_i32, 2].into());
    let first = [HduToWrite::image(&header, small.view()), HduToWrite::image(&sky, small.view()), HduToWrite::image(&more, small.view())];
    let second = [HduToWrite::image(&header, large.view()), HduToWrite::image(&mask, small.view()), HduToWrite::Table(&words)];
    let mut engines = Engines::with(&first, &second);
    write_product(engines.add(OTHER, "WHITE"), &second).unwrap();
    // An optional product that neither has made.
    engines.add("main", "NOT_MADE");
    engines.add(OTHER, "NOT_MADE");
    let found = engines.compare();
    assert_eq!(found.hdus(), ["PRIMARY", "SKY", "MORE", "MASK", ""]);
    assert_eq!(found.text("PRIMARY", "REMARK"), "axes 5 x 4 and 6 x 4");
    assert_eq!(found.text("SKY", "REMARK"), "only the first engine has it");
    assert_eq!(found.text("MASK", "REMARK"), "only the second engine has it");
    assert_eq!(found.text("MORE", "REMARK"), "an image of BITPIX -32, 5 x 4 and a binary table of 2 rows and 1 columns");
    assert_eq!((found.text("", "TAG").as_str(), found.text("", "REMARK").as_str()), ("WHITE", "only the second engine has it"));
    assert_eq!(found.quality("STRUCTURE"), Some((5.0, Grade::Bad)));
    assert!(found.outcome.notes[0].contains("CUBE SKY: only the first engine has it"), "{:?}", found.outcome.notes);
}

#[test]
fn all_files_of_a_tag_are_compared_in_their_order() {
    let mut engines = Engines::new();
    let data = Array2::<f32>::zeros((3, 3));
    let mut header = Header::new();
    provenance::write_made(&mut header, &[("SOURCE_LIST".into(), 2)]);
    for (role, files) in [("main", 2), (OTHER, 1)] {
        let path = engines.add(role, "SOURCE_LIST");
        let output = TaskOutput { path, ..TaskOutput::default() };
        for n in 1..=files {
            write_product(output.numbered(n).path, &[HduToWrite::image(&header, data.view())]).unwrap();
        }
    }
    let found = engines.compare();
    assert_eq!(found.texts("REMARK"), ["", "only the first engine has it"]);
    assert_eq!(found.outcome.notes, ["the engines' products differ in structure: SOURCE_LIST (2): only the first engine has it"]);
}

#[test]
fn extensions_without_a_name_are_paired_by_place_and_versions_are_kept_apart() {
    let (header, ones, twos) = (Header::new(), Array2::from_elem((3, 3), 1_f32), Array2::from_elem((3, 3), 2_f32));
    let version = |n: i64| {
        let mut header = extension("SCI");
        header.set("EXTVER", n, "");
        header
    };
    let (v1, v2) = (version(1), version(2));
    let first = [
        HduToWrite::Empty(&header),
        HduToWrite::image(&header, ones.view()),
        HduToWrite::image(&v1, ones.view()),
        HduToWrite::image(&v2, twos.view()),
    ];
    let second = [
        HduToWrite::Empty(&header),
        HduToWrite::image(&header, twos.view()),
        HduToWrite::image(&v2, twos.view()),
        HduToWrite::image(&v1, ones.view()),
    ];
    let found = Engines::with(&first, &second).compare();
    assert_eq!(found.hdus(), ["PRIMARY", "#1", "SCI", "SCI[2]"]);
    assert_eq!(found.texts("KIND"), ["empty", "image", "image", "image"]);
    assert_eq!(["#1", "SCI", "SCI[2]"].map(|h| found.number(h, "LARGEST")), [-1.0, 0.0, 0.0]);
}

#[test]
fn tables_are_compared_column_by_column() {
    let rows = 40;
    let flux = noise(5, rows, 3.0);
    let mut header = extension("SPECTRUM");
    Figure::new("Spectrum", "WAVELENGTH").line("FLUX").error("SPREAD").write(&mut header);
    let table = |change: f32, names: [&str; 2]| {
        let mut table = Table::new(header.clone(), rows);
        table.push("WAVELENGTH", "Angstrom", (0..rows).map(|n| 5000.0 + n as f64).collect::<Vec<_>>().into());
        table.push("FLUX", "adu", flux.iter().map(|f| f + change).collect::<Vec<_>>().into());
        table.push("SPREAD", "adu", vec![3.0_f32; rows].into());
        table.push("PAIR", "", ColumnData::I16(Cells::Fixed { repeat: 2, values: vec![7; 2 * rows] }));
        table.push("NAME", "", names.iter().cycle().take(rows).map(|n| (*n).to_owned()).collect::<Vec<_>>().into());
        table.push("GOOD", "", vec![change > 0.0; rows].into());
        table
    };
    let (first, mut second) = (table(0.0, ["a", "b"]), table(6.0, ["a", "c"]));
    let ColumnData::I16(Cells::Fixed { values, .. }) = &mut second.columns[3].data else { panic!() };
    values[11] = 9;
    second.columns[0].unit = "nm".into();
    second.push("EXTRA", "", vec![0_u8; rows].into());
    let empty = Header::new();
    let found =
        Engines::with(&[HduToWrite::Empty(&empty), HduToWrite::Table(&first)], &[HduToWrite::Empty(&empty), HduToWrite::Table(&second)])
            .compare();
    let names = ["WAVELENGTH", "FLUX", "SPREAD", "PAIR", "NAME", "GOOD", "EXTRA"].map(|c| format!("SPECTRUM.{c}"));
    assert_eq!(found.hdus()[1..], names);
    assert_eq!(found.text("SPECTRUM.WAVELENGTH", "REMARK"), "units `Angstrom` and `nm`");
    assert_eq!(found.counts("SPECTRUM.WAVELENGTH"), [40.0, 0.0, 40.0]);
    assert!((found.number("SPECTRUM.FLUX", "MEDIAN") + 6.0).abs() < 1e-6);
    // 6 over an error of 3 in both.
    assert!((found.number("SPECTRUM.FLUX", "PULL_RMS") - 2.0_f64.sqrt()).abs() < 1e-6);
    assert_eq!((found.number("SPECTRUM.PAIR", "LARGEST"), found.text("SPECTRUM.PAIR", "PLACE").as_str()), (-2.0, "6,2"));
    assert_eq!(found.counts("SPECTRUM.NAME"), [40.0, 0.0, 20.0]);
    assert_eq!(found.counts("SPECTRUM.GOOD"), [40.0, 0.0, 0.0]);
    assert_eq!(found.text("SPECTRUM.EXTRA", "REMARK"), "only the second engine has it");
    assert_eq!(found.quality("STRUCTURE"), Some((1.0, Grade::Bad)));
}

#[test]
fn cells_and_types_that_differ_are_structure() {
    let table = |data: ColumnData, rows: usize| {
        let mut table = Table::new(extension("T"), rows);
        table.push("X", "", data);
        table
    };
    let compare = |first: &Table, second: &Table| {
        let empty = Header::new();
        let found =
            Engines::with(&[HduToWrite::Empty(&empty), HduToWrite::Table(first)], &[HduToWrite::Empty(&empty), HduToWrite::Table(second)])
                .compare();
        (found.texts("REMARK")[1].clone(), found.outcome.grade())
    };
    let lists = |last: Vec<f32>| table(ColumnData::F32(Cells::Variable(vec![vec![1.0, 2.0], last])), 2);
    let numbers = table(vec![1.0_f32, 2.0].into(), 2);
    assert_eq!(compare(&lists(vec![1.0]), &lists(vec![])), ("cells of 1 and 0 values in row 2".to_owned(), Grade::Bad));
    assert_eq!(compare(&numbers, &table(vec!["1".to_owned(), "2".to_owned()].into(), 2)).0, "numbers and text");
    assert_eq!(compare(&numbers, &table(vec![1.0_f32].into(), 1)).0, "2 and 1 rows");
    assert_eq!(compare(&numbers, &table(vec![1.0_f64, 2.0].into(), 2)), (String::new(), Grade::Good));
}

#[test]
fn the_comparison_is_a_product_with_provenance_and_always_the_same_bytes() {
    let mut engines = Engines::new();
    for (role, seed) in [("main", 1), (OTHER, 2)] {
        let mut header = Header::new();
        header.set("INSTRUME", "MUSE", "");
        header.set("ESO PRO CATG", "MASTER_BIAS", "");
        write_image(engines.add(role, "MASTER_BIAS"), &header, &image(seed, 1.0), Layout::Extensions).unwrap();
    }
    let first = engines.compare();
    let again = engines.compare();
    assert_eq!(first.outcome.products, again.outcome.products);
    assert_eq!(first.outcome.products.len(), 1);
    let header = primary_header(&engines.task.outputs[0].path).unwrap();
    assert_eq!((header.text(provenance::TASK), header.text("INSTRUME")), (Ok("abc"), Ok("MUSE")));
    // It is no bias of the instrument.
    assert!(!header.contains("ESO PRO CATG"));
    assert_eq!(provenance::inputs(&header).len(), 2);
    assert_eq!(provenance::outcome(&header).quality, first.outcome.quality);
    let nothing = Task { outputs: engines.task.outputs.clone(), ..Task::default() };
    assert!(run(&nothing, &QuietHost).unwrap_err().what.contains("no products to compare"));
}

#[test]
fn the_median_of_a_stream_is_that_of_all_its_values() {
    for count in [1, 2, 3, 1000, 1001] {
        let mut values = noise(count as u64, count, 1e3);
        values.iter_mut().step_by(7).for_each(|v| *v *= 1e-30);
        let mut coarse = super::median::Coarse::new();
        values.iter().for_each(|v| coarse.push(*v));
        let mut fine = coarse.refine().unwrap();
        values.iter().for_each(|v| fine.push(*v));
        assert_eq!(fine.median(), median(&values), "{count}");
    }
    assert!(super::median::Coarse::new().refine().is_none());
}
