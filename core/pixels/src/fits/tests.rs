use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use ifured_core::{Card, Header};
use ndarray::{Array1, Array2, Array3};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::image::Image;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Whether the program fitsverify finds neither errors nor warnings; true, with a visible line, where it is not installed.
fn passes_fitsverify(path: &Path) -> bool {
    match Command::new("fitsverify").arg(path).output() {
        Err(_) => {
            ifured_test_support::skip("fitsverify is not installed");
            true
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let passed = text.contains("0 warning(s) and 0 error(s)");
            if !passed {
                eprintln!("{text}");
            }
            passed
        }
    }
}

fn ramp(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(r, c)| r as f32 * 10.0 + c as f32 * 0.5)
}

fn an_image() -> Image {
    let mut image = Image::new(ramp(7, 5), 2.5);
    image.quality[[3, 2]] = 1 << 31 | 1 << 4;
    image
}

fn a_header() -> Header {
    let mut header = Header::new();
    header.push(Card::new("OBJECT", "NGC 1", "target"));
    header.push(Card::new("BUNIT", "adu", ""));
    for (n, value) in [("1", 1.5), ("2", 0.0)] {
        header.push(Card::new(&format!("CTYPE{n}"), "LINEAR", ""));
        header.push(Card::new(&format!("CRPIX{n}"), 1.0, ""));
        header.push(Card::new(&format!("CRVAL{n}"), value, ""));
    }
    header.push(Card::new("ESO DPR CATG", "SCIENCE", "category"));
    header
}

fn a_table() -> Table {
    let mut table = Table::new(Header::new(), 3);
    table.header.push(Card::new("EXTNAME", "LINES", ""));
    table.push("flag", "", vec![true, false, true].into());
    table.push("u8", "", vec![1u8, 2, 255].into());
    table.push("i8", "", vec![-128i8, 2, 127].into());
    table.push("i16", "", vec![-5i16, 2, 3].into());
    table.push("u16", "adu", vec![0u16, 2, 65535].into());
    table.push("i32", "", vec![i32::MIN, 2, 3].into());
    table.push("u32", "", vec![u32::MAX, 2, 3].into());
    table.push("i64", "", vec![i64::MIN, 2, 3].into());
    table.push("u64", "", vec![u64::MAX, 2, 3].into());
    table.push("f32", "nm", vec![1.5f32, -2.0, 0.1].into());
    table.push("f64", "nm", vec![1.5f64, -2.0, 0.1].into());
    table.push("c32", "", vec![[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]].into());
    table.push("c64", "", vec![[1f64, 2.0], [3.0, 4.0], [5.0, 6.0]].into());
    table.push("text", "", vec!["one".to_owned(), String::new(), "three".to_owned()].into());
    table.push("bits", "", ColumnData::Bit(Cells::Fixed { repeat: 11, values: (0..33).map(|n| n % 3 == 0).collect() }));
    table.push("list", "", ColumnData::F32(Cells::Variable(vec![vec![1.0, 2.0], vec![], vec![3.0]])));
    table.push("bitlist", "", ColumnData::Bit(Cells::Variable(vec![vec![true; 9], vec![], vec![false, true]])));
    table.push("matrix", "", ColumnData::I16(Cells::Fixed { repeat: 6, values: (0..18).collect() }));
    table.columns.last_mut().unwrap().shape = vec![3, 2];
    let words = ["a", "bc", "def", "g", "h", "i"].map(str::to_owned).to_vec();
    table.push("words", "", ColumnData::Text(Cells::Fixed { repeat: 2, values: words }));
    table.columns.last_mut().unwrap().shape = vec![2];
    table
}

