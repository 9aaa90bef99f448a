//! Values with the places they stand at.

use std::ops::Range;

use serde_json::{Map, Value};

/// Keys deeper than this are refused: nothing that a configuration says is, and what is too deep would exhaust the stack.
pub const DEEPEST: usize = 80;

/// What is said of them.
pub const TOO_DEEP: &str = "nested deeper than any configuration is";

/// A stretch of a source, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the source.
    pub source: usize,
    /// The bytes.
    pub bytes: Range<usize>,
}

/// A value with its places.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where its key stands; none for items of a list and the whole document.
    pub key: Option<Place>,
    /// Where the value stands.
    pub value: Place,
    /// The value.
    pub content: Content,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Keys and values in the order of the text.
    Table(Vec<(String, Node)>),
    /// Items.
    List(Vec<Node>),
    /// Anything else.
    Leaf(Value),
}

impl Node {
    /// The child of that key, or of that index.
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Table(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, n)| n),
            Content::List(items) => items.get(key.parse::<usize>().ok()?),
            Content::Leaf(_) => None,
        }
    }

    /// Its value.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Table(entries) => Value::Object(entries.iter().map(|(k, n)| (k.clone(), n.to_value())).collect::<Map<_, _>>()),
            Content::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Content::Leaf(value) => value.clone(),
        }
    }

    pub(super) fn of_value(value: &Value, key: Option<Place>, place: Place) -> Node {
        let content = match value {
            Value::Object(map) => {
                let entry = |(k, v): (&String, &Value)| (k.clone(), Node::of_value(v, key.clone(), place.clone()));
                Content::Table(map.iter().map(entry).collect())
            }
            Value::Array(list) => Content::List(list.iter().map(|v| Node::of_value(v, None, place.clone())).collect()),
            leaf => Content::Leaf(leaf.clone()),
        };
        Node { key, value: place, content }
    }
}
