//! What esorex prints while it runs: `22:34:53 [ INFO  ] muse_bias: [tid=000] Combination method: median`.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Lines of errors that are kept: the first says most, the last are a summary.
const ERRORS_KEPT: usize = 12;
/// Longest line that is looked at.
const LONGEST_LINE: usize = 4096;
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// What is being done.
    Info,
    /// Something odd.
    Warning,
    /// Something that went wrong.
    Error,
    /// Anything else: continued lines, headings, debug.
    Other,
}

/// A line, parted: how serious it is, who says it (`esorex` or the recipe), what.
pub fn part(line: &str) -> (Severity, &str, &str) {
    let other = (Severity::Other, "", line.trim());
    let (Some(open), Some(close)) = (line.find('['), line.find(']')) else { return other };
    let severity = match line.get(open + 1..close).unwrap_or("").trim() {
        "INFO" => Severity::Info,
        "WARNING" => Severity::Warning,
        "ERROR" => Severity::Error,
        _ => return other,
    };
    let rest = line[close + 1..].trim_start();
    let (who, text) = rest.split_once(": ").unwrap_or(("", rest));
    let text = text.strip_prefix("[tid=").and_then(|rest| Some(rest.split_once(']')?.1)).unwrap_or(text);
    (severity, who, text.trim())
}

/// What a growing log has said so far.
#[derive(Debug, Default)]
pub struct Followed {
    /// The last line of kind [`Severity::Info`].
    pub last: String,
    /// How far the recipe is, from 0 to 1; does not go back.
    pub fraction: f64,
    /// The last lines of errors.
    pub errors: VecDeque<String>,
    /// How many warnings of the recipe there were.
    pub warnings: usize,
    /// Files that it says it has loaded.
    loaded: usize,
    /// Files that it is given.
    inputs: usize,
    /// Word before a number that grows from 1 to the other: `slice` of 48.
    counted: Option<(&'static str, u32)>,
    unfinished: Vec<u8>,
    read: u64,
}

impl Followed {
    /// Of a recipe that is given so many files. Where its log counts what it works on, `counted` is the word before the number and the last
    /// number: `("slice", 48)`.
    pub fn of(inputs: usize, counted: Option<(&'static str, u32)>) -> Self {
        Followed { inputs, counted, ..Followed::default() }
    }

    /// Reads on; says whether there was anything new.
    pub fn read_on(&mut self, file: &File) -> std::io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        let before = self.read;
        loop {
            let n = file.read_at(&mut buffer, self.read)?;
            if n == 0 {
                return Ok(self.read > before);
            }
            self.read += n as u64;
            self.take(&buffer[..n]);
        }
    }

    /// Takes the bytes that follow. Lines that a terminal would overwrite (parted by CR) count as lines.
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if matches!(byte, b'\n' | b'\r') {
                let line = std::mem::take(&mut self.unfinished);
                self.line(&String::from_utf8_lossy(&line));
            } else if self.unfinished.len() < LONGEST_LINE {
                self.unfinished.push(byte);
            }
        }
    }

    fn line(&mut self, line: &str) {
        let (severity, who, text) = part(line);
        match severity {
            Severity::Info if !text.is_empty() => {
                self.loaded += usize::from(text.starts_with("loaded "));
                self.fraction = self.fraction.max(self.fraction_of(text));
                self.last = text.to_owned();
            }
            // esorex warns of directories that are not installed, whatever is run.
            Severity::Warning if who != "esorex" => self.warnings += 1,
            Severity::Error => {
                // The first stays: it is the cause.
                if self.errors.len() == ERRORS_KEPT {
                    self.errors.remove(1);
                }
                self.errors.push_back(text.to_owned());
            }
            _ => {}
        }
    }

    /// What a line says of how far the recipe is: a percentage, a number that is counted, or that a product was made; else the files loaded count for a fifth.
    fn fraction_of(&self, text: &str) -> f64 {
        if let Some(percent) = percentage(text) {
            return percent / 100.0;
        }
        if text.starts_with("Saving ") || text.starts_with("Created product") || text.starts_with("Calculating product checksums") {
            return 0.9;
        }
        if let Some(share) = self.counted.and_then(|(word, last)| share_of(text, word, last)) {
            return 0.2 + 0.7 * share;
        }
        0.2 * (self.loaded as f64 / self.inputs.max(1) as f64).min(1.0)
    }
}

/// `… in slice 12 of IFU 1` as 12 of 48.
fn share_of(text: &str, word: &str, last: u32) -> Option<f64> {
    let mut words = text.split_whitespace();
    words.find(|w| *w == word)?;
    let number: u32 = words.next()?.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
    (1..=last).contains(&number).then(|| f64::from(number) / f64::from(last))
}

/// `… 37.5% done`, where it is said of the work: a number with a sign behind it and `done`, `complete` or `ETA` in the line.
fn percentage(text: &str) -> Option<f64> {
    if !["done", "complete", "ETA"].iter().any(|word| text.contains(word)) {
        return None;
    }
    let before = text.split_once('%')?.0.trim_end();
    let start = before.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |n| n + 1);
    before.get(start..)?.parse().ok().filter(|p| (0.0..=100.0).contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parted() {
        let line = "22:34:53 [ INFO  ] muse_bias: [tid=000] Combination method: median";
        assert_eq!(part(line), (Severity::Info, "muse_bias", "Combination method: median"));
        assert_eq!(part("[ ERROR ] esorex: Unable to find recipe 'x'."), (Severity::Error, "esorex", "Unable to find recipe 'x'."));
        assert_eq!(part("22:34:53 [WARNING] odd"), (Severity::Warning, "", "odd"));
        assert_eq!(part("  a continued line [x]"), (Severity::Other, "", "a continued line [x]"));
        assert_eq!(part("]["), (Severity::Other, "", "]["));
    }

    #[test]
    fn a_growing_log_is_followed() {
        let mut log = Followed::of(4, Some(("slice", 48)));
        log.take(b"10:00:00 [ INFO  ] r: loaded \"a\"\n10:00:01 [ INFO  ] r: loa");
        assert_eq!((log.last.as_str(), log.fraction), ("loaded \"a\"", 0.05));
        log.take(b"ded \"b\"\n10:00:02 [ INFO  ] r: 40.0% done\r10:00:03 [ INFO  ] r: kept 99% of the pixels\n");
        assert_eq!((log.last.as_str(), log.fraction), ("kept 99% of the pixels", 0.4));
        log.take(b"10:00:03 [ INFO  ] r: fit in slice 24 of IFU 1\n");
        assert!((log.fraction - 0.55).abs() < 1e-9, "{}", log.fraction);
        for n in 0..20 {
            log.take(format!("10:00:04 [ ERROR ] r: error {n}\n").as_bytes());
        }
        assert_eq!((log.errors.len(), log.errors[0].as_str(), log.errors[11].as_str()), (12, "error 0", "error 19"));
    }
}