#[test]
fn image_with_errors_survives_in_both_layouts() {
    let dir = directory();
    for layout in [Layout::PrimaryData, Layout::Extensions] {
        let path = dir.path().join(format!("{layout:?}.fits"));
        let written = write_image(&path, &a_header(), &an_image(), layout).unwrap();
        assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
        assert_eq!(written.hash, hash_of_bytes(&fs::read(&path).unwrap()));
        let (header, image) = read_image(&path).unwrap();
        assert_eq!(image, an_image());
        assert_eq!(header.text("OBJECT"), Ok("NGC 1"));
        assert_eq!(header.text("BUNIT"), Ok("adu"));
        assert_eq!(header.real("CRVAL1"), Ok(1.5));
        let bands = ImageBands::open(&path).unwrap();
        let band = bands.read_rows(2..5).unwrap();
        assert_eq!(band.data, an_image().data.slice(ndarray::s![2..5, ..]));
        assert_eq!(band.quality[[1, 2]], 1 << 31 | 1 << 4);
        assert!(bands.read_rows(6..8).is_err());
        for verdict in verify(&path).unwrap() {
            assert_eq!((verdict.checksum, verdict.datasum), (Verdict::Right, Verdict::Right), "{verdict:?}");
        }
        assert!(passes_fitsverify(&path));
    }
}

#[test]
fn equal_input_gives_equal_bytes_and_no_leftovers() {
    let dir = directory();
    let write = |name: &str| write_image(dir.path().join(name), &a_header(), &an_image(), Layout::Extensions).unwrap();
    assert_eq!(write("a.fits"), write("b.fits"));
    let header = Header::new();
    let failing = [HduToWrite::image_by_rows(&header, &[4, 4], |_, _| Err("no rows today".into()))];
    let error = write_product(dir.path().join("c.fits"), &failing).unwrap_err();
    assert!(error.to_string().contains("no rows today"), "{error}");
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["a.fits", "b.fits"]);
}

#[test]
fn a_changed_byte_is_found() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    write_image(&path, &a_header(), &an_image(), Layout::Extensions).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let info = &hdus(&path).unwrap()[2];
    bytes[info.data_offset as usize + 3] ^= 1;
    fs::write(&path, bytes).unwrap();
    let verdicts = verify(&path).unwrap();
    assert_eq!(verdicts[2].name.as_deref(), Some("STAT"));
    assert_eq!((verdicts[2].checksum, verdicts[2].datasum), (Verdict::Wrong, Verdict::Wrong));
    assert!(verdicts[0].is_intact() && verdicts[1].is_intact() && verdicts[3].is_intact());
}

#[test]
fn every_pixel_type_survives() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    let h = Header::new();
    let u16s = Array2::from_shape_fn((3, 4), |(r, c)| (r * 20000 + c) as u16);
    let i16s = u16s.mapv(|v| v as i16);
    let u8s = u16s.mapv(|v| v as u8);
    let i32s = u16s.mapv(|v| i32::from(v) * -30000);
    let f64s = u16s.mapv(|v| f64::from(v) / 3.0);
    let cube = Array3::from_shape_fn((2, 3, 4), |(p, r, c)| (p * 100 + r * 10 + c) as f32);
    let streamed = HduToWrite::image_by_rows(&h, &[3, 4], |range, out| {
        for (i, row) in range.enumerate() {
            out[i * 4..(i + 1) * 4].fill(row as f32);
        }
        Ok(())
    });
    let all = [
        HduToWrite::image(&h, u16s.view()),
        HduToWrite::image(&h, i16s.view()),
        HduToWrite::image(&h, u8s.view()),
        HduToWrite::image(&h, i32s.view()),
        HduToWrite::image(&h, f64s.view()),
        HduToWrite::image(&h, cube.view()),
        HduToWrite::image(&h, u16s.t()),
        streamed,
    ];
    write_product(&path, &all).unwrap();
    assert!(passes_fitsverify(&path));
    let open = |n| ImageReader::open(&path, HduSelect::Index(n)).unwrap();
    assert_eq!(open(0).read_all().unwrap(), u16s.mapv(f32::from));
    assert_eq!(open(1).read_all().unwrap(), i16s.mapv(f32::from));
    assert_eq!(open(2).read_all().unwrap(), u8s.mapv(f32::from));
    assert_eq!(open(3).read_all_bits().unwrap().mapv(|b| b as i32), i32s);
    assert_eq!(open(4).read_all().unwrap(), f64s.mapv(|v| v as f32));
    assert_eq!(open(5).axes(), [4, 3, 2]);
    assert_eq!(open(5).read_array().unwrap(), cube.view().into_dyn());
    assert_eq!(open(6).read_all().unwrap(), u16s.t().mapv(f32::from));
    assert_eq!(open(7).read_all().unwrap().column(0), Array1::from(vec![0f32, 1.0, 2.0]));
    let mut raw = vec![0u16; 8];
    open(0).read_rows_u16(1..3, &mut raw).unwrap();
    assert_eq!(raw, [20000, 20001, 20002, 20003, 40000, 40001, 40002, 40003]);
}

