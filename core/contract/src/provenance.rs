//! Where a product comes from, written into its header and read back.
//!
//! HIERARCH keywords that begin with `IFURED`: the task, its inputs with their content hashes, its parameters, what was rejected
//! and why, and the quality numbers. Nothing that changes between two runs on equal inputs is written: no time of day, no
//! machine, no path outside the data.
//!
//! A text that is too long for a card goes on in CONTINUE cards, as the FITS standard has it. Not so in products of programs outside, which go into these
//! again: ESO's CPL takes each CONTINUE card for a keyword of its own, warns of it, and writes it as such into the next product. There the text goes on in
//! keywords with a number: `IFURED CAL1 WHY`, `IFURED CAL1 WHY2`, `IFURED CAL1 WHY3`.

use crate::header::{Header, Value};
use crate::recipe::{Grade, Outcome, QualityNumber, RejectedFrame, Task, TaskInput};
use crate::tag::Tag;

/// First token of all keywords written here.
const PREFIX: &str = "IFURED";

/// Keyword with the identity of the task that made a product. A file without it is not a product of ours.
pub const TASK: &str = "IFURED TASK";

/// Writes the provenance of the product with tag `tag` into its header; keywords of an earlier task are removed.
pub fn write(header: &mut Header, task: &Task, outcome: &Outcome, tag: &str) {
    header.retain(|card| !is_provenance(&card.keyword));
    let in_pieces = task.external.is_some();
    let mut write = |keyword: &str, value: Value, comment: &str| match &value {
        Value::Text(text) if in_pieces => set_in_pieces(header, &format!("{PREFIX} {keyword}"), text, comment),
        _ => header.set(&format!("{PREFIX} {keyword}"), value, comment),
    };
    write("TASK", task.id.as_str().into(), "identity of the task");
    write("INSTRUMENT", task.instrument.as_str().into(), "instrument plugin");
    if let Some(hash) = &task.plugin {
        write("PLUGIN", hash.as_str().into(), "content hash of the plugin library");
    }
    write("RECIPE", task.recipe.as_str().into(), "recipe");
    write("RECIPE VERSION", i64::from(task.recipe_version).into(), "version of the recipe");
    if let Some(external) = &task.external {
        write("EXTERNAL", external.as_str().into(), "recipe of another program that did it");
    }
    write("VERSION", env!("CARGO_PKG_VERSION").into(), "version of ifured");
    write("TAG", tag.into(), "kind of product");
    write("NIGHT", task.night.as_str().into(), "night of the first frame");
    write("SIGNATURE", task.signature.as_str().into(), "set-up of the group");
    write("LEVEL", i64::from(task.level).into(), "quality level of the calibrations, 0 is best");
    write("GRADE", outcome.grade().as_str().into(), "worst grade of the quality numbers");
    for (n, input) in task.main().enumerate() {
        let key = format!("RAW{}", n + 1);
        identify(&mut write, &key, input);
    }
    for (n, input) in task.calibrations().enumerate() {
        let key = format!("CAL{}", n + 1);
        identify(&mut write, &key, input);
        write(&format!("{key} ROLE"), input.role.as_str().into(), "");
        write(&format!("{key} LEVEL"), i64::from(input.level).into(), "");
        write(&format!("{key} WHY"), input.choice.to_string().into(), "");
    }
    for (n, missing) in task.missing.iter().enumerate() {
        write(&format!("MISS{} ROLE", n + 1), missing.role.as_str().into(), "");
        write(&format!("MISS{} OTHERWISE", n + 1), missing.otherwise.as_str().into(), "");
        write(&format!("MISS{} LEVEL", n + 1), i64::from(missing.level).into(), "");
    }
    if let Some(parameters) = task.parameters.as_object() {
        for (n, (name, value)) in parameters.iter().enumerate() {
            write(&format!("PARAM{} NAME", n + 1), name.as_str().into(), "");
            write(&format!("PARAM{} VALUE", n + 1), parameter(value), "");
        }
    }
    for (n, rejected) in outcome.rejected.iter().enumerate() {
        write(&format!("REJ{} NAME", n + 1), rejected.name.as_str().into(), "");
        write(&format!("REJ{} WHY", n + 1), rejected.why.as_str().into(), "");
    }
    for (n, quality) in outcome.quality.iter().enumerate() {
        let key = format!("QC{}", n + 1);
        write(&format!("{key} NAME"), quality.name.as_str().into(), "");
        write(&format!("{key} VALUE"), quality.value.map_or(Value::Undefined, Value::Real), &quality.title);
        if let Some(error) = quality.error {
            write(&format!("{key} ERROR"), error.into(), "");
        }
        write(&format!("{key} UNIT"), quality.unit.as_str().into(), "");
        write(&format!("{key} GRADE"), quality.grade.as_str().into(), &quality.limits);
    }
}

