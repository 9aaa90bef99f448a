//! Broken and odd files: each gets its row with a reason, the others are reduced, and the exit code says so.

use std::fs;
use std::path::Path;

use ifured_tests::raw_file::{changed, data_start, set_card};
use ifured_tests::{Scenario, products};

/// A file name, how it differs from a good frame, what its row says, and whether it is refused.
type Case = (&'static str, fn(&[u8]) -> Vec<u8>, &'static str, bool);

const OF_BIAS: &[Case] = &[
    ("truncated_data", |b| b[..b.len() - 6 * 2880].to_vec(), "", true),
    ("truncated_header", |b| b[..2000].to_vec(), "", true),
    ("empty_file", |_| Vec::new(), "", true),
    ("not_fits", |_| b"this is not FITS\n".repeat(300), "", true),
    ("missing_instrume", |b| changed(b, "INSTRUME", None), "INSTRUME: keyword missing", true),
    ("missing_imagetyp", |b| changed(b, "IMAGETYP", None), "IMAGETYP: keyword missing", true),
    ("missing_exptime", |b| changed(b, "EXPTIME", None), "EXPTIME: keyword missing", true),
    ("missing_mjdobs", |b| changed(b, "MJD-OBS", None), "MJD-OBS is missing: time taken from DATE-OBS", false),
    ("string_mjdobs", |b| changed(b, "MJD-OBS", Some("MJD-OBS = '57831.6667'")), "time taken from DATE-OBS", false),
    ("no_data", no_data, "no valid pixels", true),
    ("cube_3d", cube, "NAXIS is `3`", true),
    ("bad_card", |b| changed(b, "INSFLNAM", Some("INSFLNAM= 'unterminated")), "text without a closing quote", false),
    ("hierarch_glued", glued, "no blank between HIERARCH and the keyword", false),
];

const OF_FLAT: &[Case] = &[
    ("missing_insgrid", |b| changed(b, "INSGRID", None), "INSGRID: keyword missing", true),
    ("string_exptime", |b| changed(b, "EXPTIME", Some("EXPTIME = '10.0    '")), "EXPTIME must be a number", true),
    ("numeric_insgrid", |b| changed(b, "INSGRID", Some("INSGRID =                   11")), "INSGRID must be text", true),
    ("all_nan", all_nan, "no valid pixels", true),
];

fn no_data(b: &[u8]) -> Vec<u8> {
    let mut new = b[..data_start(b)].to_vec();
    set_card(&mut new, "NAXIS", Some("NAXIS   =                    0"));
    for key in ["NAXIS1", "NAXIS2"] {
        set_card(&mut new, key, None);
    }
    new
}

fn cube(b: &[u8]) -> Vec<u8> {
    let start = data_start(b);
    let mut new = b[..start].to_vec();
    set_card(&mut new, "NAXIS", Some("NAXIS   =                    3"));
    let at = (0..new.len() / 80).map(|n| n * 80).find(|&i| new[i..].starts_with(b"NAXIS2  ")).unwrap() + 80;
    new[at..at + 80].copy_from_slice(format!("{:<80}", "NAXIS3  =                    1").as_bytes());
    new.extend(&b[start..]);
    new
}

fn glued(b: &[u8]) -> Vec<u8> {
    let mut new = b.to_vec();
    let at = (0..new.len() / 80).map(|n| n * 80).find(|&i| new[i..].starts_with(b"HIERARCH CAHA")).unwrap();
    new[at..at + 80].copy_from_slice(format!("{:<80}", "HIERARCHCAHA DET CCDS = 1").as_bytes());
    new
}

/// 32-bit floats, all of them NaN.
fn all_nan(b: &[u8]) -> Vec<u8> {
    let start = data_start(b);
    let mut new = b[..start].to_vec();
    set_card(&mut new, "BITPIX", Some("BITPIX  =                  -32"));
    for key in ["BZERO", "BSCALE"] {
        set_card(&mut new, key, None);
    }
    let axis = |key: &str| -> usize {
        let at = (0..b.len() / 80).map(|n| n * 80).find(|&i| b[i..].starts_with(format!("{key:<8}=").as_bytes())).unwrap();
        String::from_utf8_lossy(&b[at + 10..at + 30]).trim().parse().unwrap()
    };
    let pixels = axis("NAXIS1") * axis("NAXIS2");
    for _ in 0..pixels {
        new.extend(f32::NAN.to_be_bytes());
    }
    new.resize(new.len().div_ceil(2880) * 2880, 0);
    new
}

