use std::sync::Mutex;

use ifured_core::module::abi::{PrefixTypeTrait, RResult, RStr};
use ifured_core::module::{Answer, HostObject, ModuleTable};
use ifured_core::recipe::{QualityNumber, RejectedFrame, WrittenProduct};
use ifured_core::{Figure, Grade, Header, Task};
use ifured_pixels::fits::{HduToWrite, Layout, Table, write_image, write_image_and_tables, write_product};
use ifured_pixels::{Image, quality};
use ndarray::Array2;

use super::*;
use crate::attempt::{self, Attempt, Cause, Cost, Ending};
use crate::execute::Happening;
use crate::reduce::FailedTask;
use crate::session::{Opening, Reporter, Session, Setup};
use crate::usage::Usage;

struct Silent(Mutex<Vec<String>>);

impl Reporter for Silent {
    fn scanning(&self, _: usize, _: usize) {}
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn planned(&self, _: usize, _: usize) {}
    fn happening(&self, _: &Task, _: &Happening) {}
}

extern "C" fn describe(_: RStr<'_>, _: &HostObject<'_>) -> Answer {
    RResult::ROk(serde_json::to_string(&crate::view::why::tests::instrument()).unwrap().into())
}

extern "C" fn refuse(_: RStr<'_>, _: &HostObject<'_>) -> Answer {
    RResult::RErr("not in this test".into())
}

/// A sky of noise-like ripple with stars, brighter to one side.
pub(crate) fn scene(rows: usize, columns: usize, level: f32) -> Image {
    let data = Array2::from_shape_fn((rows, columns), |(r, c)| {
        let ripple = ((r * 7919 + c * 104729) % 97) as f32 * 0.3;
        let star = (0..12).map(|k| {
            let (y, x) = ((k * 53 % rows) as f32, (k * 89 % columns) as f32);
            900.0 * (-((r as f32 - y).powi(2) + (c as f32 - x).powi(2)) / 8.0).exp()
        });
        level + ripple + 0.05 * c as f32 + star.sum::<f32>()
    });
    let mut image = Image::new(data, 30.0);
    image.quality.column_mut(columns / 3).fill(quality::DEFECT);
    image
}

/// A table with a figure, and with one that cannot be drawn.
fn trend() -> Table {
    let mut header = Header::new();
    Figure::new("Level <of> the bias", "TIME").points("LEVEL").write(&mut header);
    Figure::new("Nothing", "TIME").line("NONE").write(&mut header);
    let mut table = Table::new(header, 3);
    table.push("TIME", "h", vec![16.0, 16.1, 16.2].into());
    table.push("LEVEL", "adu", vec![700.1, 700.4, 699.8].into());
    table
}

/// Writes the product of a task; gives what came out.
fn made(task: &Task, n: usize) -> Outcome {
    let output = &task.outputs[0];
    std::fs::create_dir_all(output.path.parent().unwrap()).unwrap();
    let mut header = Header::new();
    header.set("BUNIT", "adu", "");
    let tables = if n == 0 { vec![trend()] } else { vec![] };
    write_image_and_tables(&output.path, &header, &scene(260, 330, 700.0 + n as f32), Layout::PrimaryData, &tables).unwrap();
    let noise = QualityNumber::new("READ NOISE", 4.2 + n as f64, "e-", "read noise from pairs").with_error(0.03);
    let rejected = RejectedFrame { name: "caf-0-16:02:00-cal-bias.fits".into(), why: "its median is 8.1 sigma off".into() };
    let mut outcome = Outcome {
        quality: vec![noise.within(3.0, 6.0, Grade::Questionable), QualityNumber::new("LEVEL", 700.0 + n as f64, "adu", "median")],
        rejected: if n == 0 { vec![rejected] } else { vec![] },
        notes: vec!["gain taken from the <default>".into()],
        ..Outcome::default()
    };
    outcome.add(output, format!("{n:032x}"), 1_030_000);
    outcome
}