#[test]
fn planes_can_be_written_together() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    let h = Header::new();
    let shape = [4usize, 3];
    let plan = [(&h, Some((PixelType::F32, &shape[..]))), (&h, Some((PixelType::U32Bits, &shape[..])))];
    let mut writer = ProductWriter::create(&path, &plan).unwrap();
    for row in 0..4 {
        writer.append(1, &[row as u32; 3]).unwrap();
        writer.append(0, &[row as f32; 3]).unwrap();
    }
    assert!(writer.append(0, &[0f32]).is_err());
    assert!(writer.append(0, &[0f64]).is_err());
    writer.finish().unwrap();
    assert_eq!(ImageReader::open(&path, HduSelect::Index(1)).unwrap().read_all().unwrap()[[3, 2]], 3.0);
    assert!(ProductWriter::create(dir.path().join("b.fits"), &plan).unwrap().finish().is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn tables_of_all_types_survive() {
    let dir = directory();
    let path = dir.path().join("t.fits");
    let table = a_table();
    write_product(&path, &[HduToWrite::Empty(&Header::new()), HduToWrite::Table(&table)]).unwrap();
    assert!(passes_fitsverify(&path));
    let back = read_table(&path, HduSelect::name("lines")).unwrap();
    assert_eq!(back.rows, 3);
    for (a, b) in table.columns.iter().zip(&back.columns) {
        assert_eq!(a, b);
    }
    assert_eq!(back.columns.len(), table.columns.len());
    // And what was read can be written again, to the same bytes.
    let again = dir.path().join("u.fits");
    write_product(&again, &[HduToWrite::Empty(&Header::new()), HduToWrite::Table(&back)]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
}

#[test]
fn long_strings_and_odd_cards_pass_fitsverify() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    let cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                   16",
        "NAXIS   =                    0",
        "BLANK   =                32768",
        "OBJECT  = 'unterminated",
        "HIERARCHCAHA DET CCDS = 1",
        "HIERARCH CAHA TEL DOME.AZ = 3.00E+01 / dome azimut [degr]",
        "HIERARCH CAHA TEL DOME.AZ = 3.00E+01 / dome azimut [degr]",
        "GAIN    = 1.2.3",
        "GAIN    = 1.3",
        "lower   = 3",
        "WITH.DOT= 4",
        "NOVALUE =",
        "NOINDIC   text",
        "RADECSYS= 'FK5     '",
        "EPOCH   = 2000.0",
        "PC001001= 1.0",
        "PC002001= 1.0",
        "PC002002= 0.0",
        "TTYPE1  = 'a column'",
        "OBSERVER= 'Mu\u{f1}oz'",
        "HISTORY temperature 5 \u{b0}C",
    ];
    let bytes: Vec<u8> = cards.iter().flat_map(|c| format!("{c:<80}").chars().map(|c| c as u8).collect::<Vec<_>>()).collect();
    let mut raw = Header::parse(&bytes);
    raw.push(Card::new("LONGTEXT", "x".repeat(200), "a long one"));
    raw.push(Card::new("ESO PRO LONG TEXT", "y".repeat(200), "a long one"));
    let product = product_header(&raw);
    write_product(&path, &[HduToWrite::image(&product, ramp(2, 2).view())]).unwrap();
    assert!(passes_fitsverify(&path), "{}", product.columns().join("\n"));
    let back = primary_header(&path).unwrap();
    assert_eq!(back.text("LONGTEXT").unwrap().len(), 200);
    assert_eq!(back.text("ESO PRO LONG TEXT").unwrap().len(), 200);
    assert_eq!(back.text("RADESYS"), Ok("FK5"));
    assert_eq!(back.real("EQUINOX"), Ok(2000.0));
    assert_eq!(back.all("CAHA TEL DOME.AZ").count(), 1);
    assert_eq!(back.text("OBSERVER"), Ok("Mu?oz"));
    assert!(!back.contains("BLANK") && !back.contains("PC001001") && !back.contains("TTYPE1"));
}

