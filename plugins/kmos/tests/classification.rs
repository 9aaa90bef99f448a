//! KMOS frames get the right tag and their arms are read: synthetic headers of each kind, and real ones.

use ifured_core::State;
use ifured_core::recipe::SimulationRequest;
use ifured_eso::questions::Asked;
use ifured_eso::samples::{primary_header, sample};
use ifured_kmos::{ArmState, Target, arms::arms};

fn kmos() -> Asked {
    Asked::new(ifured_kmos::module(), "KMOS")
}

#[test]
fn raw_frames_by_dpr() {
    kmos().raw_frames_by_dpr([
        (["CALIB", "FLAT,OFF", "IMAGE"], "FLAT_OFF"),
        (["CALIB", "FLAT,LAMP", "SPECTRUM"], "FLAT_ON"),
        (["CALIB", "WAVE,OFF", "IMAGE"], "ARC_OFF"),
        (["CALIB", "WAVE,LAMP", "SPECTRUM"], "ARC_ON"),
        (["CALIB", "FLAT,SKY", "IFU"], "FLAT_SKY"),
        (["CALIB", "OBJECT,SKY,STD,FLUX", "IFU"], "STD"),
        (["SCIENCE", "OBJECT,SKY", "IFU"], "SCIENCE"),
        (["ACQUISITION", "OBJECT,SKY", "IMAGE"], "ACQ_FRAME"),
        (["ACQUISITION", "anything", "at all"], "ACQ_FRAME"),
        (["CALIB", "DARK", "IMAGE"], "DARK"),
        (["CALIB", "OBJECT,SKY", "IFU"], "LUT_FRAME"),
        (["CALIB", "FLAT,LAMP", "IMAGE"], "unclassified"),
        (["TECHNICAL", "DARK", "IMAGE"], "unclassified"),
    ]);
}

#[test]
fn each_product_rule_takes_its_category_and_no_rule_before_it_does() {
    kmos().each_product_rule_takes_its_category(&["COMBINE", "CUBE"]);
    let with_target = [
        ("COMBINE_SCI_RECONSTRUCTED_star_103", "COMBINE"),
        ("EXP_MASK_SCI_RECONSTRUCTED_star_103", "EXP_MASK"),
        ("SCI_COMBINED_star_103", "SCI_COMBINED"),
        ("SCI_COMBINED_COLL_star_103", "SCI_COMBINED_COLL"),
        ("CUBE_OBJECT", "CUBE"),
    ];
    for (catg, tag) in with_target {
        assert_eq!(kmos().classified(&kmos().product(catg)).tag.as_str(), tag, "{catg}");
    }
}

#[test]
fn frames_with_the_lamp_off_have_no_filter_in_their_signature() {
    let kmos = kmos();
    for (off, on) in [("FLAT_OFF", "FLAT_ON"), ("ARC_OFF", "ARC_ON")] {
        assert!(kmos.kind(off).signature.0.iter().all(|k| !k.key.contains("FILT")));
        assert!(kmos.kind(on).signature.0.iter().any(|k| k.key.contains("FILT")));
    }
}

#[test]
fn other_instruments_are_not_recognised() {
    kmos().recognises_none_of(&["MUSE", "kmos", "KMOS2"]);
}

#[test]
fn real_headers() {
    kmos().real_headers(&[
        ("kmos/XID_208_YJband.fits", "COMBINE", State::Good),
        ("kmos/kmos_oh_spec_h.fits", "OH_SPEC", State::Good),
        ("kmos/kmos_oh_spec_iz.fits", "OH_SPEC", State::Good),
        ("kmos/kmos_oh_spec_k.fits", "OH_SPEC", State::Good),
        ("kmos/kmos_oh_spec_yj.fits", "OH_SPEC", State::Good),
        // All bands in one spectrum, without DPR and PRO.
        ("kmos/kmos_oh_spec.fits", "unclassified", State::Refused),
    ]);
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
    assert_eq!(frames.len(), 7 + 2 * 23);
    kmos().simulated_headers(&frames);
    for frame in frames.iter().filter(|f| !f.detectors.is_empty()) {
        assert_eq!(frame.primary.text("DATE-OBS").unwrap().len(), 24);
        let off = arms(&frame.primary).unwrap().iter().filter(|a| a.is_off()).count();
        assert!(off == 2 || off == 0);
    }
}

#[test]
fn simulated_files_are_found_to_be_what_they_are_and_nothing_else_is_compared() {
    kmos().simulated_files(7 + 23);
}
