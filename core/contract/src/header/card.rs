//! Header cards: 80 columns of text and what they mean.
//!
//! Source: FITS standard 4.0, section 4 (keyword records, free-format values, the CONTINUE long-string convention of
//! section 4.2.1.2) and the ESO HIERARCH convention. Bytes outside ASCII are kept as the characters U+0080 to U+00FF,
//! so that a card that is not touched goes out byte for byte as it came in.

use std::ops::Range;
use std::sync::Arc;

use super::Value;

/// Columns of one header card.
pub const CARD: usize = 80;

/// What a card says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `KEYWORD = value / comment`.
    Value(Value),
    /// `COMMENT`, `HISTORY`, a blank keyword, or any keyword without a value indicator: free text.
    Commentary(String),
}

/// One header entry: a card, or a card with its CONTINUE cards.
#[derive(Clone)]
pub struct Card {
    /// Keyword, upper case, without the word `HIERARCH`; tokens of hierarchical keywords parted by one blank.
    pub keyword: String,
    /// Value or free text.
    pub content: Content,
    comment: Comment,
    /// The columns as they were read, a multiple of 80; `None` for a card made or changed here.
    source: Option<Source>,
}

/// Columns of a card in the text of the header that it was read from, which all cards of it share.
#[derive(Clone)]
struct Source {
    text: Arc<str>,
    columns: Range<u32>,
}

#[derive(Clone)]
enum Comment {
    Text(String),
    /// There in the columns of the source.
    Read(Range<u32>),
}

impl PartialEq for Card {
    fn eq(&self, other: &Self) -> bool {
        self.keyword == other.keyword
            && self.content == other.content
            && self.comment() == other.comment()
            && self.source() == other.source()
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut card = f.debug_struct("Card");
        card.field("keyword", &self.keyword).field("content", &self.content).field("comment", &self.comment());
        card.field("source", &self.source()).finish()
    }
}

impl Card {
    /// A card with a value.
    pub fn new(keyword: &str, value: impl Into<Value>, comment: &str) -> Self {
        Card::made(keyword, Content::Value(value.into()), comment)
    }

    /// A card of free text: `COMMENT`, `HISTORY` or a blank keyword.
    pub fn commentary(keyword: &str, text: &str) -> Self {
        Card::made(keyword, Content::Commentary(text.to_owned()), "")
    }

    fn made(keyword: &str, content: Content, comment: &str) -> Self {
        Card { keyword: super::normalise(keyword), content, comment: Comment::Text(comment.to_owned()), source: None }
    }

    /// Comment after the `/`, empty where there is none.
    pub fn comment(&self) -> &str {
        match (&self.comment, self.source()) {
            (Comment::Text(text), _) => text,
            (Comment::Read(place), Some(source)) => &source[place.start as usize..place.end as usize],
            (Comment::Read(_), None) => "",
        }
    }

    /// Columns as they were read; none for a card that was made or changed.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_ref().map(|s| &s.text[s.columns.start as usize..s.columns.end as usize])
    }

    /// Changes the value, and with a `comment` that is not empty that, too.
    pub(super) fn change(&mut self, value: Value, comment: &str) {
        let comment = if comment.is_empty() { self.comment() } else { comment };
        self.comment = Comment::Text(comment.to_owned());
        self.content = Content::Value(value);
        self.source = None;
    }

    /// Takes the text of the CONTINUE card whose columns follow; says whether it is one of this card.
    pub(super) fn continue_with(&mut self, line: &str) -> bool {
        let Content::Value(Value::Text(text)) = &mut self.content else { return false };
        let (true, Some((more, comment))) = (text.ends_with('&'), parse_continue(line)) else { return false };
        text.pop();
        text.push_str(&more);
        if !comment.is_empty() {
            let before = self.comment();
            let blank = if before.is_empty() { "" } else { " " };
            self.comment = Comment::Text(format!("{before}{blank}{comment}"));
        }
        if let Some(source) = &mut self.source {
            source.columns.end += line.len() as u32;
        }
        true
    }

    /// The value, if the card has one.
    pub fn value(&self) -> Option<&Value> {
        match &self.content {
            Content::Value(v) => Some(v),
            Content::Commentary(_) => None,
        }
    }

    /// The text of a commentary card.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Commentary(t) => Some(t),
            Content::Value(_) => None,
        }
    }

    /// Whether the keyword needs the HIERARCH convention.
    pub fn is_hierarchical(&self) -> bool {
        is_hierarchical(&self.keyword)
    }

    /// The card as columns of 80 characters each: as it was read, or formatted anew.
    pub fn columns(&self) -> Vec<String> {
        match self.source() {
            Some(source) => split_columns(source),
            None => format(self),
        }
    }
}

/// Columns that keyword and value indicator may take so that every number, and a piece of any text, fits behind them.
const LONGEST_HEAD: usize = 55;

