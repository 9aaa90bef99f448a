use ifured_core::Value;

use super::*;
use crate::plan::Targets;
use crate::report::tests::session;

fn row(name: &str, tag: &str, fields: &[(&str, Value)]) -> Row {
    let mut all: Vec<(String, Value)> = vec![("NAME".into(), name.into()), ("TAG".into(), tag.into())];
    all.extend(fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    Row { name: name.into(), path: format!("/data/n 1/{name}.fits"), night: "n1".into(), tags: vec![tag.into()], fields: all, frame: None }
}

fn rows() -> Vec<Row> {
    vec![
        row("b", "object", &[("EXPTIME", 120.5.into()), ("OBJECT", "Cúmulo \"α, β\"".into()), ("QUANT500", 1e-7.into())]),
        row("a", "object", &[("EXPTIME", 60i64.into()), ("OBJECT", "日本 1".into())]),
        row("c", "bias", &[("EXPTIME", "0".into()), ("QUANT500", 712.25.into())]),
    ]
}

fn listed(options: ListOptions) -> Table {
    table(What::Frames, &rows(), &options, &["name".into(), "tag".into()]).unwrap_or_else(|e| panic!("{e}"))
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn formats() {
    let list = listed(ListOptions { columns: words(&["object", "quant500"]), sort: words(&["exptime"]), ..Default::default() });
    let all = [Format::Text, Format::Basic, Format::SingleLine, Format::Csv, Format::Json].map(|f| list.render(f).replace('\r', "<CR>"));
    insta::assert_snapshot!(all.join("--\n"), @r##"
name  tag     OBJECT           QUANT500  EXPTIME
a     object  日本 1                  -  60
b     object  Cúmulo "α, β"  1.00000e-7  120.5
c     bias    -                  712.25  0
--
 - a.fits
 - b.fits
 - c.fits
--
'/data/n 1/a.fits' '/data/n 1/b.fits' '/data/n 1/c.fits'
--
name,tag,OBJECT,QUANT500,EXPTIME<CR>
a,object,日本 1,,60<CR>
b,object,"Cúmulo ""α, β""",1e-7,120.5<CR>
c,bias,,712.25,0<CR>
--
[{"name":"a","tag":"object","OBJECT":"日本 1","QUANT500":null,"EXPTIME":60},{"name":"b","tag":"object","OBJECT":"Cúmulo \"α, β\"","QUANT500":1e-7,"EXPTIME":120.5},{"name":"c","tag":"bias","OBJECT":null,"QUANT500":712.25,"EXPTIME":"0"}]
"##);
}

#[test]
fn what_cannot_be_judged_is_said() {
    let list = listed(ListOptions { filter: Some("exptime > 100".into()), ..Default::default() });
    assert_eq!(list.count(), "1 frame");
    assert_eq!(list.notes, ["1 frame not judged by the filter, so not listed; the first is c: EXPTIME must be a number, but is text `0`"]);
    let wrong = ListOptions { columns: words(&["EXPTIM"]), ..Default::default() };
    let e = table(What::Frames, &rows(), &wrong, &[]).unwrap_err();
    assert_eq!(e.to_string(), "no row has a key `EXPTIM`; did you mean `EXPTIME`?");
    assert_eq!(listed(ListOptions { tags: words(&["bi*"]), ..Default::default() }).rows.len(), 1);
    assert_eq!(listed(ListOptions { night: Some("n2".into()), ..Default::default() }).render(Format::Text), "");
}

#[test]
fn names_with_blanks_are_found_without_them() {
    let all = [row("a", "solved", &[("ZERO POINT", 23.5.into()), ("ZERO POINT ERROR", 0.01.into()), ("LIM MAG", 21.25.into())])];
    let options = ListOptions { columns: words(&["zeropoint", "ZERO_POINT_ERROR", "LIMMAG", "lim mag"]), ..Default::default() };
    let list = table(What::Products, &all, &options, &["name".into()]).unwrap_or_else(|e| panic!("{e}"));
    insta::assert_snapshot!(list.render(Format::Csv).replace('\r', ""), @r"
    name,ZEROPOINT,ZERO_POINT_ERROR,LIMMAG,LIM MAG
    a,23.5,0.01,21.25,21.25
    ");
}

#[test]
fn lists_of_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let (mut session, _) = session(directory.path(), 2, 2);
    let snapshot = session.snapshot(&Targets::default()).unwrap();
    let mut shown = Vec::new();
    let options = ListOptions { tags: words(&["bias"]), ..Default::default() };
    shown.push(list(&snapshot, What::Frames, &options).unwrap().render(Format::Text));
    shown.push(list(&snapshot, What::Groups, &ListOptions::default()).unwrap().render(Format::Text));
    let options =
        ListOptions { columns: words(&["bias-days", "bias", "flat-level", "read noise"]), decimals: Some(2), ..Default::default() };
    shown.push(list(&snapshot, What::Products, &options).unwrap().render(Format::Text));
    shown.push(
        list(&snapshot, What::Tasks, &ListOptions { filter: Some("state != 'done'".into()), ..Default::default() })
            .unwrap()
            .render(Format::Text),
    );
    let origin = origin(&snapshot, "caf-0-16:00:00-cal-bias_red.fits", &ListOptions::default()).unwrap();
    shown.push(origin.frames.render(Format::Basic));
    shown.push(origin.siblings.render(Format::Text));
    let keys = keys(&snapshot, What::Products, &ListOptions::default()).unwrap();
    assert!(["EXPTIME", "READ NOISE", "BIAS-DAYS", "GRADE"].iter().all(|k| keys.iter().any(|x| x == k)), "{keys:?}");
    let text = shown.join("--\n").replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(text, @r##"
name                                         night      tag   state  CCD        EXPTIME
data/170310_t2/caf-0-16:00:00-cal-bias.fits  170310_t2  bias  good   SITE1d_15        0
data/170310_t2/caf-0-16:01:00-cal-bias.fits  170310_t2  bias  good   SITE1d_15        0
data/170310_t2/caf-0-16:02:00-cal-bias.fits  170310_t2  bias  good   SITE1d_15        0
data/170311_t2/caf-1-16:00:00-cal-bias.fits  170311_t2  bias  good   SITE1d_15        0
data/170311_t2/caf-1-16:01:00-cal-bias.fits  170311_t2  bias  good   SITE1d_15        0
data/170311_t2/caf-1-16:02:00-cal-bias.fits  170311_t2  bias  good   SITE1d_15        0
--
name                                         night      recipe   state    frames  why
data/170310_t2/caf-0-16:00:00-cal-bias.fits  170310_t2  bias     planned       3  -
data/170310_t2/caf-0-17:00:00-cal-flat.fits  170310_t2  flat     planned       1  -
data/170310_t2/caf-0-20:00:00-sci-m31.fits   170310_t2  science  planned       2  -
data/170310_t2/caf-0-23:00:00-sci-tek.fits   170310_t2  science  blocked       1  no bias: nearest candidate bias/170310_t2/caf-0-16:00:00-cal-bias_red.fits: CCD is `SITE1d_15`, needed `TEK`
data/170311_t2/caf-1-16:00:00-cal-bias.fits  170311_t2  bias     planned       3  -
data/170311_t2/caf-1-20:00:00-sci-m31.fits   170311_t2  science  planned       2  -
--
name                                               tag            night      level  grade         frames  BIAS-DAYS  BIAS                                             FLAT-LEVEL  READ NOISE
bias/170310_t2/caf-0-16:00:00-cal-bias_red.fits    master-bias    170310_t2      0  good               3          -  -                                                         -         4.2
bias/170311_t2/caf-1-16:00:00-cal-bias_red.fits    master-bias    170311_t2      0  good               3          -  -                                                         -         5.2
flat/170310_t2/caf-0-17:00:00-cal-flat_red.fits    master-flat    170310_t2      0  questionable       1          -  -                                                         -         6.2
science/170310_t2/caf-0-20:00:00-sci-m31_red.fits  master-object  170310_t2      0  questionable       2       -0.2  bias/170310_t2/caf-0-16:00:00-cal-bias_red.fits           0         7.2
--
name                                               recipe   night      state   level  grade   cpu  peak_mb
science/170311_t2/caf-1-20:00:00-sci-m31_red.fits  science  170311_t2  failed      1      -  1.25       84
--
 - caf-0-16:00:00-cal-bias.fits
 - caf-0-16:01:00-cal-bias.fits
 - caf-0-16:02:00-cal-bias.fits
--
name                                             night      level  grade  frames
bias/170310_t2/caf-0-16:00:00-cal-bias_red.fits  170310_t2      0  good        3
bias/170311_t2/caf-1-16:00:00-cal-bias_red.fits  170311_t2      0  good        3
"##);
}
