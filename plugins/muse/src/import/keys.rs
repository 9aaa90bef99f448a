//! Every key of MUSEpack's `config.json` and what it means here.
//!
//! Keys of all versions: 1.1, the branch for pipeline 2.8.9 (1.3), and the guide of 2.0. A key that changed its place is here once for each.
//! Recipes and parameters have the names of the ESO pipeline. Reasons say what MUSEpack does with a key where that is not
//! what its name says.

use super::special;
use super::{Problem, Reading};

/// The type of a value. `null` is allowed for all and sets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// `false`, or a whole number.
    FlagOrWhole,
}

/// What a key means here.
#[derive(Clone, Copy)]
pub enum Meaning {
    /// The value goes to this key.
    Setting(&'static str, &'static str),
    /// A step: `enabled` of these recipes.
    Step(&'static [&'static str]),
    /// Arguments of this recipe, as they are typed after `esorex`.
    Arguments(&'static str),
    /// It needs no place, and why.
    NotNeeded(&'static str),
    /// It depends on the value.
    Special(fn(&mut Reading<'_>) -> Result<(), Problem>),
}

/// One key.
pub struct Key {
    /// Its block.
    pub block: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its meaning.
    pub meaning: Meaning,
}

use Kind::{Flag, FlagOrWhole, Number, Text, Texts, Whole};
use Meaning::{Arguments, NotNeeded, Setting, Special, Step};

const fn key(block: &'static str, name: &'static str, kind: Kind, meaning: Meaning) -> Key {
    Key { block, name, kind, meaning }
}

const SOF: Meaning =
    NotNeeded("the plan is made from the frames each time; what one task takes is changed in plan.json and run with `ifured exec`");
const COPIES: Meaning = NotNeeded("calibrations are read where they are: there are no copies that could be out of date");
const FOLDERS: Meaning =
    NotNeeded("there are no folders by OB: products lie below the output directory, and the catalogue knows OBS NAME of each frame");
/// All keys, in the order in which they count: where two set one key of ours, the later one wins.
pub const KEYS: &[Key] = &[
    key("global", "pipeline_path", Text, Special(special::pipeline_path)),
    key("global", "static_calib_path", Text, Special(special::static_calib_path)),
    key("global", "rootpath", Text, Special(special::rootpath)),
    key("global", "n_CPU", Whole, Special(special::cores)),
    key(
        "global",
        "mode",
        Text,
        NotNeeded(
            "the mode is read from INS MODE of every frame and is part of the signature; MUSEpack takes the wide-field geometry for narrow-field frames too",
        ),
    ),
    key("global", "withrvcorr", Flag, Special(special::velocity)),
    key(
        "global",
        "auto_sort_data",
        Flag,
        NotNeeded("frames are always sorted by their headers; lists edited by hand become [[frames.ignore]] and [[frames.force]]"),
    ),
    key("global", "auto_create_OB_folders", Flag, FOLDERS),
    key("global", "auto_create_OB_list", Flag, FOLDERS),
    key("global", "using_specific_exposure_time", FlagOrWhole, Special(special::exposure_time)),
    key("global", "using_ESO_calibration", Flag, Special(special::masters)),
    key("calibration", "using_ESO_calibration", Flag, Special(special::masters)),
    key("global", "renew_statics", Flag, COPIES),
    key("calibration", "renew_statics", Flag, COPIES),
    key("global", "dither_multiple_OBs", Flag, Special(special::several_blocks)),
    key("global", "OB", Text, Special(special::observing_block)),
    key("global", "OB_list", Texts, Special(special::observing_blocks)),
    key("global", "exp_list", Texts, Special(special::exposures)),
    key("dither_collect", "user_list", Texts, Special(special::exposures)),
    key("cleanup", "execute", Flag, Special(special::cleanup)),
    key("cleanup", "include_std", Flag, Special(special::cleanup)),
    key("cleanup", "include_combined", Flag, Special(special::cleanup)),
    key("cleanup", "include_calibrations", Flag, Special(special::cleanup)),
    key("calibration", "execute", Flag, Step(&["muse_bias", "muse_flat", "muse_wavecal", "muse_lsf", "muse_twilight"])),
    key("calibration", "dark", Flag, Setting("recipes.muse_dark.enabled", "MUSEpack fails when it makes a dark of its own")),
    key("calibration", "esorex_kwargs_bias", Text, Arguments("muse_bias")),
    key("calibration", "esorex_kwargs_dark", Text, Arguments("muse_dark")),
    key("calibration", "esorex_kwargs_flat", Text, Arguments("muse_flat")),
    key("calibration", "esorex_kwargs_wavecal", Text, Arguments("muse_wavecal")),
    key("calibration", "esorex_kwargs_lsf", Text, Arguments("muse_lsf")),
    key("calibration", "esorex_kwargs_twilight", Text, Arguments("muse_twilight")),
    key("calibration", "create_sof", Flag, SOF),
    key("sci_basic", "execute", Flag, Step(&["muse_scibasic"])),
    key(
        "sci_basic",
        "execute_std",
        Flag,
        NotNeeded("a standard star is reduced when something is made from it; `--to TAG` stops early, `--only GLOB` chooses frames"),
    ),
    key(
        "sci_basic",
        "execute_sci",
        Flag,
        NotNeeded("`ifured reduce --to STD_RESPONSE` makes only what the response needs, which are the standard stars"),
    ),
    key("sci_basic", "skyreject", Text, Setting("recipes.muse_scibasic.skyreject", "MUSEpack leaves standard stars at 15.,15.,1")),
    key("sci_basic", "skylines", Text, Setting("recipes.muse_scibasic.skylines", "MUSEpack does not pass it on for standard stars")),
    key("sci_basic", "esorex_kwargs", Text, Arguments("muse_scibasic")),
    key("sci_basic", "create_sof", Flag, SOF),
    key("std_flux", "execute", Flag, Step(&["muse_standard"])),
    key("std_flux", "esorex_kwargs", Text, Arguments("muse_standard")),
    key("std_flux", "create_sof", Flag, SOF),
    key("sky", "execute", Flag, Step(&["muse_create_sky"])),
    key("sky", "sky_field", Text, Special(special::sky_field)),
    key("sky", "fraction", Number, Setting("recipes.muse_create_sky.fraction", "")),
    key("sky", "ignore", Number, Setting("recipes.muse_create_sky.ignore", "")),
    key("sky", "method", Text, Setting("recipes.muse_scipost.skymethod", "")),
    // After the method, which must be `subtract-model` then.
    key("sky", "modified", Flag, Special(special::modified_sky)),
    key("sky", "esorex_kwargs", Text, Arguments("muse_create_sky")),
    key("sky", "create_sof", Flag, SOF),
    key("sci_post", "execute", Flag, Step(&["muse_scipost"])),
    key("sci_post", "autocalib", Text, Setting("recipes.muse_scipost.autocalib", "")),
    key("sci_post", "subtract_sky", Flag, Special(special::subtract_sky)),
    key("sci_post", "raman", Flag, Special(special::raman)),
    key("sci_post", "esorex_kwargs", Text, Arguments("muse_scipost")),
    key("sci_post", "create_sof", Flag, SOF),
    key("dither_collect", "execute", Flag, NotNeeded("nothing is copied together: exposures to be combined are read where they are")),
    key("exp_align", "execute", Flag, Step(&["muse_exp_align"])),
    key("exp_align", "srcmin", Whole, Setting("recipes.muse_exp_align.srcmin", "")),
    key("exp_align", "srcmax", Whole, Setting("recipes.muse_exp_align.srcmax", "")),
    key("exp_align", "esorex_kwargs", Text, Arguments("muse_exp_align")),
    key("exp_align", "create_sof", Flag, SOF),
    key("exp_combine", "execute", Flag, Step(&["muse_exp_combine"])),
    key("exp_combine", "weight", Text, Setting("recipes.muse_exp_combine.weight", "")),
    key("exp_combine", "esorex_kwargs", Text, Arguments("muse_exp_combine")),
    key("exp_combine", "create_sof", Flag, SOF),
];
