//! What an instrument says of itself: complete, consistent, with schemas that are schemas.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use ifured_core::recipe::RecipeDescription;
use ifured_core::{InstrumentDescription, KnownObjects, Tag};

use super::{Check, all_right};
use crate::{config, init};

/// All checks of a description.
pub fn check(instrument: &InstrumentDescription, tell: &mut impl FnMut(Check)) {
    tell(all_right("the instrument is described", instrument_gaps(instrument), format!("{}, {}", instrument.name, instrument.title)));
    tell(all_right(
        "every kind of frame is described",
        frame_type_gaps(instrument),
        format!("{} kinds of frames", instrument.frame_types.len()),
    ));
    tell(all_right("every recipe is described", recipe_gaps(instrument), format!("{} recipes", instrument.recipes.len())));
    tell(all_right("every recipe is reachable", unreachable(instrument), "from raw frames, through products of others"));
    let mut schemas = Vec::new();
    let mut defaults = Vec::new();
    for recipe in &instrument.recipes {
        match schema_faults(recipe) {
            Ok(wrong) => defaults.extend(wrong),
            Err(why) => schemas.push(why),
        }
    }
    let valid = schemas.is_empty();
    tell(all_right("schemas are JSON Schema, Draft 2020-12", schemas, "of the parameters of every recipe"));
    tell(all_right("defaults validate against their schemas", defaults, "of every recipe"));
    if valid {
        let bare = config::undocumented(&config::schema(instrument), config::Demand::Basic);
        tell(all_right("every parameter has a description and a type", bare, "of every recipe"));
        tell(all_right("a configuration with all defaults is valid", init_faults(instrument), "as `ifured init --full` writes it"));
    }
}

fn instrument_gaps(d: &InstrumentDescription) -> Vec<String> {
    let mut wrong = Vec::new();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if d.name.is_empty() || !d.name.chars().all(plain) {
        wrong.push(format!("the name `{}` must be lower-case letters, digits, - and _", d.name));
    }
    for (what, empty) in [
        ("title", d.title.is_empty()),
        ("version", d.version.is_empty()),
        ("recognise: without conditions every frame of the world would be this instrument's", d.recognise.is_empty()),
        ("frame_types", d.frame_types.is_empty()),
        ("columns: keywords that lists show", d.columns.is_empty()),
    ] {
        if empty {
            wrong.push(format!("empty: {what}"));
        }
    }
    wrong.extend(d.known_objects.iter().flat_map(known_object_gaps));
    wrong
}

fn known_object_gaps(known: &KnownObjects) -> Vec<String> {
    let mut wrong = Vec::new();
    if known.keyword.is_empty() {
        wrong.push("known objects need the keyword that they give a frame".to_owned());
    }
    if !(known.radius_arcsec >= 0.0 && known.name_radius_arcsec >= 0.0) {
        wrong.push(format!("{}: the radius must be 0 or more", known.keyword));
    }
    let mut names = BTreeSet::new();
    for object in &known.objects {
        if !((0.0..=360.0).contains(&object.ra) && (-90.0..=90.0).contains(&object.dec)) {
            wrong.push(format!("{}: `{}` is at {} {}, which is no place on the sky", known.keyword, object.name, object.ra, object.dec));
        }
        if object.name.is_empty() || !names.insert(object.name.to_lowercase()) {
            wrong.push(format!("{}: the name `{}` is empty or there twice", known.keyword, object.name));
        }
    }
    wrong
}

fn frame_type_gaps(d: &InstrumentDescription) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for t in &d.frame_types {
        let tag = &t.rule.tag;
        if tag.as_str().is_empty() || tag.as_str().contains(char::is_whitespace) {
            wrong.push(format!("the tag `{tag}` must be one word"));
        }
        if t.title.is_empty() {
            wrong.push(format!("{tag}: no title"));
        }
        if t.rule.when.is_empty() && d.frame_types.last().is_some_and(|last| last.rule.tag != *tag) {
            wrong.push(format!("{tag}: without `when` it takes all frames, and no rule after it is tried"));
        }
        // A product of an archive has the tag of the one that it may take the place of.
        if !t.product {
            seen.insert(tag);
        }
    }
    for product in d.recipes.iter().flat_map(|r| &r.products) {
        if seen.contains(&product.tag) {
            wrong.push(format!("{} is the tag of a raw frame and of a product", product.tag));
        }
    }
    wrong
}

