//! filabres' patterns of file names (Python's fnmatch) as ifured's.
//!
//! Both know `*` and `?`; `[89]`, `[0-5]` and `[!3]` are written out, for ifured takes brackets as they are: they are common in names of objects.

/// Most patterns that one may become.
const MOST: usize = 200;
/// Characters that `[!…]` may stand for: those of file names.
const OF_FILE_NAMES: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:+,=@ ";

/// The same pattern without sets of characters.
///
/// # Errors
/// What cannot be said without them.
pub fn written_out(pattern: &str) -> Result<Vec<String>, String> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut all = vec![String::new()];
    let mut at = 0;
    while at < characters.len() {
        let choices = match characters[at] {
            '[' => match set(&characters[at..]) {
                Some((choices, length)) => {
                    at += length;
                    choices
                }
                // Never closed: the bracket stands for itself.
                None => {
                    at += 1;
                    vec!['[']
                }
            },
            c => {
                at += 1;
                all.iter_mut().for_each(|p| p.push(c));
                continue;
            }
        };
        if choices.iter().any(|c| matches!(c, '*' | '?')) {
            return Err(format!("`{pattern}` has * or ? in brackets, which ifured cannot say"));
        }
        if all.len() * choices.len() > MOST {
            return Err(format!("`{pattern}` would become more than {MOST} patterns without its brackets, which ifured takes as they are"));
        }
        all = all.iter().flat_map(|p| choices.iter().map(move |c| format!("{p}{c}"))).collect();
    }
    Ok(all)
}

/// Whether a name could match both of two patterns of `*` and `?`.
pub fn overlap(one: &str, other: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // Line i: whether the first i characters of one and the first j of the other can be the same name.
    let mut before: Vec<bool> = Vec::new();
    for i in 0..=a.len() {
        let mut line = vec![false; b.len() + 1];
        for j in 0..=b.len() {
            let star = |pattern: &[char], n: usize| n > 0 && pattern[n - 1] == '*';
            line[j] = (i == 0 && j == 0)
                || (star(&a, i) && before[j])
                || (star(&b, j) && line[j - 1])
                || (i > 0 && j > 0 && (star(&a, i) && line[j - 1] || star(&b, j) && before[j]))
                || (i > 0 && j > 0 && (a[i - 1] == b[j - 1] || a[i - 1] == '?' || b[j - 1] == '?') && before[j - 1]);
        }
        before = line;
    }
    before.last().copied().unwrap_or(false)
}

/// The characters of a set that begins here, and its length; nothing if it is never closed.
fn set(characters: &[char]) -> Option<(Vec<char>, usize)> {
    let negative = characters.get(1) == Some(&'!');
    let start = if negative { 2 } else { 1 };
    // A `]` that comes first belongs to the set.
    let end = (start + 1..characters.len()).find(|i| characters[*i] == ']')?;
    let members = &characters[start..end];
    let mut chosen = Vec::new();
    let mut i = 0;
    while i < members.len() {
        if i + 2 < members.len() && members[i + 1] == '-' {
            // No more than can be used, however long the range is.
            chosen.extend((members[i]..=members[i + 2]).take(MOST + 1));
            i += 3;
        } else {
            chosen.push(members[i]);
            i += 1;
        }
    }
    if negative {
        chosen = OF_FILE_NAMES.chars().filter(|c| !chosen.contains(c)).collect();
    } else {
        let mut seen = Vec::new();
        chosen.retain(|c| !seen.contains(c) && (seen.push(*c), true).1);
    }
    Some((chosen, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_out() {
        for same in ["a.fits", "caf-*-16:0?:*.fits", "[", "a[b", "a]b", ""] {
            assert_eq!(written_out(same), Ok(vec![same.to_owned()]));
        }
        assert_eq!(written_out("a[12]b").unwrap(), ["a1b", "a2b"]);
        assert_eq!(written_out("[0-2][a-]").unwrap(), ["0a", "0-", "1a", "1-", "2a", "2-"]);
        assert_eq!(written_out("[]x]").unwrap(), ["]", "x"]);
        assert_eq!(written_out("[11]").unwrap(), ["1"]);
        assert_eq!(written_out("[2-1]").unwrap(), Vec::<String>::new());
        let not_three = written_out("caf-[!3]*").unwrap();
        assert!(not_three.contains(&"caf-2*".to_owned()) && !not_three.contains(&"caf-3*".to_owned()));
        assert!(written_out("[*]").is_err());
        assert!(written_out("[0-9][0-9][0-9]").unwrap_err().contains("more than 200"));
        assert!(written_out("[ -\u{10ffff}]").is_err());
    }

    #[test]
    fn patterns_that_share_a_name() {
        for (a, b) in [("*", "x"), ("a*", "*b"), ("a?c", "ab*"), ("*", "*"), ("", "*"), ("caf-*-bias.fits", "caf-2017*.fits")] {
            assert!(overlap(a, b) && overlap(b, a), "{a} {b}");
        }
        for (a, b) in [("a", "b"), ("a*", "b*"), ("?", ""), ("a?", "a"), ("*x", "*y"), ("caf-1.fits", "caf-2*")] {
            assert!(!overlap(a, b) && !overlap(b, a), "{a} {b}");
        }
    }
}
