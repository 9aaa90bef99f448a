//! The parameters of a recipe, as esorex knows them, and the JSON Schema made of them.
//!
//! `esorex --create-config=FILE.json RECIPE` (from 3.13 on) is the only answer of esorex that has names, types, defaults, choices, ranges and
//! help together. A plugin ships what it said of one version of the pipeline ([`RecipeParameters`], a JSON file), so that the
//! configuration is the same on machines without esorex. `cargo run -p ifured-eso --example parameters` writes such a file.

use ifured_core::{RecipeDescription, RecipeError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Type of a parameter, in the words of esorex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// True or false.
    Bool,
    /// An integer.
    Int,
    /// A real number.
    Double,
    /// Text.
    String,
}

/// One parameter of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name on the command line.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Its default.
    pub default: Value,
    /// What the recipe says of it.
    pub help: String,
    /// The values that are allowed; none allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// Smallest value, where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest value, where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Unit, where known; the pipeline states none in a form that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// The parameters of the recipes of one pipeline: the file that a plugin ships.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeParameters {
    /// The pipeline: `MUSE`.
    pub pipeline: String,
    /// Its version: `2.8.7`.
    pub version: String,
    /// Where this comes from.
    pub source: String,
    /// The recipes with their parameters, in their own order.
    pub recipes: Map<String, Value>,
}

impl RecipeParameters {
    /// Reads a file of parameters from its text.
    ///
    /// # Errors
    /// If it is not such a file.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        serde_json::from_str(text)
            .map_err(|e| RecipeError::new(format!("file of parameters: {e}"), "write it with the example `parameters`"))
    }

    /// The parameters of a recipe.
    ///
    /// # Errors
    /// If the file has none of it.
    pub fn of(&self, recipe: &str) -> Result<Vec<Parameter>, RecipeError> {
        let found = self.recipes.get(recipe).cloned().unwrap_or_default();
        serde_json::from_value(found).map_err(|e| {
            let what = format!("parameters of {recipe} in the file of {} {}: {e}", self.pipeline, self.version);
            RecipeError::new(what, "write the file again with the example `parameters`, with this recipe")
        })
    }
}

/// One parameter as esorex writes it.
#[derive(Deserialize)]
struct Described {
    value: Value,
    valtype: ParameterType,
    #[serde(default)]
    valenum: Vec<Value>,
    valmin: Option<f64>,
    valmax: Option<f64>,
    display_name: String,
    #[serde(default)]
    description: String,
}

/// The parameters in a file that esorex wrote.
pub(super) fn parse(text: &str) -> Result<Vec<Parameter>, String> {
    let described: Vec<Described> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let parameter = |d: Described| Parameter {
        name: d.display_name,
        kind: d.valtype,
        default: d.value,
        help: d.description.split_whitespace().collect::<Vec<_>>().join(" "),
        choices: d.valenum,
        minimum: d.valmin,
        maximum: d.valmax,
        unit: None,
    };
    Ok(described.into_iter().map(parameter).collect())
}

