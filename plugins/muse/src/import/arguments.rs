//! `esorex_kwargs`: what is typed after the name of a recipe, `--lambdamin=4650 --resample=pixtable`.

use ifured_core::UnknownKey;
use serde_json::{Value, json};

use super::{Problem, Reading};

/// Hands each argument over as a parameter of the recipe.
pub fn take(reading: &mut Reading<'_>, recipe: &str) -> Result<(), Problem> {
    let text = reading.value.as_str().unwrap_or_default();
    if text.trim().is_empty() || text.trim().eq_ignore_ascii_case("none") {
        reading.not_needed("no arguments are given");
        return Ok(());
    }
    let mut words = words(text)?.into_iter().peekable();
    while let Some(word) = words.next() {
        let Some(argument) = word.strip_prefix("--").filter(|a| !a.is_empty()) else {
            reading.imported.unknown.push(UnknownKey { key: word, from: reading.from.clone(), nearest: None });
            continue;
        };
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, typed(value)),
            // `--name value`, or a switch.
            None => (argument, words.next_if(|w| !w.starts_with("--")).map_or(json!(true), |v| typed(&v))),
        };
        reading.set(&format!("recipes.{recipe}.{name}"), value, "");
    }
    Ok(())
}

/// Words as a shell parts them: blanks count for nothing in quotes.
fn words(text: &str) -> Result<Vec<String>, Problem> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(q) = quote {
        return Err(format!("the quote {q} is never closed"));
    }
    words.extend(word);
    Ok(words)
}

/// A number or a switch where it looks like one, else text.
fn typed(text: &str) -> Value {
    let number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    match text {
        "true" | "TRUE" => json!(true),
        "false" | "FALSE" => json!(false),
        _ if !text.chars().all(number) => json!(text),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(n), _) => json!(n),
            (_, Ok(x)) if x.is_finite() => json!(x),
            _ => json!(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_types() {
        assert_eq!(words(" --a=1  --b 'x y' --c=\"\" ").unwrap(), ["--a=1", "--b", "x y", "--c="]);
        assert!(words("--a='x").is_err());
        let cases =
            [("4650", json!(4650)), ("1e-3", json!(0.001)), ("15.", json!(15.0)), ("15.,15.,1", json!("15.,15.,1")), ("-", json!("-"))];
        for (text, expected) in cases {
            assert_eq!(typed(text), expected);
        }
        assert_eq!((typed("true"), typed("nan"), typed("1e999")), (json!(true), json!("nan"), json!("1e999")));
    }
}