/// Characters of a card.
const CARD: usize = 80;

/// Writes a text into as many keywords as it needs: the keyword, then the keyword with 2, 3… behind it.
fn set_in_pieces(header: &mut Header, keyword: &str, text: &str, comment: &str) {
    let mut rest = text;
    for n in 1.. {
        let key = if n == 1 { keyword.to_owned() } else { format!("{keyword}{n}") };
        let room = CARD.saturating_sub(format!("HIERARCH {key} = ''").len());
        let end = piece(rest, room);
        header.set(&key, &rest[..end], if n == 1 { comment } else { "" });
        rest = &rest[end..];
        if rest.is_empty() {
            return;
        }
    }
}

/// Bytes of a text that fit into so many columns. It does not end in a blank, where a reader would lose it, unless there is nothing else.
fn piece(text: &str, room: usize) -> usize {
    let mut columns = 0;
    let mut end = 0;
    for c in text.chars() {
        // A quote is written twice.
        columns += if c == '\'' { 2 } else { 1 };
        if columns > room {
            break;
        }
        end += c.len_utf8();
    }
    if end == text.len() {
        return end;
    }
    match text[..end].trim_end_matches(' ').len() {
        // Whatever the room: it must go on.
        0 => end.max(text.chars().next().map_or(0, char::len_utf8)),
        trimmed => trimmed,
    }
}

/// A text that was written in one keyword or in several.
fn text_of(header: &Header, keyword: &str) -> Option<String> {
    let mut text = header.text(keyword).ok()?.to_owned();
    (2..).map_while(|n| header.text(&format!("{keyword}{n}")).ok()).for_each(|more| text += more);
    Some(text)
}

/// Quality numbers and rejected frames, as [`write()`] wrote them.
pub fn outcome(header: &Header) -> Outcome {
    let mut outcome = Outcome::default();
    let text = |key: &str| text_of(header, &format!("{PREFIX} {key}"));
    let real = |key: &str| header.real(&format!("{PREFIX} {key}")).ok();
    let comment = |key: &str| header.card(&format!("{PREFIX} {key}")).map(|c| c.comment().to_owned()).unwrap_or_default();
    for key in (1..).map(|n| format!("QC{n}")) {
        let Some(name) = text(&format!("{key} NAME")) else { break };
        outcome.quality.push(QualityNumber {
            name,
            value: real(&format!("{key} VALUE")),
            error: real(&format!("{key} ERROR")),
            unit: text(&format!("{key} UNIT")).unwrap_or_default(),
            title: comment(&format!("{key} VALUE")),
            grade: text(&format!("{key} GRADE")).and_then(|g| Grade::of(&g)).unwrap_or(Grade::Good),
            limits: comment(&format!("{key} GRADE")),
        });
    }
    for key in (1..).map(|n| format!("REJ{n}")) {
        let Some(name) = text(&format!("{key} NAME")) else { break };
        outcome.rejected.push(RejectedFrame { name, why: text(&format!("{key} WHY")).unwrap_or_default() });
    }
    outcome
}

