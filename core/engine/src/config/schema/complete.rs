//! Makes a schema complete and plain: what an author need not write is filled in (title, example, default in words), and what
//! Rust types become (`anyOf` with null, `oneOf` of constants, references to an enumeration) is said as a person would.

use serde_json::{Map, Value, json};

/// Completes all keys of a schema, those of its definitions too, and drops the definitions that nothing uses.
pub fn complete(schema: &mut Value) {
    let definitions = schema["$defs"].clone();
    visit(schema, &definitions);
    drop_unused(schema);
}

/// Takes null from the types of all keys: who sets nothing leaves the key out.
pub fn nothing_is_null(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    for all in ["properties", "$defs"].iter().filter_map(|k| map.get(*k).is_some().then_some(*k)).collect::<Vec<_>>() {
        for property in map.get_mut(all).and_then(Value::as_object_mut).into_iter().flat_map(|m| m.values_mut()) {
            without_null(property);
            nothing_is_null(property);
        }
    }
}

fn visit(schema: &mut Value, definitions: &Value) {
    let Some(map) = schema.as_object_mut() else { return };
    for (name, property) in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        inline(property, definitions);
        without_null(property);
        enumerate(property);
        inline_one(property, definitions);
        enumerate(property);
        fill_in(name, property);
        say_in_words(property);
    }
    for (key, inner) in map.iter_mut() {
        match (key.as_str(), inner) {
            ("properties" | "$defs" | "patternProperties", Value::Object(all)) => all.values_mut().for_each(|v| visit(v, definitions)),
            ("items" | "additionalProperties", inner) => {
                enumerate(inner);
                visit(inner, definitions);
            }
            ("oneOf" | "anyOf" | "allOf", Value::Array(all)) => {
                all.iter_mut().for_each(|v| {
                    describe_only_key(v);
                    visit(v, definitions);
                });
            }
            _ => {}
        }
    }
}

/// The documentation of a variant with values is that of the one key that names it.
fn describe_only_key(variant: &mut Value) {
    let Some(text) = variant.get("description").cloned() else { return };
    if let Some(keys) = variant.get_mut("properties").and_then(Value::as_object_mut)
        && keys.len() == 1
    {
        for map in keys.values_mut().filter_map(Value::as_object_mut) {
            map.entry("description").or_insert_with(|| text.clone());
        }
    }
}

/// Puts a definition in the place of its reference if it is a single value: then key and value are documented together.
fn inline(property: &mut Value, definitions: &Value) {
    let Some(map) = property.as_object_mut() else { return };
    let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) else { return };
    let Some(target) = definitions.get(name).and_then(Value::as_object) else { return };
    if target.contains_key("properties") {
        map.remove("default");
        return;
    }
    let target = target.clone();
    map.remove("$ref");
    for (key, value) in target {
        map.entry(key).or_insert(value);
    }
}

fn inline_one(property: &mut Value, definitions: &Value) {
    if property.get("$ref").is_some() {
        inline(property, definitions);
    }
}

/// A key that may be left out need not be allowed to be null, unless null is not what its absence means.
fn without_null(property: &mut Value) {
    let Some(map) = property.as_object_mut() else { return };
    if map.get("default").is_some_and(|d| !d.is_null()) {
        return;
    }
    map.remove("default");
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(options)) = map.get_mut("anyOf") {
        options.retain(|o| o["type"] != "null");
        if let [Value::Object(one)] = options.as_slice() {
            let one = one.clone();
            map.remove("anyOf");
            for (key, value) in one {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// An enumeration of documented constants (`oneOf`) as `enum` with the documentation beside it, which editors show and which
/// gives one plain error.
fn enumerate(property: &mut Value) {
    let Some(map) = property.as_object_mut() else { return };
    let Some(Value::Array(options)) = map.get("oneOf") else { return };
    let mut values: Vec<Value> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for option in options {
        let text = option["description"].as_str().unwrap_or_default().to_owned();
        let of_option = match (option.get("const"), option.get("enum")) {
            (Some(one), _) => vec![one.clone()],
            (None, Some(Value::Array(some))) => some.clone(),
            _ => return,
        };
        texts.extend(of_option.iter().map(|_| text.clone()));
        values.extend(of_option);
    }
    map.remove("oneOf");
    map.insert("type".into(), json!("string"));
    map.insert("enum".into(), json!(values));
    map.insert("enumDescriptions".into(), json!(texts));
}

/// What an author need not write.
fn fill_in(name: &str, property: &mut Value) {
    let Some(map) = property.as_object_mut() else { return };
    // `double`, `uint`: of Rust, not of JSON Schema; editors would warn of them.
    map.remove("format");
    if !map.contains_key("title") {
        map.insert("title".into(), json!(title(name)));
    }
    if map.contains_key("properties") || map.contains_key("$ref") {
        return;
    }
    if !map.contains_key("examples") {
        let default = map.get("default").filter(|d| !d.is_null() && !is_empty(d));
        let first = map.get("enum").and_then(|e| e.get(0));
        if let Some(example) = default.or(first).cloned() {
            map.insert("examples".into(), json!([example]));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty) || value.as_str() == Some("")
}

/// `clip_sigma` as `Clip sigma`.
fn title(name: &str) -> String {
    let words = name.trim_start_matches('$').replace(['_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map(|c| c.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// Puts values, unit, range and default into the description: it is all that editors show.
fn say_in_words(property: &mut Value) {
    let Some(map) = property.as_object_mut() else { return };
    if map.contains_key("properties") || map.contains_key("$ref") {
        return;
    }
    let mut facts = Vec::new();
    match map.get("x-unit").and_then(Value::as_str) {
        Some("1") => facts.push("Unit: none.".to_owned()),
        Some(unit) => facts.push(format!("Unit: {unit}.")),
        None => {}
    }
    let limits = [("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"), ("exclusiveMaximum", "below")];
    let limits: Vec<String> = limits.iter().filter_map(|(k, words)| Some(format!("{words} {}", number(map.get(*k)?)))).collect();
    if !limits.is_empty() {
        facts.push(format!("Range: {}.", limits.join(", ")));
    }
    match (map.get("default"), map.get("x-default").and_then(Value::as_str)) {
        (Some(list), _) if list.as_array().is_some_and(|l| !l.is_empty()) => facts.push("Default: that of the instrument.".to_owned()),
        (Some(value), _) => facts.push(format!("Default: {}.", number(value))),
        (None, Some(words)) => facts.push(format!("Default: {words}.")),
        (None, None) => {}
    }
    if let Some(Value::String(description)) = map.get_mut("description")
        && !facts.is_empty()
    {
        *description = format!("{}\n\n{}", description.trim_end(), facts.join(" "));
    }
}

/// A value as a person writes it: `4`, not `4.0`.
pub fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(real) if !value.is_i64() && !value.is_u64() && real.fract() == 0.0 && real.abs() < 1e15 => format!("{real:.0}"),
        _ => value.to_string(),
    }
}

fn drop_unused(schema: &mut Value) {
    loop {
        let text = schema.to_string();
        let Some(definitions) = schema["$defs"].as_object_mut() else { return };
        let before = definitions.len();
        definitions.retain(|name, _| text.contains(&format!("\"#/$defs/{name}\"")));
        if definitions.is_empty() {
            if let Some(root) = schema.as_object_mut() {
                root.remove("$defs");
            }
            return;
        }
        if definitions.len() == before {
            return;
        }
    }
}
