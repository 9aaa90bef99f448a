//! FITS headers as typed, ordered lists of cards.
//!
//! A [`Header`] keeps what the file says: the order of the cards, duplicates, comments, HISTORY and COMMENT, HIERARCH
//! keywords, long strings, even cards that break the standard. Cards that nobody changed are written back column for
//! column. What the standard does not allow is read as well as it can be and named in [`Header::issues`].

mod card;
mod error;
mod index;
mod value;

use std::borrow::Cow;
use std::sync::Arc;

pub use card::{CARD, Card, Content};
pub use error::HeaderError;
use index::Index;
pub use value::Value;

/// Something in a header that breaks the FITS standard and was read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderIssue {
    /// Number of the card, from 1.
    pub card: usize,
    /// Keyword of the card.
    pub keyword: String,
    /// What is wrong with it.
    pub what: String,
}

impl std::fmt::Display for HeaderIssue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "card {} ({}): {}", self.card, self.keyword, self.what)
    }
}

/// An ordered list of header cards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    cards: Vec<Card>,
    issues: Vec<HeaderIssue>,
    index: Index,
}

/// Whether [`normalise`] leaves a keyword as it is; says no where it would have to look closely.
fn is_normal(keyword: &str) -> bool {
    let mut before = b' ';
    let plain = keyword.bytes().all(|b| {
        let plain = b.is_ascii_graphic() && !b.is_ascii_lowercase() || b == b' ' && before != b' ';
        before = b;
        plain
    });
    plain && before != b' ' && !keyword.starts_with("HIERARCH")
}

/// As [`normalise`], without a copy where nothing changes.
pub fn normal(keyword: &str) -> Cow<'_, str> {
    if is_normal(keyword) { Cow::Borrowed(keyword) } else { Cow::Owned(normalise(keyword)) }
}

/// Upper case, without a leading `HIERARCH`, tokens parted by one blank: `hierarch eso  dpr catg` is `ESO DPR CATG`.
pub fn normalise(keyword: &str) -> String {
    let mut tokens = keyword.split_whitespace().peekable();
    if tokens.peek().is_some_and(|t| t.eq_ignore_ascii_case("HIERARCH")) && tokens.clone().count() > 1 {
        tokens.next();
    }
    tokens.map(str::to_uppercase).collect::<Vec<_>>().join(" ")
}