#[test]
fn blank_outside_the_type_is_ignored_and_named() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    let mut header = Header::new();
    header.push(Card::new("BLANK", 32768, ""));
    let pixels = Array2::from_elem((2, 2), i16::MIN);
    write_product(&path, &[HduToWrite::image(&header, pixels.view())]).unwrap();
    let reader = ImageReader::open(&path, HduSelect::First).unwrap();
    assert_eq!(reader.read_all().unwrap()[[0, 0]], -32768.0);
    assert!(reader.info().issues[0].contains("BLANK = 32768"), "{:?}", reader.info().issues);
    header.set("BLANK", -32768, "");
    write_product(&path, &[HduToWrite::image(&header, pixels.view())]).unwrap();
    assert!(ImageReader::open(&path, HduSelect::First).unwrap().read_all().unwrap()[[0, 0]].is_nan());
    assert_eq!(scan_file(&path, true).unwrap().statistics, None);
}

#[test]
fn statistics_agree_with_sorting() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    let pixels = Array2::from_shape_fn((31, 37), |(r, c)| ((r * 7919 + c * 104729) % 65536) as u16);
    let check = |wanted_nan: u64, values: Vec<f64>| {
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        let statistics = scan_file(&path, true).unwrap().statistics.unwrap();
        let median = sorted[(sorted.len() - 1) / 2] / 2.0 + sorted[sorted.len() / 2] / 2.0;
        assert_eq!(statistics.npoints, sorted.len() as u64 + wanted_nan);
        assert_eq!((statistics.minimum, statistics.maximum), (sorted[0], sorted[sorted.len() - 1]));
        assert!((statistics.q500 - median).abs() < 1e-6, "{statistics:?} {median}");
        let at = 0.841 * (sorted.len() - 1) as f64;
        let (low, t) = (at.floor() as usize, at.fract());
        let wanted = sorted[low] + (sorted[low + 1] - sorted[low]) * t;
        assert!((statistics.q841 - wanted).abs() < 1e-6 * wanted.abs(), "{statistics:?} {wanted}");
    };
    write_product(&path, &[HduToWrite::image(&Header::new(), pixels.view())]).unwrap();
    check(0, pixels.iter().map(|&v| f64::from(v)).collect());
    let mut real = pixels.mapv(|v| f32::from(v) - 30000.5);
    real[[3, 3]] = f32::NAN;
    write_product(&path, &[HduToWrite::image(&Header::new(), real.view())]).unwrap();
    check(1, real.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v)).collect());
    let double = pixels.mapv(f64::from);
    write_product(&path, &[HduToWrite::image(&Header::new(), double.view())]).unwrap();
    check(0, double.iter().copied().collect());
}

#[test]
fn a_gzip_bomb_is_refused() {
    let dir = directory();
    let path = dir.path().join("bomb.fits.gz");
    let mut header = String::new();
    for card in ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 2000000", "NAXIS2  = 20000", "END"] {
        header += &format!("{card:<80}");
    }
    let mut gz = flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::best());
    gz.write_all(format!("{header:<2880}").as_bytes()).unwrap();
    gz.write_all(&vec![0u8; 8 << 20]).unwrap();
    gz.finish().unwrap();
    assert!(matches!(hdus(&path), Err(FitsError::TooLarge { .. })));
    assert_eq!(primary_header(&path).unwrap().integer("NAXIS1"), Ok(2000000));
}

