//! A filter as text that reads back as the same filter.

use std::fmt::{self, Display, Formatter};

use super::lexer::is_bare;
use super::{Arithmetic, Comparison, Expression, Filter};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl Comparison {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Like => "like",
            Comparison::Contains => "contains",
        }
    }
}

impl Arithmetic {
    fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
        }
    }
}

/// Words that mean something else when they stand alone.
const RESERVED: &[&str] = &["AND", "OR", "NOT", "IN", "LIKE", "CONTAINS", "TRUE", "FALSE", "MISSING"];

struct Key<'a>(&'a str);

impl Display for Key<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_bare(self.0) && !RESERVED.contains(&self.0) { f.write_str(self.0) } else { write!(f, "`{}`", self.0) }
    }
}

/// How tightly an expression holds together: or, and, not, comparison, sum, product, sign, one word.
fn strength(e: &Expression) -> u8 {
    match e {
        Expression::Or(_) => 0,
        Expression::And(_) => 1,
        Expression::Not(_) => 2,
        Expression::Compare(..) | Expression::In(..) => 3,
        Expression::Arithmetic(Arithmetic::Add | Arithmetic::Subtract, ..) => 4,
        Expression::Arithmetic(..) => 5,
        Expression::Negative(_) => 6,
        _ => 7,
    }
}

/// An expression, in parentheses if it holds together less than its surroundings need.
struct Inside<'a>(&'a Expression, u8);

impl Display for Inside<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if strength(self.0) < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

fn joined(f: &mut Formatter<'_>, all: &[Expression], between: &str, needed: u8) -> fmt::Result {
    for (n, e) in all.iter().enumerate() {
        if n > 0 {
            f.write_str(between)?;
        }
        Inside(e, needed).fmt(f)?;
    }
    Ok(())
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Number(n) if n.fract() == 0.0 && n.abs() < 1e15 => write!(f, "{n}"),
            Expression::Number(n) => write!(f, "{n:?}"),
            Expression::Text(t) => write!(f, "'{}'", t.replace('\'', "''")),
            Expression::Logical(b) => write!(f, "{b}"),
            Expression::Key(k) => Key(k).fmt(f),
            Expression::Missing(k) => write!(f, "missing({})", Key(k)),
            Expression::Negative(a) => write!(f, "-{}", Inside(a, 6)),
            Expression::Arithmetic(o, a, b) => {
                let own = strength(self);
                write!(f, "{} {} {}", Inside(a, own), o.symbol(), Inside(b, own + 1))
            }
            Expression::Compare(c, a, b) => write!(f, "{} {} {}", Inside(a, 4), c.symbol(), Inside(b, 4)),
            Expression::In(a, list) => {
                write!(f, "{} in (", Inside(a, 4))?;
                joined(f, list, ", ", 0)?;
                f.write_str(")")
            }
            Expression::Not(a) => write!(f, "!{}", Inside(a, 7)),
            Expression::And(all) => joined(f, all, " && ", 2),
            Expression::Or(all) => joined(f, all, " || ", 1),
        }
    }
}