/// JSON Schema of a recipe's parameters (Draft 2020-12, as schemars makes it of a struct), without the hidden ones.
pub fn schema(recipe: &str, parameters: &[Parameter], hidden: &[&str]) -> Value {
    let shown = parameters.iter().filter(|p| !hidden.contains(&p.name.as_str()));
    let properties: Map<String, Value> = shown.map(|p| (p.name.clone(), property(p))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": recipe,
        "description": format!("Parameters of ESO's recipe {recipe}."),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Adds a parameter of ours to those of ESO's recipe, with its schema, which has the default.
pub fn add(description: &mut RecipeDescription, name: &str, property: &Value) {
    for engine in &mut description.engines {
        engine.schema["properties"][name] = property.clone();
        engine.defaults[name] = property["default"].clone();
    }
}

/// The defaults of a recipe's parameters, without the hidden ones.
pub fn defaults(parameters: &[Parameter], hidden: &[&str]) -> Value {
    let shown = parameters.iter().filter(|p| !hidden.contains(&p.name.as_str()));
    Value::Object(shown.map(|p| (p.name.clone(), p.default.clone())).collect())
}

fn property(parameter: &Parameter) -> Value {
    let mut out = Map::new();
    let kind = match parameter.kind {
        ParameterType::Bool => "boolean",
        ParameterType::Int => "integer",
        ParameterType::Double => "number",
        ParameterType::String => "string",
    };
    let unit = parameter.unit.as_deref().unwrap_or("1");
    let help = if parameter.help.is_empty() { format!("Parameter {} of the recipe.", parameter.name) } else { parameter.help.clone() };
    let told = unit == "1" || help.contains(unit);
    out.insert("description".into(), if told { json!(help) } else { json!(format!("{help} Unit: {unit}.")) });
    out.insert("type".into(), json!(kind));
    out.insert("default".into(), parameter.default.clone());
    if !parameter.choices.is_empty() {
        out.insert("enum".into(), json!(parameter.choices));
    }
    if matches!(parameter.kind, ParameterType::Int | ParameterType::Double) {
        let number = |x: f64| if parameter.kind == ParameterType::Int { json!(x as i64) } else { json!(x) };
        if let Some(minimum) = parameter.minimum {
            out.insert("minimum".into(), number(minimum));
        }
        // Where no range is stated, the largest number of the type: the recipe refuses bad values itself, when it runs.
        let largest = if parameter.kind == ParameterType::Int { f64::from(i32::MAX) } else { 1e30 };
        out.insert("maximum".into(), number(parameter.maximum.unwrap_or(largest)));
        out.insert("x-unit".into(), json!(unit));
    }
    if parameter.default.as_str() == Some("") {
        out.insert("x-default".into(), json!("empty"));
    }
    out.insert("examples".into(), json!([parameter.choices.last().unwrap_or(&parameter.default)]));
    Value::Object(out)
}

/// A value as an option of the command line: `--merge=TRUE`.
///
/// # Errors
/// If it is a list or a table, which no parameter is.
pub fn option(name: &str, value: &Value) -> Result<String, RecipeError> {
    let value = match value {
        Value::Bool(true) => "TRUE".to_owned(),
        Value::Bool(false) => "FALSE".to_owned(),
        // A whole number is written as one, for parameters that are integers.
        Value::Number(number) => match number.as_f64() {
            Some(real) if real.fract() == 0.0 && real.abs() < 1e15 => format!("{real:.0}"),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        other => return Err(RecipeError::new(format!("parameter {name}: {other} is neither number, text nor logical"), "give one value")),
    };
    Ok(format!("--{name}={value}"))
}

/// Whether two values are the same for a recipe: `1` is `1.0`.
pub fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"[
        {"name": "m.r.nifu", "value": 0, "valtype": "int", "partype": "range", "valmin": -1, "valmax": 24, "display_name": "nifu",
         "description": "IFU  to\n handle.", "recipe": "r"},
        {"name": "m.r.sigma", "value": 0.050000000000000003, "valtype": "double", "partype": "value", "display_name": "sigma", "description": ""},
        {"name": "m.r.how", "value": "mean", "valtype": "string", "partype": "enum", "valenum": ["median", "mean"], "display_name": "how",
         "description": "How."},
        {"name": "m.r.merge", "value": false, "valtype": "bool", "partype": "value", "display_name": "merge", "description": "Merge."}]"#;

    #[test]
    fn the_answer_becomes_a_schema() {
        let parameters = parse(ANSWER).unwrap();
        let schema = schema("r", &parameters, &["merge"]);
        assert_eq!(schema["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["nifu", "sigma", "how"]);
        let nifu = &schema["properties"]["nifu"];
        assert_eq!((&nifu["minimum"], &nifu["maximum"], &nifu["type"]), (&json!(-1), &json!(24), &json!("integer")));
        assert_eq!((&nifu["description"], &nifu["x-unit"], &nifu["examples"]), (&json!("IFU to handle."), &json!("1"), &json!([0])));
        assert_eq!(schema["properties"]["sigma"]["default"], json!(0.05));
        assert_eq!(schema["properties"]["how"]["enum"], json!(["median", "mean"]));
        assert_eq!(defaults(&parameters, &["merge"]), json!({"nifu": 0, "sigma": 0.05, "how": "mean"}));
    }

    #[test]
    fn the_file_of_a_plugin_is_read_back() {
        let recipes = Map::from_iter([("r".to_owned(), json!(parse(ANSWER).unwrap()))]);
        let file = RecipeParameters { pipeline: "M".into(), version: "1".into(), source: String::new(), recipes };
        let again = RecipeParameters::parse(&serde_json::to_string(&file).unwrap()).unwrap();
        assert_eq!(again.of("r").unwrap(), parse(ANSWER).unwrap());
        assert!(again.of("s").unwrap_err().what.contains("parameters of s"));
    }

    #[test]
    fn values_become_options() {
        let of = |v: Value| option("a", &v).unwrap();
        assert_eq!([of(json!(true)), of(json!(1.5)), of(json!(3.0)), of(json!("x y"))], ["--a=TRUE", "--a=1.5", "--a=3", "--a=x y"]);
        assert!(option("a", &json!([1])).is_err());
        assert!(same(&json!(1), &json!(1.0)) && !same(&json!("1"), &json!(1)));
    }
}