/// Writes how many files of each tag the task has made, where that does not follow from its outputs: optional products, and several of one tag.
pub fn write_made(header: &mut Header, made: &[(Tag, usize)]) {
    for (n, (tag, files)) in made.iter().enumerate() {
        header.set(&format!("{PREFIX} MADE{} TAG", n + 1), tag.as_str(), "kind of product that the task has made");
        header.set(&format!("{PREFIX} MADE{} FILES", n + 1), *files as i64, "files of that kind");
    }
}

/// What [`write_made`] wrote; none if nothing was: then the task made a file for each of its outputs.
pub fn made(header: &Header) -> Option<Vec<(Tag, usize)>> {
    let one = |n: usize| {
        let tag = header.text(&format!("{PREFIX} MADE{n} TAG")).ok()?;
        let files = header.integer(&format!("{PREFIX} MADE{n} FILES")).ok()?;
        Some((Tag::new(tag), usize::try_from(files).ok()?))
    };
    Some((1..).map_while(one).collect::<Vec<_>>()).filter(|all| !all.is_empty())
}

/// Name and version of the program outside that made a product, if there was one.
pub fn external(header: &Header) -> Option<String> {
    text_of(header, &format!("{PREFIX} EXTERNAL"))
}

/// An input as the header of a product names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Name of the frame.
    pub name: String,
    /// Content hash of a raw frame, identity of a product.
    pub hash: String,
}

/// The inputs of a product: its main frames, then its calibrations.
pub fn inputs(header: &Header) -> Vec<Input> {
    let text = |key: String| text_of(header, &key);
    let of = |kind: &'static str| {
        (1..).map_while(move |n| {
            let name = text(format!("{PREFIX} {kind}{n} NAME"))?;
            Some(Input { name, hash: text(format!("{PREFIX} {kind}{n} HASH")).unwrap_or_default() })
        })
    };
    of("RAW").chain(of("CAL")).collect()
}

