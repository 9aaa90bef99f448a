use proptest::prelude::*;

use super::*;

fn row(key: &str) -> Option<Value> {
    Some(match key {
        "EXPTIME" => 100.0.into(),
        "QUANT500" => 873.5.into(),
        "OBJECT" => "M 31 field".into(),
        "INSFLID" => "FILT- 9".into(),
        "MJD-OBS" => 57831.5.into(),
        "ESO DPR CATG" => "SCIENCE".into(),
        "CAHA TEL DOME.AZ" => 30.0.into(),
        "NCOMBINE" => 3i64.into(),
        "FLIPPED" => true.into(),
        "BROKEN" => "12.5".into(),
        _ => return None,
    })
}

fn judge(text: &str) -> Judgement {
    Filter::parse(text).unwrap_or_else(|e| panic!("{e}")).judge(&row)
}

fn unknown(why: &str) -> Judgement {
    Judgement::Unknown(why.to_owned())
}

#[test]
fn what_is_documented_works() {
    for holds in [
        "EXPTIME > 50 && QUANT500 < 1000",
        "OBJECT like 'M*' || !(INSFLID == \"FILT- 9\")",
        "object LIKE 'm*field' and not exptime < 50",
        "OBJECT contains '31'",
        "OBJECT not like 'NGC*'",
        "NCOMBINE in (1, 2, 3)",
        "INSFLID in ('filt- 9', 'FILT-10')",
        "INSFLID not in ('FILT-10')",
        "EXPTIME / 2 - 10 = 40.0",
        "-EXPTIME < -99 && 2 * (EXPTIME + 1) == 202",
        "10 < EXPTIME",
        "MJD-OBS > 57831 and MJD-OBS - 57831 < 1",
        "`ESO DPR CATG` = 'science'",
        "ESO.DPR.CATG = 'SCIENCE'",
        "\"ESO DPR CATG\" = 'SCIENCE'",
        "`CAHA TEL DOME.AZ` = 30 && CAHA.TEL.DOME.AZ = 30 || FLIPPED",
        "FLIPPED && FLIPPED = true && !false",
        "missing(AIRMASS) || AIRMASS < 2",
        "BROKEN = '12.5'",
    ] {
        assert_eq!(judge(holds), Judgement::Holds, "{holds}");
    }
    for fails in ["EXPTIME > 100", "OBJECT = 'M 31'", "missing(EXPTIME)", "1 = 2", "NCOMBINE in (-3, 4)", "AIRMASS < 2 && EXPTIME < 5"] {
        assert_eq!(judge(fails), Judgement::Fails, "{fails}");
    }
}

#[test]
fn what_cannot_be_judged_is_not_selected_by_either_side() {
    assert_eq!(judge("AIRMASS < 2"), unknown("AIRMASS is missing"));
    assert_eq!(judge("!(AIRMASS < 2)"), unknown("AIRMASS is missing"));
    assert_eq!(judge("BROKEN > 3"), unknown("BROKEN must be a number, but is text `12.5`"));
    assert_eq!(judge("BROKEN + 1 > 3"), unknown("BROKEN must be a number, but is text `12.5`"));
    assert_eq!(judge("EXPTIME like '1*'"), unknown("EXPTIME must be text, but is number `100.0`"));
    assert_eq!(judge("EXPTIME = '100'"), unknown("EXPTIME must be text, but is number `100.0`"));
    assert_eq!(judge("EXPTIME / 0 > 1"), unknown("EXPTIME / 0 is no finite number"));
    assert_eq!(judge("OBJECT && EXPTIME > 1"), unknown("OBJECT must be a logical, but is text `M 31 field`"));
}

