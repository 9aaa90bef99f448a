//! From words to an expression, by recursive descent. Types are checked as far as they show.

use ifured_core::header::normalise;

use super::lexer::{Placed, Token, tokens};
use super::{Arithmetic, Comparison, DEEPEST, Expression, FilterError};

type Parsed = Result<Expression, FilterError>;

pub(super) fn parse(text: &str) -> Parsed {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
    if parser.peek() == &Token::End {
        return Err(parser.expected("a comparison such as EXPTIME > 50"));
    }
    let start = parser.at;
    let expression = parser.or()?;
    if parser.peek() != &Token::End {
        let compared = !matches!(kind(&expression), Kind::Any | Kind::Number | Kind::Text);
        let what = if compared { "&&, || or the end" } else { "a comparison (= != < <= > >= like contains in)" };
        return Err(parser.expected(what));
    }
    parser.logical(expression, start)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
}

/// What an expression gives, as far as it can be said before there is a row.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Text,
    Logical,
    Any,
}

fn kind(e: &Expression) -> Kind {
    match e {
        Expression::Number(_) | Expression::Negative(_) | Expression::Arithmetic(..) => Kind::Number,
        Expression::Text(_) => Kind::Text,
        Expression::Key(_) => Kind::Any,
        _ => Kind::Logical,
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(s) if *s == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn skip_symbol(&mut self, symbol: &str) -> bool {
        let is = self.is_symbol(symbol);
        self.at += usize::from(is);
        is
    }

    fn skip_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn error_at(&self, token: usize, what: impl Into<String>) -> FilterError {
        let place = &self.tokens[token];
        FilterError { text: self.text.to_owned(), at: place.at, length: place.length, what: what.into() }
    }

    /// An error that spans from a word to the one before the present.
    fn error_from(&self, token: usize, what: impl Into<String>) -> FilterError {
        let mut error = self.error_at(token, what);
        let last = &self.tokens[self.at.saturating_sub(1).max(token)];
        error.length = last.at + last.length - error.at;
        error
    }

    fn expected(&self, what: &str) -> FilterError {
        let found = match self.peek() {
            Token::End => "it ends here".to_owned(),
            Token::Word(w) | Token::Quoted(w) => format!("`{w}` stands here"),
            Token::Text(_) => "a text stands here".to_owned(),
            Token::Number(n) => format!("the number {n} stands here"),
            Token::Symbol("[") => return self.python_key(),
            Token::Symbol(s) => format!("`{s}` stands here"),
        };
        self.error_at(self.at, format!("{found}, where {what} is expected"))
    }

    /// `k[exptime]`, as filabres writes it.
    fn python_key(&self) -> FilterError {
        let key = match self.tokens.get(self.at + 1).map(|t| &t.token) {
            Some(Token::Word(w) | Token::Quoted(w) | Token::Text(w)) => w.to_uppercase(),
            _ => "KEY".into(),
        };
        let mut error = self.error_at(self.at.saturating_sub(1), format!("a key is written without k[ ]: {key} > 50, {key} contains 'R'"));
        let closing = self.tokens[self.at..].iter().take(3).find(|t| t.token == Token::Symbol("]"));
        if let Some(closing) = closing {
            error.length = closing.at + 1 - error.at;
        }
        error
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, FilterError>) -> Result<T, FilterError> {
        if self.depth >= DEEPEST {
            return Err(self.error_at(self.at, format!("it is nested more than {DEEPEST} deep")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// An expression that must be true or false.
    fn logical(&self, e: Expression, start: usize) -> Parsed {
        match kind(&e) {
            Kind::Logical | Kind::Any => Ok(e),
            Kind::Number => {
                Err(self.error_from(start, "a number is neither true nor false; a comparison is expected, such as EXPTIME > 50"))
            }
            Kind::Text => {
                Err(self.error_from(start, "a text is neither true nor false; a comparison is expected, such as OBJECT like 'M*'"))
            }
        }
    }

    fn chain(&mut self, symbol: &str, word: &str, next: fn(&mut Self) -> Parsed, join: fn(Vec<Expression>) -> Expression) -> Parsed {
        let start = self.at;
        let first = next(self)?;
        if !(self.is_symbol(symbol) || self.is_word(word)) {
            return Ok(first);
        }
        let mut all = vec![self.logical(first, start)?];
        while self.skip_symbol(symbol) || self.skip_word(word) {
            let start = self.at;
            let next = next(self)?;
            all.push(self.logical(next, start)?);
        }
        Ok(join(all))
    }

    fn or(&mut self) -> Parsed {
        self.chain("||", "or", Self::and, Expression::Or)
    }

    fn and(&mut self) -> Parsed {
        self.chain("&&", "and", Self::not, Expression::And)
    }

    fn not(&mut self) -> Parsed {
        if self.skip_symbol("!") || self.skip_word("not") {
            let start = self.at;
            let inner = self.deeper(Self::not)?;
            return Ok(Expression::Not(Box::new(self.logical(inner, start)?)));
        }
        self.comparison()
    }

    fn operator(&mut self) -> Option<Comparison> {
        let comparison = match self.peek() {
            Token::Symbol("=" | "==") => Comparison::Equal,
            Token::Symbol("!=") => Comparison::NotEqual,
            Token::Symbol("<") => Comparison::Less,
            Token::Symbol("<=") => Comparison::LessOrEqual,
            Token::Symbol(">") => Comparison::Greater,
            Token::Symbol(">=") => Comparison::GreaterOrEqual,
            Token::Word(w) if w.eq_ignore_ascii_case("like") => Comparison::Like,
            Token::Word(w) if w.eq_ignore_ascii_case("contains") => Comparison::Contains,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn comparison(&mut self) -> Parsed {
        let start = self.at;
        let left = self.sum()?;
        let not_at = self.at;
        let negated = self.skip_word("not");
        let found = if self.skip_word("in") {
            self.list(left, start)?
        } else if let Some(comparison) = self.operator() {
            if negated && !matches!(comparison, Comparison::Like | Comparison::Contains) {
                return Err(self.error_at(not_at, "`not` goes before a whole comparison, or before like, contains and in"));
            }
            self.compared(left, comparison, start)?
        } else if negated {
            return Err(self.expected("like, contains or in"));
        } else {
            return Ok(left);
        };
        let chained = self.at;
        if self.operator().is_some() {
            return Err(self.error_at(chained, "comparisons do not chain: write 10 < EXPTIME && EXPTIME < 50"));
        }
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn compared(&mut self, left: Expression, comparison: Comparison, start: usize) -> Parsed {
        let right_at = self.at;
        let right = self.sum()?;
        let text_only = matches!(comparison, Comparison::Like | Comparison::Contains);
        let left = self.key_in_quotes(left, &right, start)?;
        if text_only && kind(&right) != Kind::Text && !matches!(right, Expression::Key(_)) {
            return Err(self.error_from(right_at, "a text in quotes is expected here"));
        }
        if text_only && !matches!(kind(&left), Kind::Text | Kind::Any) {
            return Err(self.error_from(start, "only text can be compared like this"));
        }
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual) && !text_only;
        if ordered && [&left, &right].iter().any(|e| kind(e) == Kind::Logical) {
            return Err(self.error_from(start, "true and false have no order; they compare with = and !="));
        }
        let (a, b) = (kind(&left), kind(&right));
        if a != Kind::Any && b != Kind::Any && a != b {
            return Err(self.error_from(start, "text, numbers and true/false do not compare with each other"));
        }
        Ok(Expression::Compare(comparison, Box::new(left), Box::new(right)))
    }

    /// `"ESO DPR CATG" = 'FLAT'`: of two texts the left one is a key.
    fn key_in_quotes(&self, left: Expression, right: &Expression, start: usize) -> Parsed {
        match left {
            Expression::Text(name) if !matches!(right, Expression::Key(_)) => self.key(&name, start).map(Expression::Key),
            other => Ok(other),
        }
    }

    fn list(&mut self, left: Expression, start: usize) -> Parsed {
        if !self.is_symbol("(") {
            if let (Expression::Text(text), Token::Word(key) | Token::Quoted(key)) = (&left, self.peek()) {
                let key = match self.tokens.get(self.at + 2).map(|t| &t.token) {
                    Some(Token::Word(w) | Token::Quoted(w) | Token::Text(w)) if self.tokens[self.at + 1].token == Token::Symbol("[") => w,
                    _ => key,
                };
                return Err(self.error_at(self.at - 1, format!("this is written {} contains '{text}'", key.to_uppercase())));
            }
            return Err(self.expected("a list in parentheses, such as ('a', 'b'),"));
        }
        self.at += 1;
        let mut items = Vec::new();
        loop {
            let negative = self.skip_symbol("-");
            items.push(match self.peek().clone() {
                Token::Number(n) => Expression::Number(if negative { -n } else { n }),
                Token::Text(t) if !negative => Expression::Text(t.trim_end().to_owned()),
                Token::Word(w) if !negative && w.eq_ignore_ascii_case("true") => Expression::Logical(true),
                Token::Word(w) if !negative && w.eq_ignore_ascii_case("false") => Expression::Logical(false),
                _ => return Err(self.expected("a text in quotes or a number")),
            });
            self.at += 1;
            if self.skip_symbol(")") {
                break;
            }
            if !self.skip_symbol(",") {
                return Err(self.expected("a comma or )"));
            }
        }
        let left = self.key_in_quotes(left, &Expression::Logical(true), start)?;
        Ok(Expression::In(Box::new(left), items))
    }

    fn arithmetic(&mut self, next: fn(&mut Self) -> Parsed, symbols: [(&str, Arithmetic); 2]) -> Parsed {
        let start = self.at;
        let mut left = next(self)?;
        for terms in 1.. {
            let Some((_, operation)) = symbols.iter().find(|(s, _)| self.is_symbol(s)) else { break };
            if terms > DEEPEST {
                return Err(self.error_at(self.at, format!("there are more than {DEEPEST} terms")));
            }
            self.at += 1;
            let right_at = self.at;
            let right = next(self)?;
            for (side, at) in [(&left, start), (&right, right_at)] {
                if !matches!(kind(side), Kind::Number | Kind::Any) {
                    return Err(self.error_from(at, "only numbers can be calculated with"));
                }
            }
            left = Expression::Arithmetic(*operation, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed {
        self.arithmetic(Self::product, [("+", Arithmetic::Add), ("-", Arithmetic::Subtract)])
    }

    fn product(&mut self) -> Parsed {
        self.arithmetic(Self::unary, [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide)])
    }

    fn unary(&mut self) -> Parsed {
        if self.skip_symbol("-") {
            let start = self.at;
            let inner = self.deeper(Self::unary)?;
            if !matches!(kind(&inner), Kind::Number | Kind::Any) {
                return Err(self.error_from(start, "only numbers can be negative"));
            }
            return Ok(Expression::Negative(Box::new(inner)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at;
        let expression = match self.peek().clone() {
            Token::Number(n) => Expression::Number(n),
            Token::Text(t) => Expression::Text(t.trim_end().to_owned()),
            Token::Quoted(k) => Expression::Key(self.key(&k, at)?),
            Token::Word(w) => match w.to_ascii_lowercase().as_str() {
                "true" => Expression::Logical(true),
                "false" => Expression::Logical(false),
                "missing" => return self.missing(),
                "and" | "or" | "not" | "in" | "like" | "contains" => return Err(self.expected("a key, a number or a text")),
                _ => Expression::Key(self.key(&w, at)?),
            },
            Token::Symbol("(") => {
                self.at += 1;
                let inner = self.deeper(Self::or)?;
                if !self.is_symbol(")") {
                    return Err(self.expected(")"));
                }
                inner
            }
            _ => return Err(self.expected("a key, a number or a text")),
        };
        self.at += 1;
        if self.is_symbol("[") {
            return Err(self.python_key());
        }
        Ok(expression)
    }

    fn missing(&mut self) -> Parsed {
        self.at += 1;
        if !self.skip_symbol("(") {
            return Err(self.expected("a key in parentheses, as in missing(EXPTIME),"));
        }
        let (Token::Word(key) | Token::Quoted(key) | Token::Text(key)) = self.peek().clone() else {
            return Err(self.expected("a key"));
        };
        let key = self.key(&key, self.at)?;
        self.at += 1;
        if !self.skip_symbol(")") {
            return Err(self.expected(")"));
        }
        Ok(Expression::Missing(key))
    }

    /// A key as headers know it.
    fn key(&self, written: &str, token: usize) -> Result<String, FilterError> {
        let mut key = written.to_owned();
        loop {
            let shorter = normalise(&key);
            if shorter == key {
                break;
            }
            key = shorter;
        }
        if key.is_empty() || key.contains('`') {
            return Err(self.error_at(token, "this is no key"));
        }
        Ok(key)
    }
}
