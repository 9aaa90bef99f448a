//! Classification: every class, and the odd frames that archives hold.

mod common;

use common::classify_header;
use ifured_cafos::Cafos;
use ifured_core::rule::{State, Verdict};
use ifured_core::{Header, Instrument, Value};

fn frame(changes: &[(&str, Value)]) -> Header {
    let mut h = Header::new();
    for (key, value) in [
        ("NAXIS", Value::Integer(2)),
        ("INSTRUME", "CAFOS 2.2".into()),
        ("IMAGETYP", "science".into()),
        ("EXPTIME", 60.0.into()),
        ("INSGRID", "GRISM-11".into()),
        ("INSPOFPI", "FREE".into()),
        ("QUANT975", 1200.0.into()),
    ] {
        h.set(key, value, "");
    }
    for (key, value) in changes {
        h.set(key, value.clone(), "");
    }
    h
}

fn text(value: &str) -> Value {
    value.into()
}

#[test]
fn every_class() {
    let zero = Value::Real(0.0);
    let flat_level = Value::Real(30_000.0);
    for (changes, tag) in [
        (vec![("IMAGETYP", text("bias")), ("EXPTIME", zero.clone()), ("QUANT975", 690.0.into())], "bias"),
        (vec![("IMAGETYP", text("BIAS")), ("EXPTIME", zero.clone()), ("QUANT975", 690.0.into())], "bias"),
        (vec![("IMAGETYP", text("bias")), ("EXPTIME", 3.0.into()), ("QUANT975", 690.0.into())], "wrong-bias"),
        (vec![("IMAGETYP", text("bias")), ("EXPTIME", zero.clone())], "wrong-bias"),
        (vec![("IMAGETYP", text("flat")), ("QUANT975", flat_level.clone())], "flat-imaging"),
        (vec![("IMAGETYP", text("domeflat")), ("QUANT975", flat_level.clone())], "flat-imaging"),
        (vec![("IMAGETYP", text("twilight")), ("QUANT975", flat_level.clone())], "flat-imaging"),
        (vec![("IMAGETYP", text("flat")), ("QUANT975", 65_531.0.into())], "wrong-flat-imaging"),
        (vec![("IMAGETYP", text("flat")), ("QUANT975", 970.0.into())], "wrong-flat-imaging"),
        (vec![("IMAGETYP", text("flat")), ("QUANT975", flat_level.clone()), ("INSPOFPI", text("Wollaston"))], "flat-imaging-wollaston"),
        (vec![("IMAGETYP", text("flat")), ("INSGRID", text("GRISM- 9"))], "flat-spectroscopy"),
        (vec![("IMAGETYP", text("flat")), ("INSGRID", text("GRISM- 9")), ("QUANT975", 61_000.0.into())], "wrong-flat-spectroscopy"),
        (vec![("IMAGETYP", text("arc")), ("INSGRID", text("GRISM- 9"))], "arc"),
        (vec![("IMAGETYP", text("arc"))], "unclassified"),
        (vec![], "science-imaging"),
        (vec![("EXPTIME", zero)], "wrong-science-imaging"),
        (vec![("QUANT975", 60_000.0.into())], "wrong-science-imaging"),
        (vec![("INSPOFPI", text("Wollaston"))], "science-imaging-wollaston"),
        (vec![("INSPOFPI", text("WOLLASTON"))], "science-imaging-wollaston"),
        (vec![("INSGRID", text("GRISM- 1"))], "science-spectroscopy"),
        (vec![("INSGRID", text("grism-11"))], "science-imaging"),
        (vec![("IMAGETYP", text("focus"))], "unclassified"),
    ] {
        let found = classify_header(&frame(&changes));
        assert_eq!(found.tag.as_str(), tag, "{changes:?}: {}", found.why);
    }
}

#[test]
fn what_cannot_be_judged_is_refused_with_the_keyword() {
    for (changes, why) in [
        (vec![("EXPTIME", text("60.0"))], "EXPTIME must be a number"),
        (vec![("INSGRID", 11_i64.into())], "INSGRID must be text"),
        (vec![("QUANT975", Value::Undefined)], "QUANT975"),
    ] {
        let found = classify_header(&frame(&changes));
        assert_eq!(found.state, State::Refused, "{changes:?}");
        assert!(found.why.contains(why), "{}", found.why);
    }
    let mut h = frame(&[]);
    h.remove("IMAGETYP");
    assert_eq!(classify_header(&h).state, State::Refused);
}

#[test]
fn only_cafos_frames_with_two_axes() {
    let description = Cafos.describe();
    let recognised = |name: &str| description.recognise.iter().all(|c| c.check(&frame(&[("INSTRUME", text(name))])) == Verdict::Holds);
    assert!(recognised("CAFOS 2.2") && !recognised("cafos 2.2") && !recognised("BUSCA"));
    let usable = |axes: i64| description.require.iter().all(|c| c.check(&frame(&[("NAXIS", axes.into())])) == Verdict::Holds);
    assert!(usable(2) && !usable(3) && !usable(0));
}

#[test]
fn signatures_are_those_that_users_know() {
    let bias = &Cafos.describe().frame_types[0];
    let h = frame(&[
        ("CCDNAME", text("SITE#1d_15")),
        ("NAXIS1", 1650_i64.into()),
        ("NAXIS2", 1650_i64.into()),
        ("DATASEC", text("[251,221:1900,1870]")),
        ("CCDBINX", 1_i64.into()),
        ("CCDBINY", 1_i64.into()),
    ]);
    assert_eq!(bias.signature.extract(&h).to_string(), "SITE#1d_15__1650__1650__[251,221:1900,1870]__1__1");
}
