//! KMOS frames get the right tag and their arms are read: synthetic headers of each kind, and real ones.

use ifured_core::module::TruthRequest;
use ifured_core::recipe::{ProductPath, QuietHost, SimulationRequest};
use ifured_core::rule::{Verdict, classify};
use ifured_core::{Classification, Header, LoadedInstrument, State};
use ifured_eso::samples::{primary_header, sample};
use ifured_kmos::{ArmState, Target, arms::arms};

fn kmos() -> LoadedInstrument {
    LoadedInstrument::new(ifured_kmos::module()).unwrap()
}

fn recognised(header: &Header) -> bool {
    kmos().description().recognise.iter().all(|c| c.check(header) == Verdict::Holds)
}

fn classified(header: &Header) -> Classification {
    let rules: Vec<_> = kmos().description().frame_types.iter().map(|t| t.rule.clone()).collect();
    classify(&rules, header)
}

fn raw(catg: &str, kind: &str, tech: &str) -> Header {
    let mut h = Header::new();
    h.set("INSTRUME", "KMOS", "");
    h.set("ESO DPR CATG", catg, "");
    h.set("ESO DPR TYPE", kind, "");
    h.set("ESO DPR TECH", tech, "");
    h
}

fn product(catg: &str) -> Header {
    let mut h = Header::new();
    h.set("INSTRUME", "KMOS", "");
    h.set("ESO PRO CATG", catg, "");
    h
}

#[test]
fn raw_frames_by_dpr() {
    let table = [
        ("CALIB", "FLAT,OFF", "IMAGE", "FLAT_OFF"),
        ("CALIB", "FLAT,LAMP", "SPECTRUM", "FLAT_ON"),
        ("CALIB", "WAVE,OFF", "IMAGE", "ARC_OFF"),
        ("CALIB", "WAVE,LAMP", "SPECTRUM", "ARC_ON"),
        ("CALIB", "FLAT,SKY", "IFU", "FLAT_SKY"),
        ("CALIB", "OBJECT,SKY,STD,FLUX", "IFU", "STD"),
        ("SCIENCE", "OBJECT,SKY", "IFU", "SCIENCE"),
        ("ACQUISITION", "OBJECT,SKY", "IMAGE", "ACQ_FRAME"),
        ("ACQUISITION", "anything", "at all", "ACQ_FRAME"),
        ("CALIB", "DARK", "IMAGE", "DARK"),
        ("CALIB", "OBJECT,SKY", "IFU", "LUT_FRAME"),
        ("CALIB", "FLAT,LAMP", "IMAGE", "unclassified"),
        ("TECHNICAL", "DARK", "IMAGE", "unclassified"),
    ];
    for (catg, kind, tech, tag) in table {
        let c = classified(&raw(catg, kind, tech));
        let state = if tag == "unclassified" { State::Wrong } else { State::Good };
        assert_eq!((c.tag.as_str(), c.state), (tag, state), "{catg} {kind} {tech}: {c:?}");
    }
}

#[test]
fn each_product_rule_takes_its_category_and_no_rule_before_it_does() {
    let named = ["COMBINE", "CUBE"];
    let module = kmos();
    let products = module.description().frame_types.iter().filter(|t| t.rule.when.iter().all(|c| !c.key.contains("DPR")));
    for kind in products.filter(|t| !named.contains(&t.rule.tag.as_str())) {
        assert_eq!(classified(&product(kind.rule.tag.as_str())).tag, kind.rule.tag);
    }
    let with_target = [
        ("COMBINE_SCI_RECONSTRUCTED_star_103", "COMBINE"),
        ("EXP_MASK_SCI_RECONSTRUCTED_star_103", "EXP_MASK"),
        ("SCI_COMBINED_star_103", "SCI_COMBINED"),
        ("SCI_COMBINED_COLL_star_103", "SCI_COMBINED_COLL"),
        ("CUBE_OBJECT", "CUBE"),
    ];
    for (catg, tag) in with_target {
        assert_eq!(classified(&product(catg)).tag.as_str(), tag, "{catg}");
    }
}

#[test]
fn frames_with_the_lamp_off_have_no_filter_in_their_signature() {
    let module = kmos();
    let kind = |tag: &str| module.description().frame_types.iter().find(|t| t.rule.tag.as_str() == tag).unwrap();
    for (off, on) in [("FLAT_OFF", "FLAT_ON"), ("ARC_OFF", "ARC_ON")] {
        assert!(kind(off).signature.0.iter().all(|k| !k.key.contains("FILT")));
        assert!(kind(on).signature.0.iter().any(|k| k.key.contains("FILT")));
    }
}

#[test]
fn other_instruments_are_not_recognised() {
    assert!(recognised(&raw("CALIB", "DARK", "IMAGE")));
    for other in ["MUSE", "kmos", "KMOS2"] {
        let mut header = raw("CALIB", "DARK", "IMAGE");
        header.set("INSTRUME", other, "");
        assert!(!recognised(&header), "{other}");
    }
    assert!(!recognised(&Header::new()));
}

