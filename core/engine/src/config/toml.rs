//! TOML into a tree with places.

use std::ops::Range;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::tree::{Content, Node, Place, TOO_DEEP};
use crate::problem::line_and_column;

/// The document, as far as it could be understood, and all errors of its syntax with their bytes.
pub fn parse(text: &str, source: usize) -> (Option<Node>, Vec<(Range<usize>, String)>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut wrong = Vec::new();
    for e in errors {
        // `recursion limit`, `cannot recurse further`.
        let too_deep = e.message().contains("recurs");
        let what = if too_deep { TOO_DEEP.to_owned() } else { e.message().to_owned() };
        let bytes = e.span().unwrap_or(0..0);
        let line = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count();
        // What follows on the same line comes of the first.
        if wrong.last().is_none_or(|(last, _): &(Range<usize>, String)| line(last.start) != line(bytes.start)) {
            wrong.push((bytes, what));
        }
        if too_deep {
            break;
        }
    }
    let mut numbers = Vec::new();
    let root = node(table.get_ref(), &table.span(), None, source, &mut numbers);
    for (bytes, what) in wrong.iter_mut().filter(|(_, what)| what == "duplicate key") {
        *what = duplicate(text, &root, bytes);
    }
    wrong.extend(numbers);
    (Some(root), wrong)
}

/// Names a key that is there twice, and where it is first if that is certain.
fn duplicate(text: &str, root: &Node, bytes: &Range<usize>) -> String {
    let name = text.get(bytes.clone()).unwrap_or_default().trim_matches(['"', '\'']);
    let mut first = Vec::new();
    places(root, name, &mut first);
    first.retain(|at| *at < bytes.start);
    match first.as_slice() {
        [one] => {
            let (line, column) = line_and_column(text, *one);
            format!("duplicate key `{name}`: it is already at line {line}, column {column}")
        }
        _ => format!("duplicate key `{name}`"),
    }
}

fn places(node: &Node, name: &str, out: &mut Vec<usize>) {
    match &node.content {
        Content::Table(entries) => {
            out.extend(entries.iter().filter(|(k, _)| k == name).filter_map(|(_, n)| Some(n.key.as_ref()?.bytes.start)));
            entries.iter().for_each(|(_, n)| places(n, name, out));
        }
        Content::List(items) => items.iter().for_each(|n| places(n, name, out)),
        Content::Leaf(_) => {}
    }
}

fn node(table: &DeTable<'_>, span: &Range<usize>, key: Option<Place>, source: usize, wrong: &mut Vec<(Range<usize>, String)>) -> Node {
    // In the order of the text, which the parser's table does not keep.
    let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
    entries.sort_by_key(|(k, _)| k.span().start);
    let entries = entries
        .into_iter()
        .map(|(k, v)| {
            let key = Place { source, bytes: k.span() };
            let name: &str = k.get_ref();
            (name.to_owned(), value(v, Some(key), source, wrong))
        })
        .collect();
    Node { key, value: Place { source, bytes: span.clone() }, content: Content::Table(entries) }
}

fn value(spanned: &Spanned<DeValue<'_>>, key: Option<Place>, source: usize, wrong: &mut Vec<(Range<usize>, String)>) -> Node {
    let bytes = spanned.span();
    let content = match spanned.get_ref() {
        DeValue::Table(table) => return node(table, &bytes, key, source, wrong),
        DeValue::Array(items) => Content::List(items.iter().map(|i| value(i, None, source, wrong)).collect()),
        DeValue::String(text) => Content::Leaf(Value::String(text.clone().into_owned())),
        DeValue::Boolean(b) => Content::Leaf(Value::Bool(*b)),
        DeValue::Datetime(time) => Content::Leaf(Value::String(time.to_string())),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Content::Leaf(number.into()),
            Err(_) => {
                wrong.push((bytes.clone(), "a whole number of more than 64 bits".to_owned()));
                Content::Leaf(0.into())
            }
        },
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Content::Leaf(Value::Number(number)),
            None => {
                wrong.push((bytes.clone(), format!("`{}` is not finite; numbers must be", float.as_str())));
                Content::Leaf(0.into())
            }
        },
    };
    Node { key, value: Place { source, bytes }, content }
}