/// A session with a few nights of frames on disk, products for all tasks but one, which failed.
pub(crate) fn session(directory: &Path, nights: usize, sciences: usize) -> (Session, RunSummary) {
    let data = directory.join("data");
    let frame = |night: &str, name: &str, kind: &str, mjd: f64, ccd: &str| {
        let mut header = Header::new();
        header.set("INSTRUME", "TEST", "");
        header.set("IMAGETYP", kind, "");
        header.set("CCD", ccd, "");
        header.set("MJD-OBS", mjd, "");
        header.set("EXPTIME", if kind == "bias" { 0.0 } else { 120.0 }, "");
        header.set("OBJECT", format!("{kind} <{name}>").as_str(), "");
        std::fs::create_dir_all(data.join(night)).unwrap();
        let image = Image::new(Array2::from_elem((4, 4), mjd.fract() as f32), 1.0);
        write_image(data.join(night).join(name), &header, &image, Layout::PrimaryData).unwrap();
    };
    for n in 0..nights {
        let (night, mjd) = (format!("17031{n}_t2"), 57831.6 + n as f64);
        for i in 0..3 {
            frame(&night, &format!("caf-{n}-16:0{i}:00-cal-bias.fits"), "bias", mjd + 0.001 * i as f64, "SITE1d_15");
        }
        if n == 0 {
            frame(&night, "caf-0-17:00:00-cal-flat.fits", "flat", mjd + 0.04, "SITE1d_15");
            frame(&night, "caf-0-23:00:00-sci-tek.fits", "object", mjd + 0.3, "TEK");
        }
        for i in 0..sciences {
            frame(&night, &format!("caf-{n}-2{}:{:02}:00-sci-m31.fits", i % 4, i), "object", mjd + 0.2 + 0.004 * i as f64, "SITE1d_15");
        }
    }
    std::fs::write(data.join("170310_t2/broken.fits"), "no FITS").unwrap();
    let module = ModuleTable {
        describe,
        run: refuse,
        simulate: refuse,
        compare_with_truth: refuse,
        import: refuse,
        hints: refuse,
        installed_versions: refuse,
    }
    .leak_into_prefix();
    let instrument = ifured_core::LoadedInstrument::new(module).unwrap();
    let setup = Setup { output: directory.join("out"), ..Setup::default() };
    let mut session = Session::open(&setup, &[instrument], Opening::Work(&[data]), &Silent(Mutex::new(vec![]))).unwrap();
    let plan = session.plan(&Default::default()).unwrap();
    let mut summary = RunSummary { ran: plan.len() - 1, seconds: 12.3, ..RunSummary::default() };
    summary.run = session.catalogue.start_run("ifured reduce data --output out", "test", "{}", "plan.json").unwrap();
    for (n, planned) in plan.tasks().enumerate() {
        let usage = Usage { cpu_seconds: 1.25, peak_memory: 84_000_000, bytes_read: 12_000_000, bytes_written: 5_000_000 };
        let cost = Cost { seconds: 1.5 + n as f64, usage };
        let (ending, log) = if n + 1 == plan.len() {
            let error = RecipeError::new("no star found in <field>", "lower recipes.science.threshold");
            summary.failed.push(FailedTask { planned: planned.clone(), error: error.clone() });
            (Ending::Failed { cause: Cause::Recipe(error) }, "thread main: no star\n  at detection")
        } else {
            let outcome = made(&planned.task, n);
            summary.outcomes.insert(planned.task.id.clone(), outcome.clone());
            (Ending::Done { products: attempt::made(&outcome, &session.output), outcome }, "")
        };
        let started = std::time::SystemTime::now();
        let attempt = Attempt::of(&planned.task, Some(summary.run), started, ending, cost, log.to_owned());
        let record = attempt.write(&session.output).unwrap();
        session.take_in(record, attempt).unwrap();
    }
    summary.plan = plan;
    (session, summary)
}

/// Every element is closed, and nothing from outside is left unescaped.
fn well_formed(html: &str) {
    for tag in ["table", "section", "figure", "div", "svg", "ul", "dl", "details", "article", "a", "span", "p", "tr", "td", "th"] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(!html.contains("<field>") && !html.contains("<default>"));
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("<script"), "from outside");
    assert!(![" NaN", "\"NaN", ">NaN"].iter().any(|n| html.contains(n)));
}

#[test]
fn pages_are_complete_and_written_once() {
    let kept = std::env::var("IFURED_KEEP_PAGES");
    let temporary = tempfile::tempdir().unwrap();
    let directory = kept.map_or_else(|_| temporary.path().to_owned(), PathBuf::from);
    let nights = std::env::var("IFURED_KEEP_NIGHTS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let (session, summary) = session(&directory, nights, 4);
    let snapshot = session.look().unwrap();
    let view = RunView::of(&snapshot, &summary);
    let index = write(&snapshot, &summary, &view).unwrap();
    let html = std::fs::read_to_string(&index).unwrap();
    well_formed(&html);
    for part in [
        "no star found in &lt;field&gt;",
        "lower recipes.science.threshold",
        "ifured reduce data",
        "broken.fits",
        "needed `TEK`",
        "gain taken from the &lt;default&gt;",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let failures = html.find("id=\"failures\"").unwrap();
    assert!(failures < html.find("id=\"tasks\"").unwrap());
    let pages: Vec<PathBuf> = summary.plan.tasks().map(|t| session.output.join(DIRECTORY).join(page_of(&t.task.id))).collect();
    let failed = std::fs::read_to_string(pages.last().unwrap()).unwrap();
    assert!(failed.contains("thread main: no star") && failed.contains("same night"));
    let first = std::fs::read_to_string(&pages[0]).unwrap();
    let (figures, previews) = (first.find("id=\"figures\"").unwrap(), first.find("id=\"previews\"").unwrap());
    assert!(figures < previews && first.contains("alt=\"Level &lt;of&gt; the bias\""));
    assert_eq!(first.matches("data:image/svg+xml").count(), 2, "a figure, and a note in place of one");
    for page in &pages {
        well_formed(&std::fs::read_to_string(page).unwrap());
    }
    // Nothing has changed: the same pages, not written again; but one of another attempt is.
    let times = |pages: &[PathBuf]| pages.iter().map(|p| p.metadata().unwrap().modified().unwrap()).collect::<Vec<_>>();
    let before = times(&pages);
    write(&snapshot, &summary, &view).unwrap();
    assert_eq!(times(&pages), before);
    assert_eq!(std::fs::read_to_string(&index).unwrap(), html);
}

#[test]
fn a_product_without_image_is_shown_as_its_first_figure() {
    let directory = tempfile::tempdir().unwrap();
    let product = |name: &str| {
        let product = WrittenProduct { tag: "trend".into(), name: name.into(), hash: "ab12".into(), bytes: 1 };
        Outcome { products: vec![product], ..Outcome::default() }
    };
    let primary = Header::new();
    write_product(directory.path().join("trend.fits"), &[HduToWrite::Empty(&primary), HduToWrite::Table(&trend())]).unwrap();
    let thumbnail = |name: &str| previews::thumbnail(directory.path(), directory.path(), &product(name));
    assert!(thumbnail("trend.fits").unwrap().starts_with("data:image/svg+xml;base64,"));
    write_product(directory.path().join("empty.fits"), &[HduToWrite::Empty(&primary)]).unwrap();
    assert_eq!(thumbnail("empty.fits"), None);
}
