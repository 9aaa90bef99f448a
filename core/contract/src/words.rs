//! Words in messages and tables: similar ones, for messages about words that nobody knows, and columns of equal width.

/// The most similar of the known words, if one is so similar that it was probably meant: a few slips, or a beginning (`max_age` for
/// `max_age_days`). Case does not matter.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let known: Vec<&str> = known.into_iter().collect();
    let (slips, best) = known.iter().map(|k| (distance(&word, &k.to_lowercase()), *k)).min()?;
    let beginning = || known.iter().find(|k| letters >= 3 && k.to_lowercase().starts_with(&word)).copied();
    if slips <= letters.max(3) / 3 + 1 { Some(best) } else { beginning() }
}

/// Edit distance in which swapping two neighbours counts as one slip (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let substituted = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { table[i - 2][j - 2] + 1 } else { usize::MAX };
                substituted.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1).min(swap)
            };
        }
    }
    table[a.len()][b.len()]
}

/// A text with blanks behind it, up to a number of characters. The formatter of the standard library panics beyond 65 535 of them, which names and
/// header values from files can reach.
pub fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(text.chars().count());
    let mut out = String::with_capacity(text.len() + blanks);
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', blanks));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        assert_eq!(closest("gaiadr_sorce", ["datadir", "gaiadr_source"]), Some("gaiadr_source"));
        assert_eq!(closest("Falt", ["flat", "bias"]), Some("flat"));
        assert_eq!(closest("max_age", ["required", "max_age_days"]), Some("max_age_days"));
        assert_eq!(closest("zzzzzz", ["flat", "bias"]), None);
        assert_eq!(closest("x", []), None);
    }

    #[test]
    fn blanks_fill_up_to_any_width() {
        assert_eq!(padded("\u{e5}r", 4), "\u{e5}r  ");
        assert_eq!(padded("long", 2), "long");
        assert_eq!(padded("x", 100_000).len(), 100_000);
    }
}
