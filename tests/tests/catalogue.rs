//! A night with a catalogue of stars: photometry as columns of lists, and catalogues that do not fit.

use std::fs;

use ifured_tests::{Scenario, products};

#[test]
fn photometry_is_in_the_lists_and_sums_take_the_fitted_coordinates() {
    let s = Scenario::new();
    s.simulate(&[]);
    let first = s.ifured(&["-i", "cafos", "reduce", "night/raw", "--json"]).code(0).json();
    assert!(products(s.path()).keys().any(|k| k.starts_with("coadd/")), "{first}");
    let list = ["ls", "products", "--tag", "reduced-imaging", "--columns", "SEEING,SKY,N STARS,LIMFLUX", "--json"];
    let without = s.ifured(&list).code(0).json();
    for row in without.as_array().unwrap() {
        assert!((1.3..2.0).contains(&row["SEEING"].as_f64().unwrap()) && row["N STARS"].as_f64().unwrap() > 10.0, "{row}");
        assert!(row["LIMFLUX"].as_f64().unwrap() > 0.0 && row["SKY"].as_f64().unwrap() > 300.0, "{row}");
    }

    let catalogue = ["--set", "recipes.astrometry.catalogue=night/truth/catalogue.fits"];
    let reduce = |more: &[&str]| s.ifured(&[&["-i", "cafos", "reduce", "night/raw", "--json"], more].concat());
    let solved = reduce(&catalogue).code(0).json();
    // Images that are not changed are not reduced again: three are solved, and one sum is made of these.
    assert_eq!(solved["ran"], 4, "{solved}");
    let list = s.ifured(&[
        "ls",
        "products",
        "--columns",
        "ZEROPOINT,ZEROPOINT_ERROR,LIMMAG,SEEING,N SOLVED",
        "--where",
        "ZEROPOINT > 20",
        "--json",
    ]);
    let rows = list.code(0).json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in rows {
        let pull = (row["ZEROPOINT"].as_f64().unwrap() - 23.5) / row["ZEROPOINT_ERROR"].as_f64().unwrap();
        assert!(pull.abs() < 5.0 && row["LIMMAG"].as_f64().unwrap() > 18.0, "{row}");
    }
    assert_eq!(rows.iter().filter(|r| r["N SOLVED"].as_f64() == Some(3.0)).count(), 1, "{rows:?}");
    let verified = s.ifured(&[&["verify", "--truth", "night/truth"], &catalogue[..]].concat()).code(0);
    verified.says("error of the world coordinates").says("column of the stars").says("recover the truth");
}

#[test]
fn a_catalogue_of_another_field_leaves_the_night_as_it_is() {
    let s = Scenario::new();
    s.simulate(&[]);
    let stars: String = (0..50).map(|n| format!("{},{}\n", 10.0 + 0.01 * f64::from(n), -30.0 + 0.013 * f64::from(n % 7))).collect();
    fs::write(s.join("elsewhere.csv"), format!("ra,dec\n{stars}")).unwrap();
    let reduce = |file: &str| {
        let set = format!("recipes.astrometry.catalogue={file}");
        s.ifured(&["-i", "cafos", "reduce", "night/raw", "--json", "--set", &set]).code(1).json()
    };
    let run = reduce("elsewhere.csv");
    let failed = run["failed"].as_array().unwrap();
    assert!(failed.len() == 3 && failed.iter().all(|f| f.to_string().contains("of the catalogue lie within")), "{run}");
    let made = products(s.path());
    assert!(made.keys().any(|k| k.starts_with("coadd/")) && !made.keys().any(|k| k.starts_with("astrometry/")), "{made:?}");
    // Wrong columns, and no file at all.
    fs::write(s.join("columns.csv"), "name,alpha,delta\nA,1,2\n").unwrap();
    let run = reduce("columns.csv");
    assert!(run["failed"].to_string().contains("has no column of"), "{run}");
    let run = reduce("nowhere.csv");
    assert!(run["blocked"].to_string().contains("nowhere.csv"), "{run}");
}
