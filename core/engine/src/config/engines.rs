//! Which engine does the work of a recipe.

use ifured_core::recipe::{Engine, RecipeDescription};
use ifured_core::{Config, EngineName};

/// The engines that do the work of a recipe, the one whose products others use first: one, or two that are compared.
///
/// The recipe's own setting counts before that of the recipe that it is a variant of, then that of the instrument, then that of all. An engine that the
/// recipe does not have counts as not said, but for its own setting, which the configuration's check refuses.
pub fn engines<'a>(recipe: &'a RecipeDescription, instrument: &str, config: &Config) -> Vec<&'a Engine> {
    let of_recipe = |name: &String| config.recipes.get(name)?.get("engine")?.as_str().map(EngineName::from);
    let own = of_recipe(&recipe.name).or_else(|| of_recipe(recipe.variant_of.as_ref()?));
    let wider = [config.engines.get(instrument).cloned(), config.engine.clone()];
    let is_had = |name: &EngineName| recipe.engine(name).is_some() || (*name == EngineName::BOTH && recipe.engines.len() > 1);
    match [own].into_iter().chain(wider).flatten().find(is_had) {
        Some(both) if both == EngineName::BOTH => recipe.engines.iter().take(2).collect(),
        Some(one) => recipe.engine(&one).into_iter().collect(),
        None => recipe.first_engine().into_iter().collect(),
    }
}
