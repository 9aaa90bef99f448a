//! JSON into a tree with places.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::tree::{Content, DEEPEST, Node, Place, TOO_DEEP};

/// JSON by the letter.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The document, as far as it could be understood, and the errors of its syntax with their bytes: the first, and all keys
/// that are there twice.
pub fn parse(text: &str, source: usize) -> (Option<Node>, Vec<(Range<usize>, String)>) {
    let mut wrong = Vec::new();
    let strict = parse_to_ast(text, &CollectOptions::default(), &STRICT);
    let ast = match strict {
        Ok(result) => result.value,
        Err(e) => {
            wrong.push((e.range().start..e.range().end, complaint(e.kind())));
            // A comma too many or a comment does not keep the rest from being checked.
            parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok().and_then(|r| r.value)
        }
    };
    if wrong.is_empty()
        && let Err(e) = serde_json::from_str::<Value>(text)
    {
        let start = text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let at = (start + e.column().saturating_sub(1)).min(text.len());
        let at = (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        wrong.push((at..at, without_position(&e)));
    }
    let root = ast.map(|v| node(&v, None, text, source, 0, &mut wrong));
    (root, wrong)
}

/// An error of the parser in words that need no knowledge of parsers.
fn complaint(kind: &jsonc_parser::errors::ParseErrorKind) -> String {
    use jsonc_parser::errors::ParseErrorKind as Kind;
    match kind {
        Kind::NestingDepthExceeded => TOO_DEEP.into(),
        Kind::CommentsNotAllowed => "JSON has no comments; ifured.toml may have them".into(),
        Kind::TrailingCommasNotAllowed => "a comma after the last item".into(),
        Kind::UnterminatedObject => "a `}` is missing for this `{`".into(),
        Kind::UnterminatedArray => "a `]` is missing for this `[`".into(),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            letters.next().map(|c| c.to_lowercase().collect::<String>() + letters.as_str()).unwrap_or_default()
        }
    }
}

/// What serde_json says, without its `at line 1 column 2`.
pub fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    what.replace("EOF while parsing", "it ends inside")
}

fn node(
    value: &ast::Value<'_>,
    key: Option<Place>,
    text: &str,
    source: usize,
    depth: usize,
    wrong: &mut Vec<(Range<usize>, String)>,
) -> Node {
    let bytes = value.start()..value.end();
    let deeper = depth + 1;
    let content = match value {
        ast::Value::Object(_) | ast::Value::Array(_) if depth >= DEEPEST => {
            if !wrong.iter().any(|(_, what)| what == TOO_DEEP) {
                wrong.push((bytes.start..bytes.start + 1, TOO_DEEP.to_owned()));
            }
            Content::Leaf(Value::Null)
        }
        ast::Value::Object(object) => {
            let mut entries: Vec<(String, Node)> = Vec::new();
            for property in &object.properties {
                let name = property.name.as_str().to_owned();
                let range = property.name.start()..property.name.end();
                if let Some((_, first)) = entries.iter().find(|(n, _)| *n == name) {
                    let first = first.key.as_ref().map_or(0, |p| p.bytes.start);
                    let (line, column) = crate::problem::line_and_column(text, first);
                    wrong.push((range.clone(), format!("duplicate key `{name}`: it is already at line {line}, column {column}")));
                    continue;
                }
                let key = Place { source, bytes: range };
                entries.push((name, node(&property.value, Some(key), text, source, deeper, wrong)));
            }
            Content::Table(entries)
        }
        ast::Value::Array(array) => Content::List(array.elements.iter().map(|e| node(e, None, text, source, deeper, wrong)).collect()),
        ast::Value::StringLit(text) => Content::Leaf(Value::String(text.value.clone().into_owned())),
        ast::Value::BooleanLit(b) => Content::Leaf(Value::Bool(b.value)),
        ast::Value::NullKeyword(_) => Content::Leaf(Value::Null),
        // What is no number by the letter has been complained of.
        ast::Value::NumberLit(number) => Content::Leaf(serde_json::from_str(number.value).unwrap_or(Value::Null)),
    };
    Node { key, value: Place { source, bytes }, content }
}
