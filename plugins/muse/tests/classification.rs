//! MUSE frames get the right tag: synthetic headers of each kind, and real ones.

use ifured_core::module::TruthRequest;
use ifured_core::recipe::{ProductPath, QuietHost, SimulationRequest};
use ifured_core::rule::{Verdict, classify};
use ifured_core::{Classification, Header, LoadedInstrument, State};
use ifured_eso::samples::{primary_header, sample};

fn muse() -> LoadedInstrument {
    LoadedInstrument::new(ifured_muse::module()).unwrap()
}

fn recognised(header: &Header) -> bool {
    muse().description().recognise.iter().all(|c| c.check(header) == Verdict::Holds)
}

fn classified(header: &Header) -> Classification {
    let rules: Vec<_> = muse().description().frame_types.iter().map(|t| t.rule.clone()).collect();
    classify(&rules, header)
}

fn raw(catg: &str, kind: &str) -> Header {
    let mut h = Header::new();
    h.set("INSTRUME", "MUSE", "");
    h.set("ESO DPR CATG", catg, "");
    h.set("ESO DPR TYPE", kind, "");
    h.set("ESO DPR TECH", "IFU", "");
    h
}

#[test]
fn raw_frames_by_dpr() {
    let table = [
        ("CALIB", "BIAS", "BIAS"),
        ("CALIB", "DARK", "DARK"),
        ("CALIB", "FLAT,LAMP", "FLAT"),
        ("CALIB", "LAMP,FLAT", "FLAT"),
        ("CALIB", "FLAT,LAMP,ILLUM", "ILLUM"),
        ("CALIB", "WAVE", "ARC"),
        ("CALIB", "WAVE,MASK", "MASK"),
        ("CALIB", "FLAT,SKY", "SKYFLAT"),
        ("CALIB", "STD", "STD"),
        ("CALIB", "ASTROMETRY", "ASTROMETRY"),
        ("SCIENCE", "OBJECT", "OBJECT"),
        ("SCIENCE", "SKY", "SKY"),
        ("ACQUISITION", "OBJECT", "unclassified"),
        ("TECHNICAL", "BIAS", "unclassified"),
    ];
    for (catg, kind, tag) in table {
        let c = classified(&raw(catg, kind));
        let state = if tag == "unclassified" { State::Wrong } else { State::Good };
        assert_eq!((c.tag.as_str(), c.state), (tag, state), "{catg} {kind}: {c:?}");
    }
}

#[test]
fn each_product_rule_takes_its_category_and_no_rule_before_it_does() {
    for kind in muse().description().frame_types.iter().filter(|t| t.rule.when.iter().all(|c| !c.key.contains("DPR"))) {
        let mut header = Header::new();
        header.set("INSTRUME", "MUSE", "");
        header.set("ESO PRO CATG", kind.rule.tag.as_str(), "");
        assert_eq!(classified(&header).tag, kind.rule.tag);
    }
}

#[test]
fn other_instruments_are_not_recognised() {
    assert!(recognised(&raw("CALIB", "BIAS")));
    for other in ["KMOS", "muse", "MUSE2", "CAFOS 2.2"] {
        let mut header = raw("CALIB", "BIAS");
        header.set("INSTRUME", other, "");
        assert!(!recognised(&header), "{other}");
    }
    assert!(!recognised(&Header::new()));
}

#[test]
fn real_headers() {
    let table = [
        ("WFM-AO-N_IC4406_header.fits", "IMAGE_FOV", State::Good),
        ("SKY_CONTINUUM_0001.fits", "SKY_CONTINUUM", State::Good),
        ("SKY_LINES_0001.fits", "SKY_LINES", State::Good),
        ("SKY_SPECTRUM_0001.fits", "SKY_SPECTRUM", State::Good),
        ("filter_list.fits", "FILTER_LIST", State::Good),
        // Made by MPDAF, which removed both DPR and PRO.
        ("subcub_mosaic.fits", "unclassified", State::Refused),
    ];
    for (name, tag, state) in table {
        let Some(path) = sample(&format!("muse/{name}")) else { continue };
        let header = primary_header(&path).unwrap();
        assert!(recognised(&header), "{name}");
        let c = classified(&header);
        assert_eq!((c.tag.as_str(), c.state), (tag, state), "{name}: {}", c.why);
    }
    // A cube by MPDAF without INSTRUME.
    if let Some(path) = sample("muse/CUBE.fits") {
        assert!(!recognised(&primary_header(&path).unwrap()));
    }
}

