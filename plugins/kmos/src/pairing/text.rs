//! The table as text that a person reads, changes and gives back.
//!
//! Columns are parted by `|`, because names of targets may hold blanks: `frame | arm | target | type | sky | minutes | note`. The sky is the name of
//! a frame, with `/` and the number of an arm where that is not the arm of the object; `none` leaves the sky in. What follows the sky is for the eye and not
//! read. `#` begins a comment at the beginning of a line.

use std::fmt;

use ifured_core::RecipeError;
use ifured_core::words::{closest, padded};

use super::{Exposure, Kind, Pairing, Row, Sky, row};
use crate::arms::{ARMS, Arm, ArmState};

const NONE: &str = "none";
const NOTHING: &str = "-";
const HEAD: [&str; 7] = ["frame", "arm", "target", "type", "sky", "minutes", "note"];

/// Something wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 where a line is missing.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

/// All that is wrong with a table, as one error.
pub fn as_error(file: &str, problems: &[Problem]) -> RecipeError {
    let lines: Vec<String> = problems.iter().map(|p| format!("{file}: {p}")).collect();
    let advice = "correct these lines; `ifured --instrument kmos reduce --to PAIRING` writes a table to begin with";
    RecipeError::new(lines.join("\n"), advice)
}

/// The table as text.
pub fn write(pairing: &Pairing) -> String {
    let mut lines: Vec<[String; 7]> = vec![HEAD.map(str::to_owned)];
    lines[0][0] = format!("# {}", HEAD[0]);
    lines.extend(pairing.rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::from(
        "# Which sky belongs to which object: one line for each exposure and arm.\n\
         # To change it: put the name of another frame whose arm is on sky into the column sky (FRAME, or FRAME/ARM for another arm), or none\n\
         # to leave the sky in; then name this file in the configuration, recipes.kmos_sci_red.pairing = \"FILE\".\n\
         # Minutes and note are not read.\n",
    );
    for line in &lines {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| padded(cell, width)).collect();
        text += padded.join(" | ").trim_end();
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 7] {
    let dash = |text: &str| if text.is_empty() { NOTHING.to_owned() } else { one_line(text) };
    let sky = match &row.sky {
        Some(sky) if sky.arm == row.arm => sky.frame.clone(),
        Some(sky) => format!("{}/{}", sky.frame, sky.arm),
        None if row.kind.is_target() => NONE.to_owned(),
        None => NOTHING.to_owned(),
    };
    let minutes = row.minutes.map_or_else(|| NOTHING.to_owned(), |m| format!("{m:+.1}"));
    [row.frame.clone(), row.arm.to_string(), dash(&row.target), row.kind.word().to_owned(), sky, minutes, dash(&row.note)]
}

/// Without what would part columns or lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c == '|' || c.is_control() { '/' } else { c }).collect()
}

/// What a table says about a group of exposures.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The pairing.
    pub pairing: Pairing,
    /// Names of frames of which there are lines although they are not here: of other groups.
    pub others: Vec<String>,
}

/// Reads a table and checks it against the exposures, of which those that are to be reduced must be complete. Nothing comes out if it has
/// no line about any of these: it is about another group.
///
/// # Errors
/// All problems at once: a frame, arm or type that is not so, a sky that is not on sky or of another band, lines that are there twice or missing.
pub fn read(text: &str, exposures: &[Exposure]) -> Result<Option<Read>, Vec<Problem>> {
    let mut reader = Reader { exposures, problems: Vec::new(), rows: Vec::new(), told: Vec::new(), unknown: Vec::new() };
    for (n, line) in text.lines().enumerate() {
        if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            reader.line(n + 1, line);
        }
    }
    reader.finish()
}