/// Whether a keyword was written by [`write()`]. Measured numbers of the product (`IFURED GAIN`) are not provenance.
fn is_provenance(keyword: &str) -> bool {
    const PLAIN: &[&str] =
        &["TASK", "INSTRUMENT", "PLUGIN", "RECIPE", "EXTERNAL", "VERSION", "TAG", "NIGHT", "SIGNATURE", "LEVEL", "GRADE"];
    const NUMBERED: &[&str] = &["RAW", "CAL", "MISS", "PARAM", "REJ", "QC", "MADE"];
    let mut tokens = keyword.split(' ');
    let (Some(PREFIX), Some(second)) = (tokens.next(), tokens.next()) else { return false };
    let is_numbered = |name: &str| {
        let digits = second.strip_prefix(name).unwrap_or("");
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let plain = second.trim_end_matches(|c: char| c.is_ascii_digit());
    (PLAIN.contains(&plain) && (second == "RECIPE" || tokens.next().is_none())) || NUMBERED.iter().any(|n| is_numbered(n))
}

fn identify(write: &mut impl FnMut(&str, Value, &str), key: &str, input: &TaskInput) {
    write(&format!("{key} NAME"), input.name.as_str().into(), "");
    write(&format!("{key} TAG"), input.tag.as_str().into(), "");
    write(&format!("{key} HASH"), input.identity.as_str().into(), "");
}

fn parameter(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Bool(b) => (*b).into(),
        Json::Number(n) => n.as_i64().map(Value::Integer).or_else(|| n.as_f64().map(Value::Real)).unwrap_or(Value::Undefined),
        Json::String(s) => s.as_str().into(),
        Json::Null => Value::Undefined,
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn long_texts_come_back_from_keywords_that_go_on(text in "[ -~]{0,300}") {
            // A blank at the end of a text means nothing in FITS.
            let text = text.trim_end();
            let mut header = Header::new();
            set_in_pieces(&mut header, "IFURED CAL12 WHY", text, "why it was taken");
            let cards = header.columns().concat();
            prop_assert!(!cards.contains("CONTINUE"), "{}", cards);
            let read = Header::parse(cards.as_bytes());
            // Only a text with more blanks in a row than a card holds loses some.
            if !text.contains(&" ".repeat(20)) {
                let back = text_of(&read, "IFURED CAL12 WHY").unwrap_or_default();
                prop_assert_eq!(back, text);
            }
        }
    }

    #[test]
    fn products_of_programs_outside_have_no_continued_cards() {
        let name = "muse_bias/2024-01-01/MASTER_BIAS_MUSE.2024-01-01T18:00:00.000-CHAN01.fits";
        let bias = TaskInput { role: "bias".into(), name: name.into(), identity: "hash".into(), ..TaskInput::default() };
        let task = |external: Option<&str>| Task {
            inputs: vec![bias.clone()],
            signature: "a_".repeat(60),
            external: external.map(str::to_owned),
            ..Task::default()
        };
        let mut header = Header::new();
        write(&mut header, &task(None), &Outcome::default(), "MASTER_FLAT");
        assert!(header.columns().iter().any(|c| c.starts_with("CONTINUE")) && inputs(&header)[0].name == name);
        write(&mut header, &task(Some("muse_flat 2.8.7 (esorex)")), &Outcome::default(), "MASTER_FLAT");
        assert!(!header.columns().iter().any(|c| c.starts_with("CONTINUE")));
        let read = Header::parse(header.columns().concat().as_bytes());
        assert_eq!((inputs(&read)[0].name.as_str(), external(&read).as_deref()), (name, Some("muse_flat 2.8.7 (esorex)")));
        // Nothing of them stays.
        write(&mut header, &Task::default(), &Outcome::default(), "MASTER_FLAT");
        assert!(!header.contains("IFURED CAL1 NAME2") && !header.contains("IFURED SIGNATURE2"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut made = Outcome::default();
        made.quality.push(QualityNumber::new("LEVEL", 672.5, "adu", "mean level").with_error(0.25).within(0.0, 100.0, Grade::Bad));
        made.quality.push(QualityNumber::new("GAIN", f64::NAN, "e-/adu", "gain"));
        made.rejected.push(RejectedFrame { name: "night/a.fits".into(), why: "no light".into() });
        let input = |role: &str, name: &str| TaskInput {
            role: role.into(),
            name: name.into(),
            identity: format!("hash of {name}"),
            ..TaskInput::default()
        };
        let task = Task { id: "abc".into(), inputs: vec![input("main", "a.fits"), input("bias", "b.fits")], ..Task::default() };
        let mut header = Header::new();
        write(&mut header, &task, &made, "master-bias");
        assert_eq!(header.text(TASK), Ok("abc"));
        let read = outcome(&Header::parse(header.columns().concat().as_bytes()));
        assert_eq!((read.quality, read.rejected), (made.quality.clone(), made.rejected));
        let named: Vec<String> = inputs(&header).into_iter().map(|i| format!("{} {}", i.name, i.hash)).collect();
        assert_eq!(named, ["a.fits hash of a.fits", "b.fits hash of b.fits"]);
        assert_eq!((super::made(&header), external(&header)), (None, None));
        write_made(&mut header, &[("TRACE_TABLE".into(), 1), ("SOURCE_LIST".into(), 3)]);
        assert_eq!(super::made(&header), Some(vec![("TRACE_TABLE".into(), 1), ("SOURCE_LIST".into(), 3)]));
        // A product of a product keeps nothing of the first task.
        write(&mut header, &Task { id: "def".into(), ..Task::default() }, &Outcome::default(), "coadd");
        assert!(
            super::made(&header).is_none()
                && header.text(TASK) == Ok("def")
                && inputs(&header).is_empty()
                && outcome(&header).quality.is_empty()
        );
    }
}