#[test]
fn absurd_sizes_are_refused() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    for (name, axes) in [("9223372036854775807", "2"), ("-1", "2"), ("'x'", "2"), ("1000000", "1000000"), ("1.5", "2")] {
        let mut text = String::new();
        for card in ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", &format!("NAXIS1  = {name}"), &format!("NAXIS2  = {axes}"), "END"] {
            text += &format!("{card:<80}");
        }
        fs::write(&path, format!("{text:<2880}")).unwrap();
        let error = hdus(&path).unwrap_err();
        assert!(matches!(error, FitsError::Keyword { .. } | FitsError::TruncatedData { .. }), "{error}");
    }
    fs::write(&path, "").unwrap();
    assert!(matches!(hdus(&path), Err(FitsError::Empty { .. })));
    fs::write(&path, "hello").unwrap();
    assert!(matches!(hdus(&path), Err(FitsError::NotFits { .. })));
    fs::write(&path, "SIMPLE  = T").unwrap();
    assert!(matches!(hdus(&path), Err(FitsError::TruncatedHeader { .. })));
}

#[test]
fn headers_of_any_length_end_where_they_end() {
    let dir = directory();
    let path = dir.path().join("a.fits");
    // Around the ends of blocks, and of what is read at a time.
    for cards in [3, 34, 35, 36, 37, 70, 71, 72, 107, 143, 144, 288, 575, 576, 1700, 2500] {
        let mut text = String::new();
        for card in ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"] {
            text += &format!("{card:<80}");
        }
        (3..cards).for_each(|n| text += &format!("{:<80}", format!("HIERARCH ESO KEY{n} = {n}")));
        text += &format!("{:<80}", "END");
        let whole = text.clone() + &" ".repeat(text.len().next_multiple_of(2880) - text.len());
        let second = format!("{:<2880}", format!("{:<80}{:<80}{:<80}{:<80}", "XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "END"));
        fs::write(&path, format!("{whole}{second}")).unwrap();
        let found = hdus(&path).unwrap();
        assert_eq!((found.len(), found[0].header.cards().len(), found[0].data_offset as usize), (2, cards, whole.len()), "{cards}");
        assert_eq!(found[1].header_offset as usize, whole.len(), "{cards}");
        // Cut off before END.
        fs::write(&path, &whole[..text.len() - 80]).unwrap();
        assert!(matches!(hdus(&path), Err(FitsError::TruncatedHeader { .. })), "{cards}");
    }
}

/// Reads everything that can be read of a file; errors are welcome, panics are not.
fn read_everything(path: &Path) {
    let _ = primary_header(path);
    let _ = scan_file(path, true);
    let _ = verify(path);
    let _ = read_image(path);
    for info in hdus(path).unwrap_or_default() {
        let _ = product_header(&info.header).columns();
        let _ = read_table(path, HduSelect::Index(info.index));
        if let Ok(reader) = ImageReader::open(path, HduSelect::Index(info.index)) {
            let _ = reader.read_all();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn images_read_back(rows in 1usize..20, columns in 1usize..30, seed in any::<u32>()) {
        let dir = directory();
        let path = dir.path().join("a.fits");
        let bits = |r: usize, c: usize| seed.wrapping_mul(2654435761).wrapping_add((r * 31 + c) as u32 * 40503);
        let data = Array2::from_shape_fn((rows, columns), |(r, c)| f32::from_bits(bits(r, c)));
        let quality = Array2::from_shape_fn((rows, columns), |(r, c)| bits(c, r));
        let image = Image { variance: data.mapv(f32::abs), data, quality };
        write_image(&path, &a_header(), &image, Layout::Extensions).unwrap();
        let (_, back) = read_image(&path).unwrap();
        prop_assert_eq!(back.data.mapv(f32::to_bits), image.data.mapv(f32::to_bits));
        prop_assert_eq!(back.quality, image.quality);
        prop_assert!(verify(&path).unwrap().iter().all(|v| v.checksum == Verdict::Right && v.datasum == Verdict::Right));
    }

    #[test]
    fn corrupted_files_are_survived(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20), cut in any::<Option<prop::sample::Index>>(), with_table in any::<bool>()) {
        let dir = directory();
        let path = dir.path().join("a.fits");
        if with_table {
            write_product(&path, &[HduToWrite::Empty(&Header::new()), HduToWrite::Table(&a_table())]).unwrap();
        } else {
            write_image(&path, &a_header(), &an_image(), Layout::Extensions).unwrap();
        }
        let mut bytes = fs::read(&path).unwrap();
        for (at, with) in flips {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, bytes).unwrap();
        read_everything(&path);
    }
}