fn is_hierarchical(keyword: &str) -> bool {
    keyword.len() > 8 || !keyword.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn split_columns(text: &str) -> Vec<String> {
    if text.len() == CARD && text.is_ascii() {
        return vec![text.to_owned()];
    }
    let all: Vec<char> = text.chars().collect();
    all.chunks(CARD).map(|c| pad(c.iter().collect())).collect()
}

fn pad(mut line: String) -> String {
    let n = line.chars().count();
    line.extend(std::iter::repeat_n(' ', CARD.saturating_sub(n)));
    line
}

/// Reads the line of 80 columns at that place of a header; the second part of the pair is what is wrong with it, if anything.
pub(super) fn parse(header: &Arc<str>, columns: Range<usize>) -> (Card, Option<String>) {
    let line = &header[columns.clone()];
    let Parts { keyword, content, comment, issue } = parts(line);
    // One that is empty may be no part of the line.
    let from = if comment.is_empty() { 0 } else { (comment.as_ptr() as usize - line.as_ptr() as usize) as u32 };
    let comment = from..from + comment.len() as u32;
    let source = Source { text: header.clone(), columns: columns.start as u32..columns.end as u32 };
    (Card { keyword, content, comment: Comment::Read(comment), source: Some(source) }, issue)
}

/// What a line says; the comment is a part of it.
struct Parts<'a> {
    keyword: String,
    content: Content,
    comment: &'a str,
    issue: Option<String>,
}

fn parts(line: &str) -> Parts<'_> {
    // Characters beyond ASCII are longer than a byte.
    let is_ascii = line.is_ascii();
    let place = |n: usize| if is_ascii { n.min(line.len()) } else { line.char_indices().nth(n).map_or(line.len(), |(i, _)| i) };
    let text_from = |n: usize| &line[place(n)..];
    let keyword = line[..place(8)].trim_end();
    let free = |text: &str| Parts {
        keyword: keyword.to_owned(),
        content: Content::Commentary(text.trim_end().to_owned()),
        comment: "",
        issue: None,
    };
    if keyword == "HIERARCH" {
        let rest = text_from(8);
        // The value indicator of a HIERARCH card is the first `=`; some writers leave out the blank around it.
        let glued = !rest.starts_with(' ');
        if let Some(eq) = rest.bytes().position(|b| b == b'=') {
            let key = super::normal(rest[..eq].trim()).into_owned();
            if !key.is_empty() {
                let (value, comment, issue) = parse_value(&rest[eq + 1..]);
                let issue = issue.or(glued.then(|| "no blank between HIERARCH and the keyword".to_owned()));
                return Parts { keyword: key, content: Content::Value(value), comment, issue };
            }
        }
        return free(rest);
    }
    let indicator = text_from(8).strip_prefix('=');
    let has_indicator = indicator.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if !has_indicator || matches!(keyword, "COMMENT" | "HISTORY" | "" | "CONTINUE") {
        // `KEYWORD ='...'` without the blank is a common slip: read it, and say so.
        let slip = indicator.is_some() && !matches!(keyword, "COMMENT" | "HISTORY" | "" | "CONTINUE" | "END");
        if slip {
            let (value, comment, issue) = parse_value(text_from(9));
            let issue = issue.or(Some("no blank after the value indicator".to_owned()));
            return Parts { keyword: keyword.to_owned(), content: Content::Value(value), comment, issue };
        }
        return free(text_from(8));
    }
    let (value, comment, issue) = parse_value(text_from(10));
    let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let issue = issue.or((!keyword.bytes().all(legal)).then(|| format!("keyword `{keyword}` has characters that FITS does not allow")));
    Parts { keyword: keyword.to_uppercase(), content: Content::Value(value), comment, issue }
}

/// The string of a CONTINUE card and its comment.
fn parse_continue(line: &str) -> Option<(String, &str)> {
    match parse_value(line.strip_prefix("CONTINUE")?) {
        (Value::Text(t), comment, None) => Some((t, comment)),
        _ => None,
    }
}

/// Free-format value and comment (FITS 4.0, section 4.2).
fn parse_value(field: &str) -> (Value, &str, Option<String>) {
    let field = field.trim_start();
    if let Some(mut rest) = field.strip_prefix('\'') {
        let mut text = String::new();
        while let Some(at) = rest.bytes().position(|b| b == b'\'') {
            let (piece, after) = (&rest[..at], &rest[at + 1..]);
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push_str(piece);
                    text.push('\'');
                    rest = more;
                }
                None => {
                    text.push_str(piece.trim_end());
                    text.truncate(text.trim_end().len());
                    return (Value::Text(text), comment_of(after), None);
                }
            }
        }
        text.push_str(rest);
        text.truncate(text.trim_end().len());
        return (Value::Text(text), "", Some("text without a closing quote".to_owned()));
    }
    let (raw, comment) = match field.bytes().position(|b| b == b'/') {
        Some(at) => (field[..at].trim(), comment_of(&field[at..])),
        None => (field.trim(), ""),
    };
    let value = match raw {
        "" => Value::Undefined,
        "T" => Value::Logical(true),
        "F" => Value::Logical(false),
        _ => match parse_number(raw) {
            Some(v) => v,
            None => return (Value::Text(raw.to_owned()), comment, Some(format!("`{raw}` is neither a number nor quoted text"))),
        },
    };
    (value, comment, None)
}