#[test]
fn mistakes_are_shown_in_their_place() {
    let bad = [
        "",
        "EXPTIME >",
        "EXPTIME > 50 &",
        "EXPTIME > 50 & QUANT500 < 3",
        "OBJECT lik 'M*'",
        "k[exptime] > 50 and 'R' in k[object]",
        "'R' in OBJECT",
        "'R' in k[object]",
        "(EXPTIME > 50",
        "OBJECT = 'M 31",
        "10 < EXPTIME < 50",
        "EXPTIME",
        "EXPTIME + 1",
        "OBJECT + 'a' = 3",
        "EXPTIME = 1e999",
        "EXPTIME in 3",
        "system('rm')",
        "3 = 'a'",
        "ä = 3",
    ];
    let shown: Vec<String> = bad.iter().map(|b| Filter::parse(b).map_or_else(|e| e.to_string(), |f| format!("read as: {f}"))).collect();
    insta::assert_snapshot!(shown.join("\n"), @r##"
filter not understood: it ends here, where a comparison such as EXPTIME > 50 is expected
  
  ^
filter not understood: it ends here, where a key, a number or a text is expected
  EXPTIME >
           ^
filter not understood: write && or and
  EXPTIME > 50 &
               ^
filter not understood: write && or and
  EXPTIME > 50 & QUANT500 < 3
               ^
filter not understood: `lik` stands here, where a comparison (= != < <= > >= like contains in) is expected
  OBJECT lik 'M*'
         ^^^
filter not understood: a key is written without k[ ]: EXPTIME > 50, EXPTIME contains 'R'
  k[exptime] > 50 and 'R' in k[object]
  ^^^^^^^^^^
filter not understood: this is written OBJECT contains 'R'
  'R' in OBJECT
      ^^
filter not understood: this is written OBJECT contains 'R'
  'R' in k[object]
      ^^
filter not understood: it ends here, where ) is expected
  (EXPTIME > 50
               ^
filter not understood: the quote ' is not closed
  OBJECT = 'M 31
           ^
filter not understood: comparisons do not chain: write 10 < EXPTIME && EXPTIME < 50
  10 < EXPTIME < 50
               ^
read as: EXPTIME
filter not understood: a number is neither true nor false; a comparison is expected, such as EXPTIME > 50
  EXPTIME + 1
  ^^^^^^^^^^^
filter not understood: only numbers can be calculated with
  OBJECT + 'a' = 3
           ^^^
filter not understood: this is no number that can be represented
  EXPTIME = 1e999
            ^^^^^
filter not understood: the number 3 stands here, where a list in parentheses, such as ('a', 'b'), is expected
  EXPTIME in 3
             ^
filter not understood: `(` stands here, where a comparison (= != < <= > >= like contains in) is expected
  system('rm')
        ^
filter not understood: text, numbers and true/false do not compare with each other
  3 = 'a'
  ^^^^^^^
filter not understood: `ä` has no meaning here; keys with such characters are written in backticks
  ä = 3
  ^
"##);
}

#[test]
fn unknown_keys_name_the_nearest() {
    let known = || vec!["EXPTIME".to_owned(), "OBJECT".to_owned(), "MJD-OBS".to_owned()];
    let exists = |k: &str| known().iter().any(|x| x == k);
    let check = |text: &str| Filter::parse(text).unwrap().check_keys(&exists, &known).unwrap_err();
    let e = check("EXPTIM > 3");
    assert_eq!(e.to_string(), "no row has a key `EXPTIM`; did you mean `EXPTIME`?");
    assert_eq!(check("EXPTIME-10 > 3").advice(), "to subtract, put blanks around the minus: EXPTIME - 10");
    assert!(Filter::parse("missing(EXPTIM)").unwrap().check_keys(&exists, &known).is_ok());
}

#[test]
fn depth_and_length_are_limited() {
    let too_deep = ["(".repeat(500), "!".repeat(500) + "A", "-".repeat(3000), "1+".repeat(1500) + "1 > 2", "(((A)))".repeat(1000)];
    for text in too_deep {
        assert!(Filter::parse(&text).is_err());
    }
    let long: Vec<String> = (0..300).map(|n| format!("A = {n}")).collect();
    assert!(Filter::parse(&long.join(" || ")).is_ok());
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("EXPTIME > 50".to_owned()),
        Just("OBJECT like 'M*'".to_owned()),
        Just("`a b` not in ('x', -3, true)".to_owned()),
        Just("missing(`and`)".to_owned()),
        Just("\"O''N\" = 'O''N'".to_owned()),
        Just("FLAG".to_owned()),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("A * -{:?} - 2 <= B / ({:?} + C)", x.abs(), x.abs())),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} or {b} and {c}")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,60}") {
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
        }
    }

    #[test]
    fn any_words_are_survived(words in proptest::collection::vec(proptest::sample::select(
        &["EXPTIME", ">", "50", "&&", "(", ")", "!", "'M*'", "like", "in", ",", "-", "or", "not", "`a b`", "missing", "true", "[", "contains", "."][..]), 0..14)) {
        let text = words.join(" ");
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter.clone());
            let _ = filter.judge(&row);
        }
    }

    #[test]
    fn display_reads_back(text in expression()) {
        let filter = Filter::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        let again = Filter::parse(&filter.to_string()).unwrap_or_else(|e| panic!("{e}"));
        prop_assert_eq!(&again, &filter);
        prop_assert_eq!(again.judge(&row), filter.judge(&row));
    }
}