struct Reader<'a> {
    exposures: &'a [Exposure],
    problems: Vec<Problem>,
    /// Rows with their lines.
    rows: Vec<(usize, Row)>,
    /// Arms that have a line, be it good or not.
    told: Vec<(&'a str, u8)>,
    /// Lines about frames that are not here.
    unknown: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn problem(&mut self, line: usize, what: String) {
        self.problems.push(Problem { line, what });
    }

    fn line(&mut self, n: usize, line: &str) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [frame, arm, _, kind, sky, ..] = cells[..] else {
            let what = format!("{} columns, not at least 5: write `frame | arm | target | type | sky`", cells.len());
            return self.problem(n, what);
        };
        let exposures = self.exposures;
        let Some(exposure) = exposures.iter().find(|e| e.name == frame) else {
            self.unknown.push((n, frame.to_owned()));
            return;
        };
        if !exposure.reduced {
            // Of another group, which looks at it itself.
            return;
        }
        let number = arm.parse::<u8>().ok().filter(|a| (1..=ARMS).contains(a));
        let Some(arm) = number.and_then(|number| exposure.arm(number)) else {
            return self.problem(n, format!("`{arm}` is no arm: arms are 1 to {ARMS}"));
        };
        self.told.push((&exposure.name, arm.number));
        let found = Kind::of(arm);
        if kind != found.word() {
            let what = format!("arm {} of {frame} is `{}` by its header, not `{kind}`: write `{}`", arm.number, found.word(), found.word());
            self.problem(n, what);
        }
        let sky = match self.sky(exposure, arm, found, sky) {
            Ok(sky) => sky,
            Err(what) => return self.problem(n, what),
        };
        if let Some((before, _)) = self.rows.iter().find(|(_, r)| r.frame == frame && r.arm == arm.number) {
            let what = format!("arm {} of {frame} is there already, in line {before}: remove one of the two", arm.number);
            return self.problem(n, what);
        }
        self.rows.push((n, row(exposure, arm, sky, exposures)));
    }

    /// The sky of a line, if it may be that.
    fn sky(&self, exposure: &Exposure, arm: &Arm, kind: Kind, word: &str) -> Result<Option<Sky>, String> {
        let who = format!("arm {} of {}", arm.number, exposure.name);
        if !kind.is_target() {
            let why = match &arm.state {
                ArmState::Off { reason } => format!("is switched off ({reason})"),
                ArmState::Unassigned => "is at nothing".to_owned(),
                ArmState::Used { .. } => "is on sky itself".to_owned(),
            };
            let empty = word.is_empty() || word == NOTHING;
            return if empty { Ok(None) } else { Err(format!("{who} {why} and has no sky: write `{NOTHING}`")) };
        }
        if word == NONE {
            return Ok(None);
        }
        if word.is_empty() || word == NOTHING {
            return Err(format!("{who} is on {}: name the frame of its sky, or write `{NONE}`", kind.word()));
        }
        let (frame, number) = match word.rsplit_once('/') {
            Some((frame, number)) => (frame.trim(), number.trim()),
            None => (word, ""),
        };
        let number = match number {
            "" => Some(arm.number),
            text => text.parse::<u8>().ok().filter(|a| (1..=ARMS).contains(a)),
        };
        let Some(number) = number else { return Err(format!("`{word}`: behind the `/` is no arm, 1 to {ARMS}")) };
        let Some(other) = self.exposures.iter().find(|e| e.name == frame) else {
            return Err(format!("there is no frame {frame} with an arm on sky here{}", self.near(frame)));
        };
        let state = other.arm(number).map(Kind::of).unwrap_or(Kind::Off);
        if state != Kind::Sky {
            let what = format!("arm {number} of {frame} is `{}`, not sky; {}", state.word(), self.instead(exposure, arm.number, number));
            return Err(what);
        }
        match exposure.other_band(other) {
            Some(differs) => Err(format!("{frame} is of another set-up: {differs}; {}", self.instead(exposure, arm.number, number))),
            None => Ok(Some(Sky { frame: frame.to_owned(), arm: number })),
        }
    }

    /// What could be written instead for an arm, with the sky of an arm.
    fn instead(&self, exposure: &Exposure, of: u8, arm: u8) -> String {
        let other = if of == arm { String::new() } else { format!("/{arm}") };
        match super::skies(exposure, arm, self.exposures).first() {
            Some(nearest) => format!("write {}{other}, the nearest with arm {arm} on sky, or `{NONE}`", nearest.name),
            None => format!("no exposure has arm {arm} on sky: write FRAME/ARM with another arm, or `{NONE}`"),
        }
    }

    fn near(&self, frame: &str) -> String {
        let near = closest(frame, self.exposures.iter().map(|e| e.name.as_str()));
        near.map(|name| format!("; is {name} meant?")).unwrap_or_default()
    }

    fn finish(mut self) -> Result<Option<Read>, Vec<Problem>> {
        let about = |r: &&Exposure| r.reduced && self.rows.iter().any(|(_, row)| row.frame == r.name);
        if self.problems.is_empty() && !self.exposures.iter().any(|e| about(&e)) {
            let strays = self.unknown.iter().all(|(_, name)| self.is_elsewhere(name));
            if strays {
                return Ok(None);
            }
        }
        let missing = self.missing();
        let unknown = std::mem::take(&mut self.unknown);
        let (others, wrong): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|(_, name)| missing.is_empty() && self.is_elsewhere(name));
        for (n, name) in wrong {
            let what = format!("there is no frame {name} here{}", self.near(&name));
            self.problem(n, what);
        }
        self.problems.extend(missing);
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|p| if p.line == 0 { usize::MAX } else { p.line });
            return Err(self.problems);
        }
        let mut others: Vec<String> = others.into_iter().map(|(_, name)| name).collect();
        others.dedup();
        let mut rows: Vec<Row> = self.rows.into_iter().map(|(_, r)| r).collect();
        let place = |r: &Row| (self.exposures.iter().position(|e| e.name == r.frame), r.arm);
        rows.sort_by_key(place);
        Ok(Some(Read { pairing: Pairing { rows }, others }))
    }

    /// Whether a name may be that of a frame of another group: not empty, and a name of FITS.
    fn is_elsewhere(&self, name: &str) -> bool {
        name.contains(".fits")
    }

    /// Targets without a line, exposure by exposure.
    fn missing(&self) -> Vec<Problem> {
        let of = |e: &Exposure| {
            let has = |arm: &Arm| self.told.contains(&(e.name.as_str(), arm.number));
            let arms: Vec<String> = e.arms.iter().filter(|a| a.is_on_target() && !has(a)).map(|a| a.number.to_string()).collect();
            (!arms.is_empty()).then(|| {
                let (arms, name) = (arms.join(", "), &e.name);
                Problem { line: 0, what: format!("no line for {name}, arm {arms}: add `{name} | ARM | target | type | FRAME OF THE SKY`") }
            })
        };
        self.exposures.iter().filter(|e| e.reduced).filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::automatic;
    use super::super::tests::exposure;
    use super::*;

    fn exposures() -> Vec<Exposure> {
        let mut other_band = exposure("h.fits", 9.0, "1", "SS", false);
        other_band.band[3].1 = "H".into();
        vec![
            exposure("a.fits", 0.0, "1", "OSRx", true),
            exposure("b.fits", 6.0, "1", "SOSS", true),
            exposure("o.fits", 30.0, "2", "SSSS", false),
            other_band,
        ]
    }

    fn problems(text: &str) -> Vec<String> {
        read(text, &exposures()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let pairing = automatic(&exposures());
        let text = write(&pairing);
        let first = text.lines().find(|l| l.starts_with("a.fits")).unwrap();
        let cells: Vec<&str> = first.split('|').map(str::trim).collect();
        assert_eq!(cells, ["a.fits", "1", "target 1", "object", "b.fits", "+6.0", "-"]);
        assert_eq!(read(&text, &exposures()), Ok(Some(Read { pairing, others: vec![] })));
    }

    #[test]
    fn an_edited_line_is_taken_with_its_own_time_and_note() {
        let text = write(&automatic(&exposures()));
        let line = text.lines().find(|l| l.starts_with("a.fits")).unwrap();
        let sky = |text: &str, arm: u8| {
            let read = read(text, &exposures()).unwrap().unwrap();
            read.pairing.rows.iter().find(|r| r.frame == "a.fits" && r.arm == arm).cloned().unwrap()
        };
        let row = sky(&text.replace(line, "a.fits|1||object|o.fits"), 1);
        assert_eq!((row.sky, row.note.as_str()), (Some(Sky { frame: "o.fits".into(), arm: 1 }), "sky of another OB"));
        assert!((row.minutes.unwrap() - 30.0).abs() < 1e-4);
        assert_eq!(sky(&text.replace(line, "a.fits|1||object|b.fits/3"), 1).sky, Some(Sky { frame: "b.fits".into(), arm: 3 }));
        assert_eq!(sky(&text.replace(line, "a.fits|1||object|none"), 1).sky, None);
    }

    #[test]
    fn everything_wrong_is_said_with_its_line() {
        let text = "a.fits | 1 | t | object | c.fits\n\
                    \n\
                    # a comment\n\
                    a.fits | 4 | t | off | b.fits\n\
                    a.fits | 25 | t | object | b.fits\n\
                    b.fits | 2 | t | object | a.fits/1\n\
                    b.fits | 1 | t | object | -\n\
                    b.fits | 3 | t | sky | -\n\
                    b.fits | 3 | t | sky | -\n\
                    b.fits | 4 | t\n\
                    a.fitz | 3 | t | object | b.fits\n";
        assert_eq!(
            problems(text),
            [
                "line 1: there is no frame c.fits with an arm on sky here; is a.fits meant?",
                "line 4: arm 4 of a.fits is switched off (locked) and has no sky: write `-`",
                "line 5: `25` is no arm: arms are 1 to 24",
                "line 6: arm 1 of a.fits is `object`, not sky; write b.fits/1, the nearest with arm 1 on sky, or `none`",
                "line 7: arm 1 of b.fits is `sky` by its header, not `object`: write `sky`",
                "line 9: arm 3 of b.fits is there already, in line 8: remove one of the two",
                "line 10: 3 columns, not at least 5: write `frame | arm | target | type | sky`",
                "line 11: there is no frame a.fitz here; is a.fits meant?",
                "no line for a.fits, arm 3: add `a.fits | ARM | target | type | FRAME OF THE SKY`",
            ]
        );
        let one = |line: &str| problems(line)[0].clone();
        assert_eq!(
            one("a.fits | 1 | t | object | h.fits"),
            "line 1: h.fits is of another set-up: its INS GRAT1 ID is H, that of a.fits is K; write b.fits, the nearest with arm 1 on sky, or `none`"
        );
        assert_eq!(
            one("a.fits | 3 | t | reference | h.fits"),
            "line 1: arm 3 of h.fits is `off`, not sky; write b.fits, the nearest with arm 3 on sky, or `none`"
        );
        assert_eq!(one("a.fits | 1 | t | object | -"), "line 1: arm 1 of a.fits is on object: name the frame of its sky, or write `none`");
        assert_eq!(one("a.fits | 1 | t | object | b.fits/x"), "line 1: `b.fits/x`: behind the `/` is no arm, 1 to 24");
    }

    #[test]
    fn lines_of_other_groups_are_left_alone() {
        let other = "z.fits | 1 | t | object | y.fits\n";
        assert_eq!(read(other, &exposures()), Ok(None));
        assert_eq!(read("# nothing\n", &exposures()), Ok(None));
        // Wrong, but for the group of that frame to say.
        assert_eq!(read("o.fits | 1 | t | object | nowhere.fits\n", &exposures()), Ok(None));
        let both = write(&automatic(&exposures())) + other;
        assert_eq!(read(&both, &exposures()).unwrap().unwrap().others, ["z.fits"]);
        let advice = as_error("p.txt", &read("nonsense", &exposures()).unwrap_err());
        assert!(advice.what.starts_with("p.txt: line 1: 1 columns") && advice.advice.contains("--to PAIRING"));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_table_or_problems(text in "(\\PC|\n|\\|){0,200}") {
            let _ = read(&text, &exposures());
        }

        #[test]
        fn any_edited_line_gives_a_table_or_problems(line in 0usize..60, at in 0usize..80, put in "[a-z0-9|/ .#-]{0,12}", cut in 0usize..20) {
            let text = write(&automatic(&exposures()));
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let n = line % lines.len();
            let mut letters: Vec<char> = lines[n].chars().collect();
            let from = at.min(letters.len());
            let to = (from + cut).min(letters.len());
            letters.splice(from..to, put.chars());
            lines[n] = letters.into_iter().collect();
            match read(&lines.join("\n"), &exposures()) {
                // Complete, with sky only where an arm is on sky, in the same band.
                Ok(Some(read)) => {
                    prop_assert_eq!(read.pairing.targets().count(), automatic(&exposures()).targets().count());
                    for row in &read.pairing.rows {
                        let Some(sky) = &row.sky else { continue };
                        let all = exposures();
                        let other = all.iter().find(|e| e.name == sky.frame).unwrap();
                        prop_assert!(Kind::of(other.arm(sky.arm).unwrap()) == Kind::Sky && other.name != "h.fits");
                    }
                }
                Ok(None) => prop_assert!(false, "the table is about these frames"),
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }
    }
}
