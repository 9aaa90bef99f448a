use ifured_core::Value;
use proptest::prelude::*;

use super::*;
use crate::list::{ListOptions, Row, What, table};

pub(crate) fn rows() -> Vec<Row> {
    (0..60)
        .map(|n| {
            let tag = ["bias", "flat-imaging", "science<imaging>"][n % 3];
            let t = n as f64;
            let fields: Vec<(String, Value)> = vec![
                ("NAME".into(), format!("f{n:02}").into()),
                ("EXPTIME".into(), (10.0 * (n % 3) as f64 + 0.1 * t).into()),
                ("QUANT500".into(), (700.0 + 30.0 * (t * 0.7).sin() + 400.0 * (n % 3) as f64).into()),
                ("MJD".into(), (57831.6 + 0.004 * t).into()),
            ];
            Row { name: format!("f{n:02}"), tags: vec![tag.into()], fields, ..Row::default() }
        })
        .collect()
}

#[test]
fn pairs_are_well_formed_and_escaped() {
    let options = ListOptions { columns: vec!["EXPTIME".into(), "QUANT500".into(), "MJD".into()], ..Default::default() };
    let list = table(What::Frames, &rows(), &options, &["name".into()]).unwrap();
    let svg = pairs(&list, "A & B <night>", &|c| if c == "EXPTIME" { "s".into() } else { String::new() }).unwrap();
    assert!(svg.contains("A &amp; B &lt;night&gt;") && svg.contains("EXPTIME [s]") && svg.contains("science&lt;imaging&gt;"));
    assert_eq!(svg.matches("<svg").count(), 1);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let two = ListOptions { columns: vec!["EXPTIME".into(), "QUANT500".into()], ..Default::default() };
    let list = table(What::Frames, &rows(), &two, &["name".into()]).unwrap();
    assert!(pairs(&list, "", &|_| String::new()).is_ok());
    if let Ok(directory) = std::env::var("IFURED_KEEP_PLOTS") {
        std::fs::write(std::path::Path::new(&directory).join("pairs.svg"), svg).unwrap();
    }
}

#[test]
fn images_have_axes_and_a_colour_bar() {
    use ifured_pixels::fits::{HduSelect, Layout, write_image};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m31 <R>.fits");
    let mut header = ifured_core::Header::new();
    header.set("BUNIT", "electron", "");
    header.set("OBJECT", "M 31 & more", "");
    header.set("EXPTIME", 120.0, "");
    write_image(&path, &header, &crate::report::tests::scene(1500, 2000, 700.0), Layout::Extensions).unwrap();
    let svg = image(&path, &HduSelect::First, crate::preview::Stretch::Zscale, crate::preview::ColourMap::Viridis, true).unwrap();
    assert!(svg.contains("M 31 &amp; more") && svg.contains("[electron]") && svg.contains("2000 × 1500 pixels") && !svg.contains("\"NaN"));
    assert_eq!(svg.matches("<image ").count(), 2);
    assert!(
        image(&directory.path().join("none.fits"), &HduSelect::First, crate::preview::Stretch::Zscale, Default::default(), false).is_err()
    );
    if let Ok(directory) = std::env::var("IFURED_KEEP_PLOTS") {
        std::fs::write(std::path::Path::new(&directory).join("image.svg"), svg).unwrap();
    }
}

#[test]
fn ticks_are_at_nice_numbers() {
    assert_eq!(nice_ticks(0.0, 10.0, 5), (vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0], 0));
    assert_eq!(nice_ticks(-0.013, 0.027, 4).0.len(), 4);
    assert_eq!(nice_ticks(3.0, 3.0, 4).0.len(), 0);
    let mjd = Axis { values: (57831.6, 57831.9), places: (0.0, 100.0) };
    assert_eq!(mjd.ticks(3).1.as_deref(), Some("+ 57831.6"));
}

proptest! {
    #[test]
    fn ticks_lie_inside(low in -1e9f64..1e9, span in 1e-6f64..1e9, wanted in 1usize..12) {
        let (ticks, _) = nice_ticks(low, low + span, wanted);
        prop_assert!(ticks.len() <= wanted + 2);
        prop_assert!(ticks.iter().all(|t| *t >= low - 1e-6 * span && *t <= low + span + 1e-6 * span));
    }
}
