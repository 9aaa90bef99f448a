//! Where a product comes from, written into its header.
//!
//! HIERARCH keywords that begin with `IFURED`: the task, its inputs with their content hashes, its parameters, what was rejected
//! and why, and the quality numbers. Nothing that changes between two runs on equal inputs is written: no time of day, no
//! machine, no path outside the data.

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, Outcome, Task, Value};

/// First token of all keywords written here.
const PREFIX: &str = "IFURED";

/// Writes the provenance of the product with tag `tag` into its header; keywords of an earlier task are removed.
pub fn provenance(header: &mut Header, task: &Task, outcome: &Outcome, tag: &str) {
    header.retain(|card| !is_provenance(&card.keyword));
    let mut write = |keyword: &str, value: Value, comment: &str| header.set(&format!("{PREFIX} {keyword}"), value, comment);
    write("TASK", task.id.as_str().into(), "identity of the task");
    write("INSTRUMENT", task.instrument.as_str().into(), "instrument plugin");
    write("RECIPE", task.recipe.as_str().into(), "recipe");
    write("RECIPE VERSION", i64::from(task.recipe_version).into(), "version of the recipe");
    write("VERSION", env!("CARGO_PKG_VERSION").into(), "version of ifured");
    write("TAG", tag.into(), "kind of product");
    write("NIGHT", task.night.as_str().into(), "night of the first frame");
    write("SIGNATURE", task.signature.as_str().into(), "set-up of the group");
    write("LEVEL", i64::from(task.level).into(), "quality level of the calibrations, 0 is best");
    write("GRADE", outcome.grade().as_str().into(), "worst grade of the quality numbers");
    for (n, input) in task.main().enumerate() {
        let key = format!("RAW{}", n + 1);
        identify(&mut write, &key, input);
    }
    for (n, input) in task.inputs.iter().filter(|i| i.role != "main").enumerate() {
        let key = format!("CAL{}", n + 1);
        identify(&mut write, &key, input);
        write(&format!("{key} ROLE"), input.role.as_str().into(), "");
        write(&format!("{key} LEVEL"), i64::from(input.level).into(), "");
        write(&format!("{key} WHY"), input.why.as_str().into(), "");
    }
    for (n, missing) in task.missing.iter().enumerate() {
        write(&format!("MISS{} ROLE", n + 1), missing.role.as_str().into(), "");
        write(&format!("MISS{} OTHERWISE", n + 1), missing.otherwise.as_str().into(), "");
        write(&format!("MISS{} LEVEL", n + 1), i64::from(missing.level).into(), "");
    }
    if let Some(parameters) = task.parameters.as_object() {
        for (n, (name, value)) in parameters.iter().enumerate() {
            write(&format!("PARAM{} NAME", n + 1), name.as_str().into(), "");
            write(&format!("PARAM{} VALUE", n + 1), parameter(value), "");
        }
    }
    for (n, rejected) in outcome.rejected.iter().enumerate() {
        write(&format!("REJ{} NAME", n + 1), rejected.name.as_str().into(), "");
        write(&format!("REJ{} WHY", n + 1), rejected.why.as_str().into(), "");
    }
    for (n, quality) in outcome.quality.iter().enumerate() {
        let key = format!("QC{}", n + 1);
        write(&format!("{key} NAME"), quality.name.as_str().into(), "");
        write(&format!("{key} VALUE"), quality.value.map_or(Value::Undefined, Value::Real), &quality.title);
        if let Some(error) = quality.error {
            write(&format!("{key} ERROR"), error.into(), "");
        }
        write(&format!("{key} UNIT"), quality.unit.as_str().into(), "");
        write(&format!("{key} GRADE"), quality.grade.as_str().into(), &quality.limits);
    }
}

/// Whether a keyword was written by [`provenance`]. Measured numbers of the product (`IFURED GAIN`) are not provenance.
fn is_provenance(keyword: &str) -> bool {
    const PLAIN: &[&str] = &["TASK", "INSTRUMENT", "RECIPE", "VERSION", "TAG", "NIGHT", "SIGNATURE", "LEVEL", "GRADE"];
    const NUMBERED: &[&str] = &["RAW", "CAL", "MISS", "PARAM", "REJ", "QC"];
    let mut tokens = keyword.split(' ');
    let (Some(PREFIX), Some(second)) = (tokens.next(), tokens.next()) else { return false };
    let is_numbered = |name: &str| {
        let digits = second.strip_prefix(name).unwrap_or("");
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    (PLAIN.contains(&second) && (second == "RECIPE" || tokens.next().is_none())) || NUMBERED.iter().any(|n| is_numbered(n))
}

fn identify(write: &mut impl FnMut(&str, Value, &str), key: &str, input: &TaskInput) {
    write(&format!("{key} NAME"), input.name.as_str().into(), "");
    write(&format!("{key} TAG"), input.tag.as_str().into(), "");
    write(&format!("{key} HASH"), input.identity.as_str().into(), "");
}

fn parameter(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Bool(b) => (*b).into(),
        Json::Number(n) => n.as_i64().map(Value::Integer).or_else(|| n.as_f64().map(Value::Real)).unwrap_or(Value::Undefined),
        Json::String(s) => s.as_str().into(),
        Json::Null => Value::Undefined,
        other => other.to_string().into(),
    }
}
