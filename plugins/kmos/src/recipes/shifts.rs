//! Shifts of exposures that a person gives to `kmos_combine`, by the names of the files.
//!
//! The recipe itself takes them by position: a line for each frame but the first, and nothing says which is which. Here each line has the name of
//! the file, and the file of the recipe is made of it in the order of the set of frames.

use ifured_core::words::closest;

use crate::pairing::text::Problem;

/// Reads `file dx dy`, pixels to the left and up, for all of these files.
///
/// # Errors
/// All problems at once: columns, numbers, a file that is not here, is there twice, or is missing.
pub fn read(text: &str, files: &[String]) -> Result<Vec<[f64; 2]>, Vec<Problem>> {
    let mut shifts: Vec<Option<(usize, [f64; 2])>> = vec![None; files.len()];
    let mut problems = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        match one(&words, files) {
            Ok((place, shift)) => match shifts[place] {
                Some((before, _)) => {
                    problems.push(Problem { line: n + 1, what: format!("{} is there already, in line {before}", files[place]) })
                }
                None => shifts[place] = Some((n + 1, shift)),
            },
            Err(what) => problems.push(Problem { line: n + 1, what }),
        }
    }
    for (file, _) in files.iter().zip(&shifts).filter(|(_, shift)| shift.is_none()) {
        problems.push(Problem { line: 0, what: format!("no good line for {file}: add `{file} DX DY`") });
    }
    if problems.is_empty() { Ok(shifts.into_iter().flatten().map(|(_, shift)| shift).collect()) } else { Err(problems) }
}

fn one(words: &[&str], files: &[String]) -> Result<(usize, [f64; 2]), String> {
    let [file, dx, dy] = words else { return Err(format!("{} words, not 3: write `FILE DX DY`", words.len())) };
    let near = || closest(file, files.iter().map(String::as_str)).map(|f| format!("; is {f} meant?")).unwrap_or_default();
    let place = files.iter().position(|f| f == file).ok_or_else(|| format!("there is no file {file} here{}", near()))?;
    let number = |word: &str| word.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| format!("`{word}` is no number of pixels"));
    Ok((place, [number(dx)?, number(dy)?]))
}

/// The file of the recipe: shifts against the first frame, a line for each other.
pub fn positional(shifts: &[[f64; 2]]) -> String {
    let [first, others @ ..] = shifts else { return String::new() };
    others.iter().map(|s| format!("{:.4}    {:.4}\n", s[0] - first[0], s[1] - first[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<String> {
        ["a.fits", "b.fits", "c.fits"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_order_of_the_lines_does_not_count() {
        let shifts = read("# file dx dy\nc.fits 3 -1\nb.fits 0.5 2 # bad seeing\na.fits 1 1\n", &files()).unwrap();
        assert_eq!(shifts, [[1.0, 1.0], [0.5, 2.0], [3.0, -1.0]]);
        assert_eq!(positional(&shifts), "-0.5000    1.0000\n2.0000    -2.0000\n");
    }

    #[test]
    fn everything_wrong_is_said() {
        let problems = read("a.fits 1 x\nb.fits 1\nd.fits 1 1\nc.fits 1 1\nc.fits 2 2\n", &files()).unwrap_err();
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "line 1: `x` is no number of pixels",
                "line 2: 2 words, not 3: write `FILE DX DY`",
                "line 3: there is no file d.fits here; is a.fits meant?",
                "line 5: c.fits is there already, in line 4",
                "no good line for a.fits: add `a.fits DX DY`",
                "no good line for b.fits: add `b.fits DX DY`",
            ]
        );
    }
}