fn sample(s: &Scenario, raw: &Path, tag: &str) -> (Vec<u8>, std::path::PathBuf) {
    let frames = s.ifured(&["-o", "look", "ls", "--tag", tag, "--json"]).code(0).json();
    let path = raw.parent().unwrap().join(frames[0]["name"].as_str().unwrap());
    (fs::read(&path).unwrap(), path)
}

#[test]
fn each_bad_file_has_its_row_and_the_others_are_reduced() {
    let s = Scenario::new();
    let raw = s.simulate(&[]);
    s.ifured(&["-i", "cafos", "-o", "look", "scan", "night/raw"]).code(0);
    s.ifured(&["-i", "cafos", "-o", "clean", "reduce", "night/raw"]).code(0);
    let (bias, path) = sample(&s, &raw, "bias");
    let (flat, _) = sample(&s, &raw, "flat-imaging");
    let night = path.parent().unwrap();
    for (cases, good) in [(OF_BIAS, &bias), (OF_FLAT, &flat)] {
        for (name, make, _, _) in cases {
            // Content of its own, so that none is taken for a duplicate.
            let mut bytes = make(good);
            if bytes.len() > 2880 && !matches!(*name, "truncated_header" | "not_fits") {
                let at = (0..bytes.len() / 80).map(|n| n * 80).find(|&i| bytes[i..].starts_with(b"OBJECT  ")).unwrap();
                bytes[at..at + 80].copy_from_slice(format!("{:<80}", format!("OBJECT  = '{name}'")).as_bytes());
            }
            fs::write(night.join(format!("{name}.fits")), bytes).unwrap();
        }
    }
    s.ifured(&["-i", "cafos", "-o", "out", "reduce", "night/raw"]).code(1).says("refused");
    let rows = s.ifured(&["-o", "out", "ls", "--json"]).json();
    for (name, _, reason, refused) in OF_BIAS.iter().chain(OF_FLAT) {
        let row = rows.as_array().unwrap().iter().find(|r| r["name"].as_str().unwrap().ends_with(&format!("/{name}.fits")));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let why = format!("{} {}", row["why"].as_str().unwrap_or(""), row["notes"]);
        assert!(why.trim().len() > 8 && why.contains(reason), "{name}: `{why}` does not say `{reason}`");
        assert_eq!(row["state"] == "refused", *refused, "{name}: {row}");
    }
    // The others are reduced. (The odd bias frames that can be used join the group, and the first names the master.)
    let (clean, out) = (products(&s.join("clean")), products(&s.join("out")));
    let lost: Vec<_> = clean.keys().filter(|k| !k.starts_with("bias/") && !out.contains_key(*k)).collect();
    assert!(lost.is_empty() && clean.len() == out.len(), "{lost:?} {:?}", out.keys());
}

#[test]
fn a_frame_that_is_refused_can_be_corrected() {
    let s = Scenario::new();
    let raw = s.simulate(&[]);
    s.ifured(&["-i", "cafos", "-o", "look", "scan", "night/raw"]).code(0);
    let (bias, path) = sample(&s, &raw, "bias");
    fs::write(&path, changed(&bias, "IMAGETYP", None)).unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(1).says("IMAGETYP: keyword missing");
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    fs::write(s.join("ifured.toml"), format!("[[frames.correct]]\nfiles = [\"{name}\"]\nset = {{ IMAGETYP = \"bias\" }}\n")).unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(0);
    fs::write(s.join("ifured.toml"), format!("[[frames.ignore]]\nfiles = [\"{name}\"]\nwhy = \"no type\"\n")).unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(0).says("ignored");
    fs::write(s.join("ifured.toml"), format!("[[frames.force]]\nfiles = [\"{name}\"]\ntag = \"bias\"\n")).unwrap();
    s.ifured(&["-i", "cafos", "reduce", "night/raw"]).code(0);
    fs::write(s.join("ifured.toml"), format!("[[frames.force]]\nfiles = [\"{name}\"]\ntag = \"bais\"\n")).unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).code(2).says("did you mean `bias`?");
    fs::write(s.join("ifured.toml"), "[[frames.ignore]]\nfiles = [\"no-such-*.fits\"]\n").unwrap();
    s.ifured(&["-i", "cafos", "scan", "night/raw"]).says("no frame matches no-such-*.fits");
}
