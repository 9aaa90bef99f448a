//! Explanations for people, 80 columns wide.

use std::fmt::{self, Display, Formatter};

use unicode_width::UnicodeWidthStr;

use super::{Why, WhyCandidate, WhyInput, WhyNot};

const WIDTH: usize = 80;
/// Candidates of an input that are shown in full text.
const SHOWN: usize = 12;

/// Writes words into lines no wider than [`WIDTH`]; later lines are indented by `hang`. A longer word has its own line.
fn wrap(f: &mut Formatter<'_>, first: &str, hang: usize, text: &str) -> fmt::Result {
    f.write_str(first)?;
    let mut column = first.width();
    let mut fresh = true;
    for word in text.split_whitespace() {
        if !fresh && column + 1 + word.width() > WIDTH {
            write!(f, "\n{}", " ".repeat(hang))?;
            column = hang;
        } else if !fresh {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += word.width();
        fresh = false;
    }
    writeln!(f)
}

impl WhyCandidate {
    fn write(&self, f: &mut Formatter<'_>, mark: &str, detailed: bool) -> fmt::Result {
        let level = self.level.map_or("does not fit".to_owned(), |l| format!("level {l}"));
        wrap(f, &format!("  {mark} "), 6, &self.name)?;
        wrap(f, "      ", 8, &format!("{level}: {}", self.why))?;
        if detailed {
            for (level, why) in self.failed.iter().filter(|(_, why)| *why != self.why) {
                wrap(f, "      ", 8, &format!("not level {level}: {why}"))?;
            }
        }
        if let Some(relaxation) = &self.relaxation {
            let more = if relaxation.more { ", if nothing else stands in the way" } else { "" };
            wrap(f, "      ", 8, &format!("admitted by {relaxation}{more}"))?;
        }
        Ok(())
    }
}

impl WhyInput {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fitting = self.candidates.iter().filter(|c| c.level.is_some()).count();
        writeln!(f)?;
        let count = format!("{} of {} candidates {}", fitting, self.candidates.len(), if fitting == 1 { "fits" } else { "fit" });
        let count = if self.candidates.is_empty() { "there are no candidates".to_owned() } else { count };
        wrap(f, "", 4, &format!("{}: {count}", self.role))?;
        if self.chosen.is_empty() {
            match &self.otherwise {
                Some((otherwise, level)) if !otherwise.is_empty() => wrap(f, "  ", 4, &format!("without it: {otherwise}, level {level}"))?,
                Some((_, level)) => wrap(f, "  ", 4, &format!("done without, level {level}"))?,
                None if self.blocks => wrap(f, "  ", 4, "it is required: the group cannot be reduced")?,
                None => wrap(f, "  ", 4, "the recipe can do without it")?,
            }
        }
        for (n, candidate) in self.candidates.iter().take(SHOWN).enumerate() {
            let taken = self.chosen.contains(&candidate.name);
            candidate.write(f, if taken { "*" } else { "-" }, n < 3 || candidate.level.is_none())?;
        }
        if self.candidates.len() > SHOWN {
            writeln!(f, "  - and {} more (all with --json)", self.candidates.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        let frames = format!("{} {}", self.frames.len(), if self.frames.len() == 1 { "frame" } else { "frames" });
        let first = self.frames.first().map(|n| format!(", first {n}")).unwrap_or_default();
        let level = self.level.map(|l| format!(", level {l}")).unwrap_or_default();
        wrap(f, "  ", 4, &format!("{} in night {}{level}, from {frames}{first}", self.recipe, self.night))?;
        if !self.signature.is_empty() {
            wrap(f, "  ", 4, &format!("signature {}", self.signature))?;
        }
        if let Some(external) = &self.external {
            wrap(f, "  ", 4, &format!("made by {external}"))?;
        }
        if let Some(state) = &self.state {
            wrap(f, "  ", 4, &state.to_string())?;
        }
        if let Some(blocked) = &self.blocked {
            wrap(f, "  ", 4, &format!("blocked: {blocked}"))?;
        }
        if self.inputs.is_empty() {
            writeln!(f, "  it needs no calibrations")?;
        }
        self.inputs.iter().try_for_each(|i| i.write(f))?;
        if self.inputs.iter().any(|i| !i.chosen.is_empty()) {
            writeln!(f, "\n* taken: best level first, then best grade, then nearest in time")?;
        }
        Ok(())
    }
}

impl Display for WhyNot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            WhyNot::FrameNotReduced { frame, why } => wrap(f, "", 2, &format!("{frame} is not reduced: {why}")),
            WhyNot::NoCandidate { frame, calibration, why } => wrap(f, "", 2, &format!("{calibration} is no candidate for {frame}: {why}")),
            WhyNot::Candidate { frame, recipe, role, chosen, rank, of, candidate } => {
                writeln!(f, "{frame}")?;
                let is_taken = chosen.as_ref().is_some_and(|(name, _)| *name == candidate.name);
                let place = if is_taken { "taken".to_owned() } else { format!("candidate {rank} of {of}") };
                wrap(f, "  ", 4, &format!("{role} of {recipe}, {place}:"))?;
                candidate.write(f, if is_taken { "*" } else { "-" }, true)?;
                match chosen {
                    _ if is_taken => Ok(()),
                    Some((name, why)) => {
                        writeln!(f, "  taken instead:")?;
                        wrap(f, "  * ", 6, name)?;
                        wrap(f, "      ", 8, why)
                    }
                    None => writeln!(f, "  nothing was taken instead"),
                }
            }
        }
    }
}
