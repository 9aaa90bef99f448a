use proptest::prelude::*;

use super::*;

fn parse(lines: &[&str]) -> Header {
    let text: String = lines.iter().map(|l| format!("{l:<80}")).collect();
    Header::parse(text.as_bytes())
}

#[test]
fn types_are_what_the_card_says() {
    let h = parse(&[
        "SIMPLE  =                    T / conforms",
        "NAXIS1  =                 1100",
        "ORIGSECX=         2.048000E+03 / full frame",
        "RA      =           1.5D+02",
        "OBJECT  = 'O''Neill  '         / with a quote",
        "NOVALUE =                      / nothing",
        "HIERARCH CAHA TEL DOME.AZ = 3.00E+01 / dome azimut [degr]",
        "COMMENT   free = text",
    ]);
    assert!(h.logical("SIMPLE").unwrap());
    assert_eq!(h.integer("NAXIS1"), Ok(1100));
    assert_eq!(h.integer("ORIGSECX"), Ok(2048));
    assert_eq!(h.get("ORIGSECX"), Some(&Value::Real(2048.0)));
    assert_eq!(h.real("ra"), Ok(150.0));
    assert_eq!(h.text("OBJECT"), Ok("O'Neill"));
    assert_eq!(h.card("OBJECT").unwrap().comment(), "with a quote");
    assert_eq!(h.get("NOVALUE"), Some(&Value::Undefined));
    assert_eq!(h.real("HIERARCH CAHA TEL DOME.AZ"), Ok(30.0));
    assert_eq!(h.all("COMMENT").next().unwrap().text(), Some("  free = text"));
    assert!(h.issues().is_empty());
}

#[test]
fn errors_name_keyword_and_types() {
    let h = parse(&["EXPTIME = '10.0    '"]);
    assert_eq!(h.real("EXPTIME").unwrap_err().to_string(), "keyword EXPTIME must be a number, but is text `10.0`");
    assert_eq!(h.real("MJD-OBS").unwrap_err().to_string(), "keyword MJD-OBS is missing");
}

#[test]
fn slips_are_read_and_named() {
    let h = parse(&["HIERARCHCAHA DET CCDS = 1", "INSFPORD= 'unterminated", "GAIN    = 1.2.3"]);
    assert_eq!(h.integer("CAHA DET CCDS"), Ok(1));
    assert_eq!(h.text("INSFPORD"), Ok("unterminated"));
    let what: Vec<_> = h.issues().iter().map(ToString::to_string).collect();
    assert_eq!(
        what,
        [
            "card 1 (CAHA DET CCDS): no blank between HIERARCH and the keyword",
            "card 2 (INSFPORD): text without a closing quote",
            "card 3 (GAIN): `1.2.3` is neither a number nor quoted text",
        ]
    );
}

#[test]
fn unchanged_cards_keep_their_columns() {
    let lines = ["HIERARCH CAHA DET CCD1 CF = 1.430E+00 / Sensitivity", "HIERARCH CAHA DET CCD1 CF = 1.430E+00 / again", "UTC=odd"];
    let h = parse(&lines);
    assert_eq!(h.columns(), lines.map(|l| format!("{l:<80}")));
}

#[test]
fn long_strings_continue() {
    let h = parse(&["LONG    = 'first part &'", "CONTINUE  'second &'", "CONTINUE  'third' / said", "NAXIS   = 0"]);
    assert_eq!(h.text("LONG"), Ok("first part second third"));
    assert_eq!(h.card("LONG").unwrap().comment(), "said");
    assert_eq!(h.cards().len(), 2);
    assert_eq!(h.columns().len(), 4);
}

#[test]
fn comments_stay_with_values_that_change() {
    let lines =
        ["LONG    = 'first &' / one", "CONTINUE  'second' / two", "OBSERVER= 'M\u{fc}ller' / f\u{fc}r \u{b5}m", "NAXIS   = 0 / none"];
    let text: String = lines.iter().map(|l| format!("{l:<80}")).collect();
    let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let mut h = Header::parse(&bytes);
    let comment = |h: &Header, keyword: &str| h.card(keyword).unwrap().comment().to_owned();
    assert_eq!(
        (comment(&h, "LONG"), comment(&h, "OBSERVER"), comment(&h, "NAXIS")),
        ("one two".into(), "f\u{fc}r \u{b5}m".into(), "none".into())
    );
    assert_eq!((h.text("LONG"), h.text("OBSERVER")), (Ok("first second"), Ok("M\u{fc}ller")));
    h.set("OBSERVER", "me", "");
    h.set("NAXIS", 2i64, "two");
    assert_eq!((comment(&h, "OBSERVER"), comment(&h, "NAXIS")), ("f\u{fc}r \u{b5}m".into(), "two".into()));
    // The others have their columns.
    assert_eq!(h.columns()[..2].concat(), text[..160]);
}

proptest! {
    #[test]
    fn any_value_reads_back(text in "[ -~]{0,300}", real in any::<f64>(), integer in any::<i64>(), hierarchical in any::<bool>()) {
        let key = |k: &str| if hierarchical { format!("IFURED LONGER {k}") } else { k.to_owned() };
        let mut h = Header::new();
        h.set(&key("TXT"), text.as_str(), "a comment");
        h.set(&key("INT"), integer, "");
        if real.is_finite() {
            h.set(&key("REAL"), real, "");
        }
        let bytes: String = h.columns().concat();
        prop_assert_eq!(&Header::of_lines(&h.to_lines()).columns().concat(), &bytes);
        prop_assert_eq!(bytes.len() % CARD, 0);
        let back = Header::parse(bytes.as_bytes());
        prop_assert_eq!(back.text(&key("TXT")).unwrap(), text.trim_end());
        prop_assert_eq!(back.integer(&key("INT")).unwrap(), integer);
        if real.is_finite() {
            prop_assert_eq!(back.real(&key("REAL")).unwrap().to_bits(), real.to_bits());
        }
        prop_assert!(back.issues().is_empty());
    }

    #[test]
    fn any_keyword_makes_whole_cards(keyword in "[A-Z ]{1,120}", text in "[ -~]{0,100}") {
        let mut h = Header::new();
        h.set(&keyword, text.as_str(), "comment");
        h.set(&keyword, -1.234567890123456e-300, "comment");
        prop_assert!(h.columns().iter().all(|c| c.len() == CARD));
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..800)) {
        let h = Header::parse(&bytes);
        prop_assert_eq!(Header::of_lines(&h.to_lines()).columns(), h.columns());
    }
}

#[test]
fn a_long_header_answers_as_a_short_one_and_notices_changes() {
    let mut header = Header::new();
    for n in 0..100 {
        header.push(Card::new(&format!("KEY{}", n % 60), n as i64, ""));
    }
    header.push_history("KEY99");
    assert_eq!((header.integer("key7"), header.integer("KEY59")), (Ok(7), Ok(59)));
    assert!(header.get("KEY99").is_none() && header.get("HISTORY").is_none());
    header.set("KEY7", 1i64, "");
    header.set("NEW", 2i64, "");
    assert_eq!((header.integer("KEY7"), header.integer("NEW")), (Ok(1), Ok(2)));
    assert_eq!(header.clone().integer("NEW"), Ok(2));
    header.remove("KEY7");
    assert!(header.get("KEY7").is_none());
    header.retain(|c| c.keyword != "NEW");
    assert!(header.get("NEW").is_none() && header.integer("KEY8") == Ok(8));
}
