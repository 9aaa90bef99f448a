//! The part of a schema that speaks of one key, and what it wants in words.

use serde_json::Value;

use super::schema::number;

/// The schema at a path of keys, references followed; of several alternatives the first that has the key.
pub fn schema_at<'a>(root: &'a Value, path: &[String]) -> Option<&'a Value> {
    let mut at = resolved(root, root);
    for key in path {
        at = resolved(root, step(root, at, key)?);
    }
    Some(at)
}

fn step<'a>(root: &'a Value, at: &'a Value, key: &str) -> Option<&'a Value> {
    let own = at["properties"].get(key).or_else(|| {
        let other = if key.parse::<usize>().is_ok() && at.get("items").is_some() { "items" } else { "additionalProperties" };
        at.get(other).filter(|s| s.is_object())
    });
    own.or_else(|| alternatives(at).find_map(|option| step(root, resolved(root, option), key)))
}

/// Follows references; a key beside a reference says no more than a description.
pub fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut at = schema;
    // References that lead in a circle have no meaning; a few steps are enough for all others.
    for _ in 0..8 {
        match at["$ref"].as_str().and_then(|r| root.pointer(r.strip_prefix('#')?)) {
            Some(target) => at = target,
            None => break,
        }
    }
    at
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|k| schema.get(k)?.as_array()).flatten()
}

/// The keys of a table.
pub fn keys(root: &Value, table: &Value) -> Vec<String> {
    let own = table["properties"].as_object().into_iter().flat_map(|p| p.keys().cloned());
    own.chain(alternatives(table).flat_map(|o| keys(root, resolved(root, o)))).collect()
}

/// The values that are allowed, if they can be counted.
pub fn constants(root: &Value, schema: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let own = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const")).map(text);
    own.chain(alternatives(schema).flat_map(|o| constants(root, resolved(root, o)))).collect()
}

/// What a key wants: `a number in days of at least 0, for example 3`.
pub fn wants(root: &Value, schema: &Value) -> String {
    let unit = schema["x-unit"].as_str().filter(|u| *u != "1").map(|u| format!(" in {u}")).unwrap_or_default();
    let what = format!("{}{unit}{}", kind(root, schema), range(schema));
    let scalar = matches!(schema["type"].as_str(), Some("number" | "integer" | "string" | "array")) && schema.get("enum").is_none();
    let example = schema["examples"].get(0).or(schema.get("default")).filter(|e| scalar && !e.is_null());
    match example {
        Some(example) => format!("{what}, for example {}", number(example)),
        None => what,
    }
}

fn kind(root: &Value, schema: &Value) -> String {
    let forms: Vec<String> =
        alternatives(schema).filter_map(|o| resolved(root, o)["required"][0].as_str().map(|key| format!("{{ {key} = … }}"))).collect();
    let constants: Vec<String> = constants(root, schema).iter().map(|c| format!("`{c}`")).chain(forms).collect();
    if !constants.is_empty() {
        return if let [one] = constants.as_slice() { one.clone() } else { format!("one of {}", constants.join(", ")) };
    }
    let one = |name: &str| match name {
        "boolean" => "true or false".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "string" => "a text in quotes".to_owned(),
        "null" => "null".to_owned(),
        "array" => match schema["items"]["type"].as_str() {
            Some("string") => "a list of texts".to_owned(),
            Some("number" | "integer") => "a list of numbers".to_owned(),
            _ if keys(root, resolved(root, &schema["items"])).is_empty() => "a list".to_owned(),
            _ => "a list of tables".to_owned(),
        },
        _ => "a table".to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or "),
        _ => "something else".to_owned(),
    }
}

fn range(schema: &Value) -> String {
    let limit = |key: &str| schema.get(key).filter(|v| v.is_number()).map(number);
    match (limit("minimum"), limit("maximum")) {
        (Some(low), Some(high)) => format!(" from {low} to {high}"),
        _ => {
            let limits =
                [("minimum", "at least"), ("exclusiveMinimum", "more than"), ("maximum", "at most"), ("exclusiveMaximum", "less than")];
            let words: Vec<String> = limits.iter().filter_map(|(k, w)| Some(format!("{w} {}", limit(k)?))).collect();
            if words.is_empty() { String::new() } else { format!(" of {}", words.join(" and ")) }
        }
    }
}