#[test]
fn real_headers() {
    let table = [
        ("XID_208_YJband.fits", "COMBINE", State::Good),
        ("kmos_oh_spec_h.fits", "OH_SPEC", State::Good),
        ("kmos_oh_spec_iz.fits", "OH_SPEC", State::Good),
        ("kmos_oh_spec_k.fits", "OH_SPEC", State::Good),
        ("kmos_oh_spec_yj.fits", "OH_SPEC", State::Good),
        // All bands in one spectrum, without DPR and PRO.
        ("kmos_oh_spec.fits", "unclassified", State::Refused),
    ];
    for (name, tag, state) in table {
        let Some(path) = sample(&format!("kmos/{name}")) else { continue };
        let header = primary_header(&path).unwrap();
        assert!(recognised(&header), "{name}");
        let c = classified(&header);
        assert_eq!((c.tag.as_str(), c.state), (tag, state), "{name}: {}", c.why);
    }
}

#[test]
fn the_arms_of_a_real_exposure() {
    let Some(path) = sample("kmos/XID_208_YJband.fits") else { return };
    let header = primary_header(&path).unwrap();
    let arms = arms(&header).unwrap();
    assert_eq!(arms.len(), 24);
    let off: Vec<u8> = arms.iter().filter(|a| a.is_off()).map(|a| a.number).collect();
    assert_eq!(off, [2, 10, 13]);
    assert!(off.iter().all(|&n| arms[usize::from(n) - 1].state == ArmState::Off { reason: "NotInPAF/Locked".into() }));
    assert_eq!((arms[0].name.as_str(), arms[22].name.as_str()), ("AGN43", "RStar10"));
    assert!(matches!(arms[22].state, ArmState::Used { target: Target::Reference, .. }));

    // ALPHA 33211.634 and DELTA -273725.993 are 03:32:11.634 and -27:37:25.993.
    let ArmState::Used { position: Some(first), .. } = arms[0].state else { panic!("{:?}", arms[0]) };
    assert!((first.ra_deg - 15.0 * (3.0 + 32.0 / 60.0 + 11.634 / 3600.0)).abs() < 1e-9);
    assert!((first.dec_deg + (27.0 + 37.0 / 60.0 + 25.993 / 3600.0)).abs() < 1e-9);

    // All targets lie in the patrol field of 7.2 arcmin diameter around the pointing.
    let (ra, dec) = (header.real("RA").unwrap(), header.real("DEC").unwrap());
    let used = arms.iter().filter_map(|a| if let ArmState::Used { position: Some(p), .. } = &a.state { Some((a.number, p)) } else { None });
    let mut distances = Vec::new();
    for (number, place) in used {
        let arcmin = 60.0 * ((place.ra_deg - ra) * dec.to_radians().cos()).hypot(place.dec_deg - dec);
        assert!(arcmin < 3.65, "arm {number} is {arcmin} arcmin from the pointing");
        distances.push(arcmin);
    }
    assert_eq!(distances.len(), 21);
    assert!(distances.iter().copied().fold(0.0, f64::max) > 2.0, "the targets are spread over the field: {distances:?}");
}

#[test]
fn simulated_headers_are_classified_as_what_they_are() {
    let request = SimulationRequest { directory: "unused".into(), seed: 1, nights: 2, size: None };
    let frames = ifured_kmos::simulation::raw_frames(&request);
    assert_eq!(frames.len(), 20);
    for frame in frames {
        assert!(recognised(&frame.primary));
        assert_eq!(classified(&frame.primary).tag, frame.tag, "{}", frame.name);
        assert_eq!(frame.primary.text("DATE-OBS").unwrap().len(), 24);
        let off = arms(&frame.primary).unwrap().iter().filter(|a| a.is_off()).count();
        assert!(off == 2 || off == 0);
    }
}

#[test]
fn simulated_files_are_found_to_be_what_they_are_and_nothing_else_is_compared() {
    let directory = tempfile::tempdir().unwrap();
    let request = SimulationRequest { directory: directory.path().into(), seed: 1, nights: 1, size: Some(8) };
    let simulation = kmos().simulate(&request, &QuietHost).unwrap();
    assert_eq!(simulation.frames, 10);
    let files: Vec<_> = std::fs::read_dir(&simulation.raw).unwrap().map(|f| f.unwrap().path()).collect();
    let products = files.iter().map(|path| ProductPath {
        tag: classified(&primary_header(path).unwrap()).tag,
        path: path.clone(),
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
    });
    let mut products: Vec<ProductPath> = products.collect();
    let compare = |products: &[ProductPath]| {
        kmos().compare_with_truth(&TruthRequest { truth: simulation.truth.clone(), products: products.to_vec() })
    };
    let rows = compare(&products).unwrap();
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(|r| r.recovered()), "{rows:?}");
    products[0].tag = "SOMETHING".into();
    assert_eq!(compare(&products).unwrap().iter().filter(|r| !r.recovered()).count(), 1);
    assert!(compare(&[]).unwrap_err().what.contains("nothing was compared"));
}
