//! Finds the keys of a schema that its author has not documented.

use serde_json::Value;

/// How much documentation is demanded of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Title, description, type and default: what a plugin must have.
    Basic,
    /// Also an example, and for numbers a range and a unit that the description names: what is built in.
    Full,
}

/// What is missing in a schema, one line a key: `recipes.master-bias.clip_sigma: no unit`. Definitions are followed.
pub fn undocumented(schema: &Value, demand: Demand) -> Vec<String> {
    let mut missing = Vec::new();
    walk(schema, schema, "", demand, &mut Vec::new(), &mut missing);
    missing
}

fn walk(root: &Value, schema: &Value, at: &str, demand: Demand, followed: &mut Vec<String>, missing: &mut Vec<String>) {
    let Some(map) = schema.as_object() else { return };
    if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
        if followed.iter().any(|f| f == reference) {
            return;
        }
        match reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            Some(target) => {
                followed.push(reference.to_owned());
                walk(root, target, at, demand, followed, missing);
                followed.pop();
            }
            None => missing.push(format!("{at}: its reference {reference} leads nowhere")),
        }
    }
    let required: Vec<&str> = map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let table = is_table(root, property);
        let mut want = lacks(property, table, required.contains(&name.as_str()), demand);
        if !want.is_empty() {
            want.sort_unstable();
            missing.push(format!("{key}: no {}", want.join(", no ")));
        }
        walk(root, property, &key, demand, followed, missing);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = map.get(inner) {
            walk(root, inner, &format!("{at}[]"), demand, followed, missing);
        }
    }
    for option in ["oneOf", "anyOf", "allOf"].iter().filter_map(|k| map.get(*k)?.as_array()).flatten() {
        walk(root, option, at, demand, followed, missing);
    }
}

/// Whether a key is a table of documented keys, whose values have defaults of their own.
fn is_table(root: &Value, property: &Value) -> bool {
    let target = property["$ref"].as_str().and_then(|r| root.pointer(r.strip_prefix('#')?)).unwrap_or(property);
    target.get("properties").is_some() || (target["type"] == "object" && target["additionalProperties"].is_object())
}

fn lacks(property: &Value, table: bool, required: bool, demand: Demand) -> Vec<&'static str> {
    let text = |key: &str| property[key].as_str().unwrap_or_default();
    let mut lacks = Vec::new();
    if text("title").is_empty() {
        lacks.push("title");
    }
    if text("description").trim().is_empty() {
        lacks.push("description");
    }
    if table {
        return lacks;
    }
    let typed = ["type", "enum", "const", "oneOf", "anyOf"].iter().any(|k| property.get(*k).is_some());
    if !typed {
        lacks.push("type");
    }
    let has_default = property.get("default").is_some_and(|d| !d.is_null()) || !text("x-default").is_empty();
    if !has_default && !required {
        lacks.push("default");
    }
    if demand == Demand::Basic {
        return lacks;
    }
    if property["examples"].as_array().is_none_or(Vec::is_empty) {
        lacks.push("example");
    }
    if matches!(text("type"), "number" | "integer") {
        if !["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].iter().any(|k| property[*k].is_number()) {
            lacks.push("range");
        }
        let unit = text("x-unit");
        if unit.is_empty() {
            lacks.push("unit");
        } else if unit != "1" && !text("description").contains(unit) {
            lacks.push("unit in the description");
        }
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_named_key_by_key() {
        let schema = json!({
            "properties": {
                "good": {
                    "title": "Good", "type": "number", "minimum": 0, "default": 1, "examples": [1], "x-unit": "ADU",
                    "description": "A level.\n\nUnit: ADU."
                },
                "bare": {"type": "integer"},
                "inner": {"title": "Inner", "description": "A table.", "$ref": "#/$defs/Inner"},
                "lost": {"title": "Lost", "description": "A table.", "$ref": "#/$defs/Nothing"},
                "list": {"title": "List", "description": "A list.", "type": "array", "default": [], "items": {"$ref": "#/$defs/Inner"}}
            },
            "$defs": {"Inner": {
                "type": "object",
                "required": ["must"],
                "properties": {
                    "must": {"title": "Must", "description": "A text.", "type": "string"},
                    "may": {"title": "May", "description": "A number.", "type": "number", "x-unit": "hours", "default": 1, "minimum": 1}
                }
            }}
        });
        assert_eq!(
            undocumented(&schema, Demand::Full),
            [
                "bare: no default, no description, no example, no range, no title, no unit",
                "inner.must: no example",
                "inner.may: no example, no unit in the description",
                "lost: no default, no example, no type",
                "lost: its reference #/$defs/Nothing leads nowhere",
                "list: no example",
                "list[].must: no example",
                "list[].may: no example, no unit in the description",
            ]
        );
        let basic = undocumented(&schema, Demand::Basic);
        assert_eq!(basic.iter().filter(|m| m.contains("bare")).collect::<Vec<_>>(), ["bare: no default, no description, no title"]);
        assert!(!basic.iter().any(|m| m.contains("good") || m.contains("may")), "{basic:?}");
    }
}