#[test]
fn the_set_up_of_a_real_product_is_read_from_its_primary_header() {
    let Some(path) = sample("muse/WFM-AO-N_IC4406_header.fits") else { return };
    let header = primary_header(&path).unwrap();
    let module = muse();
    let kind = |tag: &str| module.description().frame_types.iter().find(|t| t.rule.tag.as_str() == tag).unwrap();
    assert_eq!(kind("OBJECT").signature.extract(&header).to_string(), "WFM-AO-N__1__1__1");
    assert_eq!(kind("IMAGE_FOV").signature.extract(&header).to_string(), "WFM-AO-N");
    // The pointing of the telescope, twice: packed by the telescope software, and in degrees.
    let ra = ifured_eso::sexagesimal::read_right_ascension(&header, "ESO TEL TARG ALPHA").unwrap();
    let dec = ifured_eso::sexagesimal::read_declination(&header, "ESO TEL TARG DELTA").unwrap();
    let arcsec = |a: f64, b: f64| (a - b).abs() * 3600.0;
    assert!(arcsec(ra, header.real("RA").unwrap()) < 1.0 && arcsec(dec, header.real("DEC").unwrap()) < 1.0, "{ra} {dec}");
}

#[test]
fn simulated_headers_are_classified_as_what_they_are() {
    let request = SimulationRequest { directory: "unused".into(), seed: 1, nights: 2, size: None };
    let frames = ifured_muse::simulation::raw_frames(&request);
    assert_eq!(frames.len(), 22);
    for frame in frames {
        assert!(recognised(&frame.primary));
        assert_eq!(classified(&frame.primary).tag, frame.tag, "{}", frame.name);
        assert_eq!(frame.detectors.len(), 24);
    }
}

#[test]
fn simulated_files_are_found_to_be_what_they_are_and_nothing_else_is_compared() {
    let directory = tempfile::tempdir().unwrap();
    let request = SimulationRequest { directory: directory.path().into(), seed: 1, nights: 1, size: Some(8) };
    let simulation = muse().simulate(&request, &QuietHost).unwrap();
    assert_eq!(simulation.frames, 11);
    let files: Vec<_> = std::fs::read_dir(&simulation.raw).unwrap().map(|f| f.unwrap().path()).collect();
    let products = files.iter().map(|path| ProductPath {
        tag: classified(&primary_header(path).unwrap()).tag,
        path: path.clone(),
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
    });
    let mut products: Vec<ProductPath> = products.collect();
    let compare = |products: &[ProductPath]| {
        muse().compare_with_truth(&TruthRequest { truth: simulation.truth.clone(), products: products.to_vec() })
    };
    let rows = compare(&products).unwrap();
    assert_eq!(rows.len(), 11);
    assert!(rows.iter().all(|r| r.recovered()), "{rows:?}");
    products[0].tag = "SOMETHING".into();
    assert_eq!(compare(&products).unwrap().iter().filter(|r| !r.recovered()).count(), 1);
    assert!(compare(&[]).unwrap_err().what.contains("nothing was compared"));
}

#[test]
fn simulated_names_are_the_times_of_the_frames() {
    let request = SimulationRequest { directory: "unused".into(), seed: 1, nights: 1, size: None };
    let names: Vec<String> = ifured_muse::simulation::raw_frames(&request).into_iter().map(|f| f.name).collect();
    assert_eq!(names[0], "MUSE.2024-01-01T18:00:00.000.fits");
    assert!(names.iter().all(|n| n.ends_with(":00:00.000.fits")), "{names:?}");
    assert_eq!(names[10], "MUSE.2024-01-02T04:00:00.000.fits");
}
