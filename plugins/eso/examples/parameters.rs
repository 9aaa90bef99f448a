//! Writes the parameters of ESO's recipes as a file for a plugin to ship.
//!
//! ```sh
//! cargo run -p ifured-eso --example parameters -- MUSE muse_bias muse_dark > plugins/muse/src/parameters/muse_2.8.7.json
//! ```
//!
//! The pipeline must be installed; the file says which version it is of.

use ifured_eso::esorex::Program;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((pipeline, recipes)) = arguments.split_first().filter(|(_, recipes)| !recipes.is_empty()) else {
        return Err("usage: parameters PIPELINE RECIPE...".into());
    };
    let recipes: Vec<&str> = recipes.iter().map(String::as_str).collect();
    let file = Program::find()?.parameters(pipeline, &recipes).map_err(|e| format!("{e}; {}", e.advice))?;
    println!("{}", serde_json::to_string_pretty(&file)?);
    Ok(())
}