impl Header {
    /// An empty header.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads cards of 80 columns up to `END` or the end of the text. Bytes are taken as Latin-1.
    pub fn parse(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Header::read(text.into()),
            _ => Header::read(bytes.iter().map(|&b| b as char).collect::<String>().into()),
        }
    }

    fn read(text: Arc<str>) -> Self {
        let mut header = Header { cards: Vec::with_capacity(text.len() / CARD), ..Header::default() };
        let is_ascii = text.is_ascii();
        let (mut at, mut n) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            // Characters beyond ASCII are longer than a byte.
            let length = if is_ascii { CARD.min(rest.len()) } else { rest.char_indices().nth(CARD).map_or(rest.len(), |(i, _)| i) };
            let (line, columns) = (&rest[..length], at..at + length);
            if line.starts_with("END") && line.trim_end() == "END" {
                break;
            }
            (at, n) = (columns.end, n + 1);
            if line.starts_with("CONTINUE") && header.cards.last_mut().is_some_and(|last| last.continue_with(line)) {
                continue;
            }
            let (card, issue) = card::parse(&text, columns);
            if let Some(what) = issue {
                header.issues.push(HeaderIssue { card: n, keyword: card.keyword.clone(), what });
            }
            header.cards.push(card);
        }
        header
    }

    /// What breaks the standard, in the order of the cards.
    pub fn issues(&self) -> &[HeaderIssue] {
        &self.issues
    }

    /// All cards in order.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// Whether there are no cards.
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }

    /// Adds a card at the end, also if its keyword is there already.
    pub fn push(&mut self, card: Card) {
        self.index.forget();
        self.cards.push(card);
    }

    /// Adds a HISTORY text (as many cards as it takes).
    pub fn push_history(&mut self, text: &str) {
        self.push(Card::commentary("HISTORY", text));
    }

    /// Adds a COMMENT text (as many cards as it takes).
    pub fn push_comment(&mut self, text: &str) {
        self.push(Card::commentary("COMMENT", text));
    }

    /// First card with that keyword that has a value. `HIERARCH` may be given or left out; case does not matter.
    pub fn card(&self, keyword: &str) -> Option<&Card> {
        self.index.first(&self.cards, &normal(keyword))
    }

    /// All cards with that keyword, commentary included.
    pub fn all(&self, keyword: &str) -> impl Iterator<Item = &Card> {
        let keyword = normal(keyword);
        self.cards.iter().filter(move |c| c.keyword == keyword)
    }

    /// First value of that keyword.
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        self.card(keyword).and_then(Card::value)
    }

    /// Whether the keyword has a value card.
    pub fn contains(&self, keyword: &str) -> bool {
        self.card(keyword).is_some()
    }

    /// Sets the value of the first card of that keyword, or adds one. An empty `comment` keeps the comment there is.
    pub fn set(&mut self, keyword: &str, value: impl Into<Value>, comment: &str) {
        self.index.forget();
        let key = normalise(keyword);
        match self.cards.iter_mut().find(|c| c.keyword == key && c.value().is_some()) {
            Some(card) => card.change(value.into(), comment),
            None => self.cards.push(Card::new(&key, value, comment)),
        }
    }

    /// Removes every card of that keyword; says whether there was one.
    pub fn remove(&mut self, keyword: &str) -> bool {
        self.index.forget();
        let key = normalise(keyword);
        let before = self.cards.len();
        self.cards.retain(|c| c.keyword != key);
        self.cards.len() != before
    }

    /// Keeps the cards for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&Card) -> bool) {
        self.index.forget();
        self.cards.retain(keep);
    }

    fn require(&self, keyword: &str) -> Result<&Value, HeaderError> {
        match self.get(keyword) {
            None => Err(HeaderError::Missing { keyword: normalise(keyword) }),
            Some(value) => Ok(value),
        }
    }

    fn typed<'a, T>(&'a self, keyword: &str, wanted: &'static str, read: impl Fn(&'a Value) -> Option<T>) -> Result<T, HeaderError> {
        let value = self.require(keyword)?;
        read(value).ok_or_else(|| HeaderError::WrongType {
            keyword: normalise(keyword),
            wanted,
            found: value.kind(),
            value: value.to_string(),
        })
    }

    /// The text of a keyword; an error if it is absent or not text.
    pub fn text(&self, keyword: &str) -> Result<&str, HeaderError> {
        self.typed(keyword, "text", Value::as_text)
    }

    /// The number of a keyword (integer or real); an error if it is absent or not a number.
    pub fn real(&self, keyword: &str) -> Result<f64, HeaderError> {
        self.typed(keyword, "a number", Value::as_real)
    }

    /// The integer of a keyword; a real number counts where it is an integer exactly.
    pub fn integer(&self, keyword: &str) -> Result<i64, HeaderError> {
        self.typed(keyword, "an integer", Value::as_integer)
    }

    /// The logical of a keyword; an error if it is absent or not `T` or `F`.
    pub fn logical(&self, keyword: &str) -> Result<bool, HeaderError> {
        self.typed(keyword, "a logical", Value::as_logical)
    }

    /// The header as columns of 80 characters, without `END` and without padding to a block.
    /// Cards that were read and not changed come out as they were.
    pub fn columns(&self) -> Vec<String> {
        self.cards.iter().flat_map(Card::columns).collect()
    }

    /// The [`columns`](Self::columns) as lines, without the blanks at their ends; a line end inside of a card is its symbol U+240A.
    pub fn to_lines(&self) -> String {
        let mut text = String::with_capacity(self.cards.len() * CARD);
        let mut push = |line: &str| {
            let line = line.trim_end_matches(' ');
            match line.contains('\n') {
                true => text.push_str(&line.replace('\n', "\u{240a}")),
                false => text.push_str(line),
            }
            text.push('\n');
        };
        for card in &self.cards {
            match card.source() {
                Some(source) if source.len() == CARD && source.is_ascii() => push(source),
                _ => card.columns().iter().for_each(|line| push(line)),
            }
        }
        text
    }

    /// Reads what [`to_lines`](Self::to_lines) wrote.
    pub fn of_lines(text: &str) -> Self {
        let mut bytes = Vec::with_capacity(text.len() * 2);
        for line in text.split_terminator('\n') {
            let end = bytes.len() + CARD;
            match line.is_ascii() {
                true => bytes.extend_from_slice(line.as_bytes()),
                // Latin-1, and the lower byte of U+240A is that of a line end.
                false => bytes.extend(line.chars().map(|c| c as u32 as u8)),
            }
            bytes.resize(end, b' ');
        }
        Header::parse(&bytes)
    }
}

impl FromIterator<Card> for Header {
    fn from_iter<I: IntoIterator<Item = Card>>(cards: I) -> Self {
        Header { cards: cards.into_iter().collect(), ..Header::default() }
    }
}

#[cfg(test)]
mod tests;