fn recipe_gaps(d: &InstrumentDescription) -> Vec<String> {
    let mut wrong = Vec::new();
    if d.recipes.is_empty() {
        wrong.push("there is none".to_owned());
    }
    let known = all_tags(d);
    let mut names = BTreeSet::new();
    for recipe in &d.recipes {
        let name = &recipe.name;
        let mut say = |what: String| wrong.push(format!("{name}: {what}"));
        if name.is_empty() || name.contains(char::is_whitespace) {
            say("the name must be one word".into());
        }
        if !names.insert(name) {
            say("there are two of that name".into());
        }
        for (what, text) in [("title", &recipe.title), ("description", &recipe.description)] {
            if text.is_empty() {
                say(format!("no {what}"));
            }
        }
        if recipe.products.is_empty() {
            say("it makes no product".into());
        }
        for product in &recipe.products {
            if let Some(what) = path_fault(&product.path) {
                say(format!("path `{}` {what}", product.path));
            }
        }
        let mut roles = BTreeSet::from(["main"]);
        for input in &recipe.inputs {
            if !roles.insert(input.role.as_str()) {
                say(format!("role `{}` is there twice, or is called main", input.role));
            }
            if input.levels.is_empty() {
                say(format!("input `{}` has no level: nothing can ever serve", input.role));
            }
            if input.levels.windows(2).any(|pair| pair[0].level > pair[1].level) {
                say(format!("the levels of input `{}` are not in order", input.role));
            }
            if !input.required && input.otherwise.is_empty() {
                say(format!("input `{}` is optional: say in `otherwise` what is done without", input.role));
            }
        }
        for tag in recipe.main.tags.iter().chain(recipe.inputs.iter().flat_map(|i| &i.tags)).filter(|t| !known.contains(t)) {
            say(format!("nothing has the tag {tag}"));
        }
    }
    wrong
}

fn all_tags(d: &InstrumentDescription) -> BTreeSet<&Tag> {
    d.frame_types.iter().map(|t| &t.rule.tag).chain(d.recipes.iter().flat_map(|r| &r.products).map(|p| &p.tag)).collect()
}

/// Paths of products stay below the output directory, and differ from group to group.
fn path_fault(path: &str) -> Option<&'static str> {
    if Path::new(path).components().any(|c| !matches!(c, Component::Normal(_))) {
        Some("must lead below the output directory")
    } else if !path.contains("{stem}") {
        Some("needs {stem}, or two groups write one file")
    } else if !path.ends_with(".fits") {
        Some("must end in .fits")
    } else {
        None
    }
}

/// Recipes for which raw frames and the products of other recipes can never be enough.
fn unreachable(d: &InstrumentDescription) -> Vec<String> {
    let mut tags: BTreeSet<&Tag> = d.frame_types.iter().map(|t| &t.rule.tag).collect();
    let mut left: Vec<&RecipeDescription> = d.recipes.iter().collect();
    loop {
        let can = |r: &RecipeDescription| {
            let any = |of: &[Tag]| of.iter().any(|t| tags.contains(t));
            any(&r.main.tags) && r.inputs.iter().filter(|i| i.required).all(|i| any(&i.tags))
        };
        let (now, later): (Vec<&RecipeDescription>, Vec<&RecipeDescription>) = left.iter().copied().partition(|r| can(r));
        if now.is_empty() {
            return later.iter().map(|r| format!("{} waits for what no recipe before it makes", r.name)).collect();
        }
        tags.extend(now.iter().flat_map(|r| &r.products).map(|p| &p.tag));
        left = later;
    }
}

/// Defaults that the schema does not allow; an error if the schema is none.
fn schema_faults(recipe: &RecipeDescription) -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    for engine in &recipe.engines {
        let name = format!("{} ({})", recipe.name, engine.name);
        jsonschema::draft202012::meta::validate(&engine.schema).map_err(|e| format!("{name}: {} at `{}`", e, e.instance_path()))?;
        let validator = jsonschema::draft202012::new(&engine.schema).map_err(|e| format!("{name}: {e}"))?;
        faults.extend(validator.iter_errors(&engine.defaults).map(|e| format!("{name}: {}: {e}", e.instance_path())));
    }
    Ok(faults)
}

