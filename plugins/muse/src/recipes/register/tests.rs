use std::path::{Path, PathBuf};

use ifured_core::recipe::{QuietHost, TaskInput, TaskOutput};
use ifured_core::{AnyRecipe, Header, Outcome, RecipeError, Task};
use ifured_pixels::astrometry::TanSip;
use ifured_pixels::fits::{Column, ColumnData, HduSelect, HduToWrite, Table, hdus, primary_header, read_table, write_product};
use ifured_pixels::resample::TanGrid;
use ndarray::Array2;
use serde_json::{Value, json};

use super::{IMAGE, OFFSETS, Register};

/// Declination of the field.
const DEC: f64 = -62.0;
/// Where the star is.
const STAR: (f64, f64) = (150.003, -62.004);
/// What the pointing of each exposure is off: measured minus true.
const ERRORS: [(f64, f64); 2] = [(2.0e-4, -1.5e-4), (-3.0e-4, 0.5e-4)];
const DATES: [&str; 2] = ["2017-09-04T02:24:00.000", "2017-09-04T02:44:00.000"];

struct Field {
    directory: tempfile::TempDir,
}

impl Field {
    /// Two exposures whose headers are off, and the list that sets the second beside the first.
    fn new() -> Self {
        let field = Field { directory: tempfile::tempdir().unwrap() };
        for n in 0..2 {
            field.image(n);
        }
        let mut header = Header::new();
        header.set("EXTNAME", "OFFSET_LIST", "");
        let mut table = Table::new(header, 2);
        table.push("DATE_OBS", "", DATES.map(str::to_owned).to_vec().into());
        table.push("MJD_OBS", "s", vec![58000.1f64, 58000.11].into());
        let relative = |of: fn(&(f64, f64)) -> f64| ERRORS.iter().map(|e| of(e) - of(&ERRORS[0])).collect::<Vec<f64>>();
        table.push("RA_OFFSET", "deg", relative(|e| e.0).into());
        table.push("DEC_OFFSET", "deg", relative(|e| e.1).into());
        table.push("FLUX_SCALE", "", vec![f64::NAN; 2].into());
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", "OFFSET_LIST", "");
        write_product(field.path("OFFSET_LIST.fits"), &[HduToWrite::Empty(&primary), HduToWrite::Table(&table)]).unwrap();
        field
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Turned, dithered, and not where its header says.
    fn wcs(n: usize) -> TanSip {
        let (sin, cos) = (0.4 + n as f64).sin_cos();
        let s = 0.2 / 3600.0;
        let crval = (150.0 + 1e-3 * n as f64 + ERRORS[n].0, DEC - 5e-4 * n as f64 + ERRORS[n].1);
        TanSip {
            tan: TanGrid { crval, crpix: (150.0, 151.0), cd: [[-s * cos, s * sin], [s * sin, s * cos]] },
            forward: None,
            inverse: None,
        }
    }

    /// The pixel (from 1) of the star: where it is in an image whose pointing is right.
    fn pixel(n: usize) -> (f64, f64) {
        let mut right = Field::wcs(n);
        right.tan.crval.0 -= ERRORS[n].0;
        right.tan.crval.1 -= ERRORS[n].1;
        let (x, y) = right.to_pixel(STAR.0, STAR.1);
        (x + 1.0, y + 1.0)
    }

    fn image(&self, n: usize) {
        let (mut primary, mut header, mut quality) = (Header::new(), Header::new(), Header::new());
        primary.set("DATE-OBS", DATES[n], "");
        primary.set("MJD-OBS", 58000.1 + 0.01 * n as f64, "");
        header.set("EXTNAME", "DATA", "");
        quality.set("EXTNAME", "DQ", "");
        Field::wcs(n).write(&mut header);
        Field::wcs(n).write(&mut quality);
        let (pixels, bits) = (Array2::<f32>::from_elem((300, 310), n as f32), Array2::<i32>::from_elem((300, 310), 1 << 30 | 1));
        let all = [HduToWrite::Empty(&primary), HduToWrite::image(&header, pixels.view()), HduToWrite::image(&quality, bits.view())];
        write_product(self.path(&format!("IMAGE_FOV_MUSE.{}.fits", DATES[n])), &all).unwrap();
    }

    fn task(&self, images: &[PathBuf], list: Option<&Path>, parameters: Value) -> Task {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let input = |role: &str, path: &Path| TaskInput { role: role.into(), path: path.into(), name: name(path), ..TaskInput::default() };
        let output = |tag: &str| TaskOutput {
            tag: tag.into(),
            path: self.path(&format!("{tag}.fits")),
            name: format!("{tag}.fits"),
            ..TaskOutput::default()
        };
        let mut inputs: Vec<TaskInput> = images.iter().map(|i| input("main", i)).collect();
        inputs.extend(list.map(|l| input("offsets", l)));
        let parameters = {
            let mut all = Register.description().engines.remove(0).defaults;
            all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
            all
        };
        Task { recipe: "muse_register".into(), inputs, outputs: vec![output(OFFSETS), output(IMAGE)], parameters, ..Task::default() }
    }

    fn images(&self) -> Vec<PathBuf> {
        DATES.iter().map(|d| self.path(&format!("IMAGE_FOV_MUSE.{d}.fits"))).collect()
    }

    fn run(&self, parameters: Value) -> Result<Outcome, RecipeError> {
        Register.execute(&self.task(&self.images(), Some(&self.path("OFFSET_LIST.fits")), parameters), &QuietHost)
    }

    /// The offsets that the product has for the exposures.
    fn offsets(&self, column: &str) -> Vec<f64> {
        let table = read_table(self.path(&format!("{OFFSETS}.fits")), HduSelect::Index(1)).unwrap();
        match table.column(column) {
            Some(Column { data: ColumnData::F64(cells), .. }) => (0..table.rows).map(|r| cells.row(r).unwrap()[0]).collect(),
            other => panic!("{column}: {other:?}"),
        }
    }

    /// How far from its place the star of each exposure is, in arcseconds, where muse_exp_combine puts it: its pointing minus its offset.
    fn off_after_combination(&self) -> Vec<f64> {
        let (ra, dec) = (self.offsets("RA_OFFSET"), self.offsets("DEC_OFFSET"));
        let of = |n: usize| {
            let mut placed = Field::wcs(n);
            placed.tan.crval.0 -= ra[n];
            placed.tan.crval.1 -= dec[n];
            let (x, y) = Field::pixel(n);
            apart(placed.to_sky(x - 1.0, y - 1.0))
        };
        (0..2).map(of).collect()
    }
}

/// Distance from the star in arcseconds.
fn apart((ra, dec): (f64, f64)) -> f64 {
    3600.0 * ((ra - STAR.0) * STAR.1.to_radians().cos()).hypot(dec - STAR.1)
}

fn position(n: usize) -> Value {
    let (x, y) = Field::pixel(n);
    json!({"x": x, "y": y, "ra": STAR.0, "dec": STAR.1})
}

#[test]
fn the_star_lands_on_its_place_in_all_exposures() {
    let field = Field::new();
    // In the image of the reference, or in that of another exposure.
    let mut second = position(1);
    second["exposure"] = json!("MUSE.2017-09-04T02:44");
    for positions in [json!([position(0)]), json!([second])] {
        let outcome = field.run(json!({"positions": positions})).unwrap();
        // Apart from that, coordinates are not differences on a plane: some microarcseconds at 30 arcseconds.
        assert!(field.off_after_combination().iter().all(|off| *off < 1e-3), "{:?}", field.off_after_combination());
        let number = |name: &str| outcome.quality.iter().find(|q| q.name == name).and_then(|q| q.value);
        let expected = 3600.0 * ERRORS[0].0 * STAR.1.to_radians().cos();
        assert!((number("SHIFT RA").unwrap() - expected).abs() < 1e-3, "{:?} {expected}", number("SHIFT RA"));
        assert_eq!(number("SHIFT SCATTER"), None);
        assert_eq!((outcome.products.len(), outcome.notes.len()), (2, 0));
    }
    assert_eq!(field.offsets("RA_OFFSET_ORIG")[0], 0.0);
    assert!((field.offsets("RA_OFFSET_ORIG")[1] - (ERRORS[1].0 - ERRORS[0].0)).abs() < 1e-12);
    assert_eq!(primary_header(field.path(&format!("{OFFSETS}.fits"))).unwrap().text("ESO PRO CATG"), Ok("OFFSET_LIST"));
}

#[test]
fn the_image_is_moved_and_its_coordinates_are_kept() {
    let field = Field::new();
    field.run(json!({"positions": [position(0)]})).unwrap();
    let all = hdus(field.path(&format!("{IMAGE}.fits"))).unwrap();
    let (x, y) = Field::pixel(0);
    for hdu in &all[1..=2] {
        let now = TanSip::of_header(&hdu.header).unwrap();
        assert!(apart(now.to_sky(x - 1.0, y - 1.0)) < 1e-5, "{:?}", hdu.name());
        let before = Field::wcs(0).tan;
        assert_eq!((hdu.header.real("OLDCRV1"), hdu.header.real("OLDCRV2")), (Ok(before.crval.0), Ok(before.crval.1)));
        assert_eq!((hdu.header.real("OLDCPX1"), hdu.header.real("OLDCPX2")), (Ok(before.crpix.0), Ok(before.crpix.1)));
        assert_eq!((now.tan.crpix, now.tan.cd), (before.crpix, before.cd));
    }
    assert_eq!(all[3].name(), Some("POSITIONS"));
    // Done again on what was made: the originals are those of the beginning, and the result is the same.
    let (list, image) = (field.path("again-list.fits"), field.path("again-image.fits"));
    std::fs::copy(field.path(&format!("{OFFSETS}.fits")), &list).unwrap();
    std::fs::copy(field.path(&format!("{IMAGE}.fits")), &image).unwrap();
    let before = (field.offsets("RA_OFFSET"), field.offsets("RA_OFFSET_ORIG"));
    Register.execute(&field.task(&[image], Some(&list), json!({"positions": [position(0)]})), &QuietHost).unwrap();
    let after = (field.offsets("RA_OFFSET"), field.offsets("RA_OFFSET_ORIG"));
    assert!(before.0.iter().zip(&after.0).all(|(a, b)| (a - b).abs() < 1e-12) && before.1 == after.1);
}

#[test]
fn several_positions_give_the_mean_and_their_scatter() {
    let field = Field::new();
    let mut off = position(0);
    off["dec"] = json!(STAR.1 + 1.0 / 3600.0);
    let outcome = field.run(json!({"positions": [position(0), off]})).unwrap();
    let of = |name: &str| outcome.quality.iter().find(|q| q.name == name).unwrap();
    assert!((of("SHIFT DEC").value.unwrap() - (3600.0 * ERRORS[0].1 - 0.5)).abs() < 1e-3);
    // Two values half an arcsecond from their mean in one of two components.
    assert!((of("SHIFT SCATTER").value.unwrap() - 0.5).abs() < 1e-3, "{:?}", of("SHIFT SCATTER"));
    assert!(of("SHIFT DEC").error.is_some());
    assert_eq!(outcome.grade(), ifured_core::Grade::Questionable);
}

#[test]
fn without_a_list_all_exposures_get_the_shift() {
    let field = Field::new();
    let images = field.images();
    let task = field.task(&images[..1], None, json!({"positions": [position(0)]}));
    Register.execute(&task, &QuietHost).unwrap();
    assert!((field.offsets("RA_OFFSET")[0] - ERRORS[0].0).abs() < 1e-7 && field.offsets("RA_OFFSET_ORIG") == [0.0]);
}

#[test]
fn what_is_wrong_is_said() {
    let field = Field::new();
    let wrong = |change: Value| {
        let mut position = position(0);
        position.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        field.run(json!({"positions": [position]})).unwrap_err().what
    };
    assert!(wrong(json!({"x": 311.0})).contains("outside of IMAGE_FOV_MUSE.2017-09-04T02:24:00.000.fits, which has 310 x 300"));
    assert!(wrong(json!({"ra": "10:00:61.5"})).contains("positions[0]: `10:00:61.5` is no right ascension"));
    assert!(wrong(json!({"dec": "-95:00:00"})).contains("no declination"));
    assert!(wrong(json!({"dec": -62.1})).contains("more than max_shift (10)"));
    assert!(wrong(json!({"exposure": "MUSE.2017"})).contains("the name of 2 exposures"));
    assert!(field.run(json!({"positions": []})).unwrap_err().advice.contains("positions = [{"));
    // Of another field: there is nothing to make here.
    let mut other = position(0);
    other["exposure"] = json!("MUSE.2018");
    let outcome = field.run(json!({"positions": [other]})).unwrap();
    assert!(outcome.products.is_empty() && outcome.notes[0].contains("of this field"));
    // An image without world coordinates.
    let path = field.path("bare.fits");
    write_product(&path, &[HduToWrite::image(&Header::new(), Array2::<f32>::zeros((4, 4)).view())]).unwrap();
    let error = Register.execute(&field.task(&[path], None, json!({"positions": [position(0)]})), &QuietHost).unwrap_err();
    assert!(error.what.contains("no image with world coordinates"), "{error}");
}
