//! What a filter says of a row.

use std::cmp::Ordering;

use ifured_core::Value;
use ifured_core::rule::like;

use super::{Arithmetic, Comparison, Expression};

/// What a filter says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It holds.
    Holds,
    /// It does not hold.
    Fails,
    /// It cannot be said, for this reason; the row is not selected.
    Unknown(String),
}

impl Judgement {
    fn of(holds: bool) -> Self {
        if holds { Judgement::Holds } else { Judgement::Fails }
    }
}

type Found<'a> = &'a dyn Fn(&str) -> Option<Value>;

pub(super) fn judge(e: &Expression, row: Found<'_>) -> Judgement {
    match e {
        Expression::Or(all) => join(all, row, Judgement::Holds, Judgement::Fails),
        Expression::And(all) => join(all, row, Judgement::Fails, Judgement::Holds),
        Expression::Not(a) => match judge(a, row) {
            Judgement::Holds => Judgement::Fails,
            Judgement::Fails => Judgement::Holds,
            unknown => unknown,
        },
        Expression::Missing(key) => Judgement::of(find(key, row).is_none()),
        Expression::Compare(comparison, a, b) => match (value(a, row), value(b, row)) {
            (Ok(left), Ok(right)) => compare(*comparison, &left, &right, (a, b)),
            (Err(why), _) | (_, Err(why)) => Judgement::Unknown(why),
        },
        Expression::In(a, list) => match value(a, row) {
            Err(why) => Judgement::Unknown(why),
            Ok(left) => within(&left, a, list, row),
        },
        _ => match value(e, row) {
            Ok(Value::Logical(b)) => Judgement::of(b),
            Ok(other) => Judgement::Unknown(mistyped(e, &other, "a logical")),
            Err(why) => Judgement::Unknown(why),
        },
    }
}

/// Kleene's strong logic: `deciding` wins over all, unknown over `neutral`.
fn join(all: &[Expression], row: Found<'_>, deciding: Judgement, neutral: Judgement) -> Judgement {
    let mut result = neutral;
    for e in all {
        match judge(e, row) {
            found if found == deciding => return found,
            unknown @ Judgement::Unknown(_) if !matches!(result, Judgement::Unknown(_)) => result = unknown,
            _ => {}
        }
    }
    result
}

/// The first of the list that is equal decides; if none is and some cannot be compared, nothing is known.
fn within(left: &Value, a: &Expression, list: &[Expression], row: Found<'_>) -> Judgement {
    let mut result = Judgement::Fails;
    let mut comparable = false;
    for item in list {
        let Ok(right) = value(item, row) else { continue };
        match compare(Comparison::Equal, left, &right, (a, item)) {
            Judgement::Holds => return Judgement::Holds,
            Judgement::Fails => comparable = true,
            unknown => result = unknown,
        }
    }
    if comparable { Judgement::Fails } else { result }
}

/// The value of a key. A key with dots is looked for as it is, then with blanks: `ESO.DPR.CATG`.
fn find(key: &str, row: Found<'_>) -> Option<Value> {
    let there = |v: &Value| *v != Value::Undefined;
    let found = row(key).filter(there);
    if found.is_some() || !key.contains('.') {
        return found;
    }
    row(&key.replace('.', " ")).filter(there)
}

fn value(e: &Expression, row: Found<'_>) -> Result<Value, String> {
    match e {
        Expression::Number(n) => Ok(Value::Real(*n)),
        Expression::Text(t) => Ok(Value::Text(t.clone())),
        Expression::Logical(b) => Ok(Value::Logical(*b)),
        Expression::Key(key) => find(key, row).ok_or_else(|| format!("{key} is missing")),
        Expression::Negative(a) => number(a, row).map(|n| Value::Real(-n)),
        Expression::Arithmetic(operation, a, b) => {
            let (x, y) = (number(a, row)?, number(b, row)?);
            let result = match operation {
                Arithmetic::Add => x + y,
                Arithmetic::Subtract => x - y,
                Arithmetic::Multiply => x * y,
                Arithmetic::Divide => x / y,
            };
            if result.is_finite() { Ok(Value::Real(result)) } else { Err(format!("{e} is no finite number")) }
        }
        // Anything else is true, false or unknown.
        _ => match judge(e, row) {
            Judgement::Holds => Ok(Value::Logical(true)),
            Judgement::Fails => Ok(Value::Logical(false)),
            Judgement::Unknown(why) => Err(why),
        },
    }
}

fn number(e: &Expression, row: Found<'_>) -> Result<f64, String> {
    let found = value(e, row)?;
    found.as_real().ok_or_else(|| mistyped(e, &found, "a number"))
}

fn mistyped(e: &Expression, found: &Value, wanted: &str) -> String {
    format!("{e} must be {wanted}, but is {} `{found}`", found.kind())
}

fn compare(comparison: Comparison, left: &Value, right: &Value, from: (&Expression, &Expression)) -> Judgement {
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => {
            let (a, b) = (a.trim_end().to_lowercase(), b.trim_end().to_lowercase());
            match comparison {
                Comparison::Like => return Judgement::of(like(&b, &a)),
                Comparison::Contains => return Judgement::of(a.contains(&b)),
                _ => Some(a.cmp(&b)),
            }
        }
        (Value::Logical(a), Value::Logical(b)) if matches!(comparison, Comparison::Equal | Comparison::NotEqual) => Some(a.cmp(b)),
        _ => match (left.as_real(), right.as_real()) {
            (Some(a), Some(b)) if !matches!(comparison, Comparison::Like | Comparison::Contains) => a.partial_cmp(&b),
            _ => return Judgement::Unknown(unlike(comparison, left, right, from)),
        },
    };
    let Some(order) = order else { return Judgement::Unknown(format!("{} is not a number", from.0)) };
    Judgement::of(match comparison {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
        Comparison::Like | Comparison::Contains => false,
    })
}

/// Two values that do not compare: the key is to blame, if one side is one.
fn unlike(comparison: Comparison, left: &Value, right: &Value, (a, b): (&Expression, &Expression)) -> String {
    let wanted = |v: &Value| match v {
        Value::Text(_) => "text",
        Value::Logical(_) => "a logical",
        _ => "a number",
    };
    let text = matches!(comparison, Comparison::Like | Comparison::Contains);
    match (a, b) {
        (Expression::Key(_), _) if !text || left.as_text().is_none() => mistyped(a, left, if text { "text" } else { wanted(right) }),
        _ => mistyped(b, right, if text { "text" } else { wanted(left) }),
    }
}
