//! MUSE frames get the right tag: synthetic headers of each kind, and real ones.

use ifured_core::State;
use ifured_core::recipe::SimulationRequest;
use ifured_eso::questions::Asked;
use ifured_eso::samples::{primary_header, sample};

fn muse() -> Asked {
    Asked::new(ifured_muse::module(), "MUSE")
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
    muse().raw_frames_by_dpr(table.map(|(catg, kind, tag)| ([catg, kind, "IFU"], tag)));
}

#[test]
fn each_product_rule_takes_its_category_and_no_rule_before_it_does() {
    muse().each_product_rule_takes_its_category(&[]);
}

#[test]
fn other_instruments_are_not_recognised() {
    muse().recognises_none_of(&["KMOS", "muse", "MUSE2", "CAFOS 2.2"]);
}

#[test]
fn real_headers() {
    muse().real_headers(&[
        ("muse/WFM-AO-N_IC4406_header.fits", "IMAGE_FOV", State::Good),
        ("muse/SKY_CONTINUUM_0001.fits", "SKY_CONTINUUM", State::Good),
        ("muse/SKY_LINES_0001.fits", "SKY_LINES", State::Good),
        ("muse/SKY_SPECTRUM_0001.fits", "SKY_SPECTRUM", State::Good),
        ("muse/filter_list.fits", "FILTER_LIST", State::Good),
        // Made by MPDAF, which removed both DPR and PRO.
        ("muse/subcub_mosaic.fits", "unclassified", State::Refused),
    ]);
    // A cube by MPDAF without INSTRUME.
    if let Some(path) = sample("muse/CUBE.fits") {
        assert!(!muse().recognises(&primary_header(&path).unwrap()));
    }
}

#[test]
fn the_set_up_of_a_real_product_is_read_from_its_primary_header() {
    let Some(path) = sample("muse/WFM-AO-N_IC4406_header.fits") else { return };
    let header = primary_header(&path).unwrap();
    let muse = muse();
    assert_eq!(muse.kind("OBJECT").signature.extract(&header).to_string(), "WFM-AO-N__1__1__1");
    assert_eq!(muse.kind("IMAGE_FOV").signature.extract(&header).to_string(), "WFM-AO-N");
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
    assert_eq!(frames.len(), 9 + 2 * 22);
    muse().simulated_headers(&frames);
    assert!(frames.iter().all(|f| f.detectors.len() == 24 || (f.detectors.is_empty() && f.primary.contains("ESO PRO CATG"))));
}

#[test]
fn simulated_files_are_found_to_be_what_they_are_and_nothing_else_is_compared() {
    muse().simulated_files(9 + 22);
}

#[test]
fn simulated_names_are_the_times_of_the_frames() {
    let request = SimulationRequest { directory: "unused".into(), seed: 1, nights: 1, size: None };
    let frames = ifured_muse::simulation::raw_frames(&request).into_iter();
    let names: Vec<String> = frames.filter(|f| !f.detectors.is_empty()).map(|f| f.name).collect();
    assert_eq!((names[0].as_str(), names[21].as_str()), ("MUSE.2024-01-01T18:00:00.000.fits", "MUSE.2024-01-02T01:00:00.000.fits"));
    assert!(names.iter().all(|n| n.ends_with(":00.000.fits")), "{names:?}");
}