fn comment_of(rest: &str) -> &str {
    let rest = rest.trim_start();
    let text = rest.strip_prefix('/').unwrap_or("");
    text.strip_prefix(' ').unwrap_or(text).trim_end()
}

fn parse_number(raw: &str) -> Option<Value> {
    if let Some(inner) = raw.strip_prefix('(').and_then(|r| r.strip_suffix(')')) {
        let (re, im) = inner.split_once(',')?;
        return Some(Value::Complex(parse_real(re.trim())?, parse_real(im.trim())?));
    }
    let digits = raw.strip_prefix(['+', '-']).unwrap_or(raw);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return raw.parse::<i64>().map(Value::Integer).ok().or_else(|| raw.parse().map(Value::Real).ok());
    }
    parse_real(raw).map(Value::Real)
}

/// A FITS real: like Rust's, with `D` allowed as exponent, without `inf` and `nan`.
fn parse_real(raw: &str) -> Option<f64> {
    if !raw.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'E' | b'e' | b'D' | b'd')) {
        return None;
    }
    match raw.contains(['D', 'd']) {
        true => raw.replace(['D', 'd'], "E").parse().ok(),
        false => raw.parse().ok(),
    }
}

/// A number as FITS text: shortest form that reads back to the same bits.
fn real_text(r: f64) -> String {
    let s = format!("{r:?}");
    match s.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
            format!("{mantissa}E{exponent}")
        }
        None => s,
    }
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

fn format(card: &Card) -> Vec<String> {
    let keyword = &card.keyword;
    let value = match &card.content {
        Content::Commentary(text) => return format_commentary(keyword, &ascii(text)),
        Content::Value(value) => value,
    };
    let hierarchical = card.is_hierarchical();
    let head = if hierarchical { format!("HIERARCH {keyword} = ") } else { format!("{keyword:<8}= ") };
    if head.len() > LONGEST_HEAD {
        // No room for a value of any kind: the standard has no card for it. What it says is kept as text.
        return format_commentary("COMMENT", &ascii(&format!("{head}{value}")));
    }
    let comment = ascii(card.comment());
    let body = match value {
        Value::Logical(b) => (if *b { "T" } else { "F" }).to_owned(),
        Value::Integer(i) => i.to_string(),
        // FITS has no way to write a number that is not finite: the value stays undefined.
        Value::Real(r) if !r.is_finite() => String::new(),
        Value::Real(r) => real_text(*r),
        Value::Complex(re, im) => format!("({}, {})", real_text(*re), real_text(*im)),
        Value::Undefined => String::new(),
        Value::Text(text) => return format_text(&head, &ascii(text), &comment, hierarchical),
    };
    let mut line = if hierarchical { format!("{head}{body}") } else { format!("{head}{body:>20}") };
    push_comment(&mut line, &comment);
    vec![pad(line)]
}

fn push_comment(line: &mut String, comment: &str) {
    let room = CARD.saturating_sub(line.len() + 3);
    if !comment.is_empty() && room > 0 {
        line.push_str(" / ");
        line.push_str(&comment[..comment.len().min(room)]);
    }
}

fn format_commentary(keyword: &str, text: &str) -> Vec<String> {
    let width = CARD - 8;
    let bytes = text.as_bytes();
    let pieces: Vec<&[u8]> = if bytes.is_empty() { vec![&[]] } else { bytes.chunks(width).collect() };
    pieces.iter().map(|p| pad(format!("{keyword:<8}{}", String::from_utf8_lossy(p)))).collect()
}

fn format_text(head: &str, text: &str, comment: &str, hierarchical: bool) -> Vec<String> {
    let quoted = |t: &str| t.replace('\'', "''");
    let body = quoted(text);
    if head.len() + body.len() + 2 <= CARD {
        let mut line = if hierarchical { format!("{head}'{body}'") } else { format!("{head}'{body:<8}'") };
        if line.len() < 30 && !hierarchical {
            line = format!("{line:<30}");
        }
        push_comment(&mut line, comment);
        return vec![pad(line)];
    }
    // Long string: pieces that end in `&`, the last one without (FITS 4.0, 4.2.1.2).
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    let mut prefix = head.to_owned();
    loop {
        let room = CARD - prefix.len() - 3;
        let mut taken = 0;
        let mut width = 0;
        while taken < rest.len() {
            let w = if rest[taken] == '\'' { 2 } else { 1 };
            if width + w > room {
                break;
            }
            width += w;
            taken += 1;
        }
        let piece: String = rest.drain(..taken).collect();
        let more = !rest.is_empty();
        let mut line = format!("{prefix}'{}{}'", quoted(&piece), if more { "&" } else { "" });
        if !more {
            push_comment(&mut line, comment);
        }
        lines.push(pad(line));
        if !more {
            return lines;
        }
        prefix = "CONTINUE  ".to_owned();
    }
}