fn init_faults(d: &InstrumentDescription) -> Vec<String> {
    let text = init::text(d, init::Format::Json, true, "schema.json");
    match serde_json::from_str(&text) {
        Ok(value) => config::check(value, d, "ifured.json").err().map(|e| e.to_string()).into_iter().collect(),
        Err(e) => vec![e.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use ifured_core::instrument::{FrameType, Purpose};
    use ifured_core::recipe::{Engine, InputSpec, Level, MainInput, ProductSpec, RecipeDescription};
    use ifured_core::{KnownObject, KnownObjects, Signature, key};
    use serde_json::json;

    use super::*;

    /// A description with nothing wrong.
    fn good() -> InstrumentDescription {
        let sig = Signature::exact(&["NAXIS1"]);
        let recipe = |name: &str, from: &str, makes: &str| RecipeDescription {
            name: name.into(),
            title: name.into(),
            description: name.into(),
            main: MainInput::single(&[from], &sig),
            products: vec![ProductSpec::new(makes, makes, &format!("{name}/{{stem}}_{name}.fits"), &sig)],
            engines: vec![Engine {
                schema: json!({"type": "object", "properties": {"sigma": {"type": "number", "description": "Limit."}}}),
                defaults: json!({"sigma": 3.0}),
                ..Engine::default()
            }],
            ..RecipeDescription::default()
        };
        let mut science = recipe("science", "object", "reduced");
        science.inputs = vec![InputSpec::required("bias", "master-bias").same_night(&sig)];
        let kind = |tag: &str| FrameType::new(tag, tag, Purpose::Other, &sig, vec![key("TYPE").is(tag)]);
        InstrumentDescription {
            name: "good".into(),
            title: "Good".into(),
            version: "1".into(),
            recognise: vec![key("INSTRUME").is("GOOD")],
            frame_types: vec![kind("bias"), kind("object")],
            recipes: vec![science, recipe("master-bias", "bias", "master-bias")],
            columns: vec!["TYPE".into()],
            ..InstrumentDescription::default()
        }
    }

    fn wrong(d: &InstrumentDescription) -> String {
        let mut wrong = String::new();
        check(d, &mut |c: Check| {
            if c.right != Some(true) {
                wrong += &format!("{}: {}\n", c.what, c.found);
            }
        });
        wrong
    }

    #[test]
    fn every_gap_is_named() {
        assert_eq!(wrong(&good()), "");
        type Spoil = fn(&mut InstrumentDescription);
        let table: &[(Spoil, &str)] = &[
            (|d| d.name = "My Spec".into(), "the name `My Spec` must be lower-case"),
            (|d| d.recognise.clear(), "empty: recognise"),
            (|d| d.known_objects.push(KnownObjects::new("", vec![])), "need the keyword"),
            (|d| d.known_objects.push(KnownObjects::new("STAR", vec![KnownObject::new("a", 10.0, 99.0)])), "no place on the sky"),
            (|d| d.known_objects.push(KnownObjects::new("STAR", vec![KnownObject::default(); 2])), "empty or there twice"),
            (|d| d.frame_types[0].rule.when.clear(), "bias: without `when` it takes all frames"),
            (|d| d.recipes[1].products[0].tag = "bias".into(), "bias is the tag of a raw frame and of a product"),
            (|d| d.recipes[0].title.clear(), "science: no title"),
            (|d| d.recipes[0].name = "master-bias".into(), "there are two of that name"),
            (|d| d.recipes[0].products.clear(), "it makes no product"),
            (|d| d.recipes[0].products[0].path = "../{stem}.fits".into(), "must lead below the output directory"),
            (|d| d.recipes[0].products[0].path = "all.fits".into(), "needs {stem}"),
            (|d| d.recipes[0].inputs[0].levels.clear(), "input `bias` has no level"),
            (
                |d| {
                    d.recipes[0].inputs[0]
                        .levels
                        .extend(good().recipes[0].inputs[0].levels.iter().cloned().map(|l| Level { level: -1, ..l }))
                },
                "are not in order",
            ),
            (|d| d.recipes[0].inputs[0].required = false, "say in `otherwise`"),
            (|d| d.recipes[0].main.tags = vec!["objekt".into()], "nothing has the tag objekt"),
            (|d| d.recipes[1].main.tags = vec!["reduced".into()], "waits for what no recipe before it makes"),
            (|d| d.recipes[0].engines[0].schema = json!({"type": "objekt"}), "schemas are JSON Schema, Draft 2020-12: science"),
            (|d| d.recipes[0].engines[0].defaults = json!({"sigma": "three"}), "defaults validate against their schemas: science"),
            (|d| d.recipes[0].engines[0].schema["properties"]["sigma"] = json!({"type": "number"}), "recipes.science.sigma"),
        ];
        for (n, (spoil, said)) in table.iter().enumerate() {
            let mut description = good();
            spoil(&mut description);
            let found = wrong(&description);
            assert!(found.contains(said), "{n}: {said} is not said:\n{found}");
        }
    }
}
