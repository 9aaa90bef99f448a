//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Reduces astronomical data: a folder of raw frames goes in, calibrated and combined science data come out.
#[derive(Parser)]
#[command(name = "ifured", version, propagate_version = true, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  ifured --instrument cafos simulate night          raw frames with known truth, to try things out
  ifured --instrument cafos reduce night/raw        reduce them into the current directory
  ifured why bias_caf-20170319-16:00:00-cal_red.fits
  ifured ls --where 'EXPTIME > 50 && QUANT500 < 1000' --columns OBJECT,AIRMASS

Exit codes: 0 done, 1 some task failed or some frame was refused, 2 wrong usage or configuration, 3 nothing to do.")]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args)]
pub struct Global {
    /// Instrument; without it the frames are asked.
    #[arg(short, long, global = true, value_name = "NAME")]
    pub instrument: Option<String>,
    /// Plugin library of an instrument (may be repeated).
    #[arg(long = "plugin", global = true, value_name = "FILE")]
    pub plugins: Vec<PathBuf>,
    /// Directory for products, catalogue and report.
    #[arg(short, long, global = true, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// Configuration; without it ifured.toml or ifured.json in the output directory, if there is one.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one value of the configuration (may be repeated), for example recipes.master-bias.method=median.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Cores to use; all if not given.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Say more (-vv: much more).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Answer in JSON, for machines.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Write a configuration with its schema line and every default documented.
    #[command(after_help = "Example:\n  ifured --instrument cafos init\n  $EDITOR ifured.toml")]
    Init {
        /// Where to write it.
        #[arg(default_value = ".")]
        directory: PathBuf,
        /// Format of the file.
        #[arg(long, default_value = "toml")]
        format: ConfigFormat,
        /// Write the defaults as settings, not as comments.
        #[arg(long)]
        full: bool,
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Find, classify and catalogue the frames below directories.
    #[command(after_help = "Example:\n  ifured --instrument cafos scan /data/cafos\n\nFiles that have not changed are not read again.")]
    Scan {
        /// Directories with raw frames; without any, those that were scanned before.
        directories: Vec<PathBuf>,
        /// Forget these directories and their frames instead of scanning them; the files stay.
        #[arg(long, requires = "directories")]
        forget: bool,
    },
    /// List frames, groups, tasks, products or quality numbers.
    #[command(after_help = "\
Examples:
  ifured ls                                         all frames
  ifured ls --tag 'wrong-*'                         what is not as it should be, and why
  ifured ls --where 'EXPTIME > 50 && QUANT500 < 1000' --columns OBJECT,AIRMASS --sort QUANT500
  ifured ls products --tag master-bias --columns 'READ NOISE' --csv
  ifured ls --columns all                           the keywords that can be shown")]
    Ls(Ls),
    /// Show what would run, without running it.
    #[command(after_help = "\
Examples:
  ifured --instrument cafos plan /data/cafos
  ifured plan --graph dot | dot -Tsvg > plan.svg
  ifured plan --calplan calplan.txt                 every calibration of every science exposure
  ifured plan --sof sets --to MASTER_FLAT           a set of frames for each task, for esorex")]
    Plan {
        /// Directories with raw frames; without any, those that were scanned before.
        directories: Vec<PathBuf>,
        /// Draw the plan instead.
        #[arg(long, value_name = "FORMAT")]
        graph: Option<Graph>,
        /// Write a set of frames for each task into this directory, for esorex.
        #[arg(long, value_name = "DIR")]
        sof: Option<PathBuf>,
        /// Write a table of all calibrations of each science exposure, through the whole graph; `-` shows it.
        #[arg(long, value_name = "FILE", conflicts_with = "graph")]
        calplan: Option<PathBuf>,
        #[command(flatten)]
        targets: TargetArguments,
    },
    /// Say why a product is made with these calibrations.
    #[command(after_help = "Example:\n  ifured why science-imaging_caf-20170319-20:00:00-sci_red.fits")]
    Why {
        /// Name of a product (its end is enough), or of a raw frame.
        product: String,
    },
    /// Say why a calibration is not used for a frame, and what would have to change.
    #[command(after_help = "Example:\n  ifured whynot caf-20170319-20:00:00-sci.fits bias_caf-20170320-16:00:00-cal_red.fits")]
    Whynot {
        /// Name of a science frame or product.
        frame: String,
        /// Name of a calibration.
        calibration: String,
    },
    /// Reduce everything: scan, classify, associate, plan, run what is not done, report.
    #[command(after_help = "\
Examples:
  ifured --instrument cafos reduce /data/cafos/20240720
  ifured reduce                                     again, after a change: only what depends on it
  ifured reduce --to master-bias                    only the master biases
  ifured reduce --only '*20240720-20*' --set recipes.science-imaging.cosmic_rays=false")]
    Reduce {
        /// Directories with raw frames; without any, those that were scanned before.
        directories: Vec<PathBuf>,
        #[command(flatten)]
        targets: TargetArguments,
        /// Do again what is done.
        #[arg(long)]
        force: bool,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// The recipes of an instrument, and one recipe by hand.
    Recipe {
        #[command(subcommand)]
        what: RecipeCommand,
    },
    /// Show one frame: header, statistics, preview.
    #[command(after_help = "Example:\n  ifured show night/raw/170319_t2_CAFOS/caf-20170319-16:00:00-cal-simu.fits --preview bias.png")]
    Show {
        /// The file.
        frame: PathBuf,
        /// Print the whole header.
        #[arg(long)]
        header: bool,
        /// Write a preview (PNG).
        #[arg(long, value_name = "FILE")]
        preview: Option<PathBuf>,
    },
    /// Plot keyword against keyword, or draw a frame or a figure of its tables, as SVG.
    #[command(after_help = "\
Examples:
  ifured plot QUANT500 ROBUSTSTD --tag bias --to bias.svg
  ifured plot --frame bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits --to bias.svg
  ifured plot --frame wavelength-solution/20240720/wavelength-solution_caf-20240720-14-44-12-cal-cali.fits --figure 1 --to residuals.svg

`ifured show PRODUCT` lists its figures.")]
    Plot {
        /// Keywords; each is plotted against each other.
        keywords: Vec<String>,
        /// Draw this frame instead.
        #[arg(long, value_name = "FILE", conflicts_with = "keywords")]
        frame: Option<PathBuf>,
        /// Draw this figure of its tables, by number or title. A file without image is drawn as its first figure.
        #[arg(long, value_name = "N|TITLE", requires = "frame")]
        figure: Option<String>,
        /// Where to write the SVG.
        #[arg(long, value_name = "FILE", default_value = "plot.svg")]
        to: PathBuf,
        #[command(flatten)]
        selection: Selection,
    },
    /// Write the HTML report of the last run again.
    Report,
    /// Check products: checksums, provenance, inputs still the same.
    #[command(
        after_help = "Examples:\n  ifured verify bias/*/*.fits\n  ifured verify --truth night/truth          compare all products with a simulation's truth"
    )]
    Verify {
        /// Products.
        products: Vec<PathBuf>,
        /// Compare the products of the output directory with the truth of a simulation.
        #[arg(long, value_name = "DIR")]
        truth: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration, for editors.
    #[command(after_help = "\
Examples:
  ifured --instrument cafos schema > ifured-cafos.schema.json
  ifured schema                                     of the instrument that the configuration names, or of any
  ifured schema --of why                            of what `ifured why --json` prints

`ifured init` writes it beside the configuration.")]
    Schema {
        /// What a command prints with --json (why, ls-frames, ...), or a file in the output directory (plan.json, attempt.json).
        #[arg(long, value_name = "COMMAND|FILE")]
        of: Option<String>,
        /// Write the schemas of all answers and files into a directory.
        #[arg(long, value_name = "DIR", hide = true, conflicts_with = "of")]
        write: Option<PathBuf>,
    },
    /// Check a configuration, or show what it comes to.
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Make a configuration of the one of another program.
    #[command(after_help = "\
Examples:
  ifured import filabres .                          the directory with setup_filabres.yaml
  ifured import musepack config.json --to -         only show what it becomes

What is not taken over is listed with the reason; exit code 0 means that a valid configuration was written.")]
    Import(ImportArguments),
    /// The instruments that are known, and plugins of one's own.
    #[command(after_help = "\
Examples:
  ifured plugin ls                                  what is known, from where
  ifured plugin new myspec                          a crate to begin with
  cd myspec && cargo test && cargo build --release
  ifured plugin check target/release/libmyspec.so
  ifured --plugin target/release/libmyspec.so --instrument myspec simulate night")]
    Plugin {
        #[command(subcommand)]
        what: PluginCommand,
    },
    /// Write raw frames with known truth.
    #[command(after_help = "Example:\n  ifured --instrument cafos simulate night --nights 2 --seed 7")]
    Simulate {
        /// Directory to write into: raw/ and truth/ below it.
        directory: PathBuf,
        /// Seed of everything random.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Nights.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        nights: u32,
        /// Pixels along each axis.
        #[arg(long, value_parser = clap::value_parser!(u32).range(64..=8192))]
        size: Option<u32>,
    },
    /// Bring the science products of all exposures into one directory, under names that say what they are.
    #[command(after_help = "\
Examples:
  ifured collect cubes                              cubes, images and reduced pixel tables
  ifured collect cubes --tag 'DATACUBE_FINAL*'
  ifured collect /mnt/stick --copy --only '180431-242316_*'

Names are TAG_BLOCK_EXPOSURE.fits; of several exposures the first with their number. Nothing is overwritten; what is there already is left as it is.")]
    Collect(CollectArguments),
    /// Remove products with all that was made from them and their logs, products of a kind, or all that nothing makes any more.
    #[command(after_help = "\
Examples:
  ifured clean bias_caf-20170319-16:00:00-cal_red.fits
  ifured clean --tag 'PIXTABLE_*' --dry-run
  ifured clean --left-over")]
    Clean {
        /// Products (the end of a name is enough).
        products: Vec<String>,
        /// All products of that tag or recipe (may be repeated; `*` and `?` are wild), without what was made from them.
        #[arg(long)]
        tag: Vec<String>,
        /// Products that no task of the plan makes, and what failed runs left to be looked at (failed-RECIPE-...).
        #[arg(long)]
        left_over: bool,
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Run one task of a plan; does nothing if it is done.
    ///
    /// Its parameters are those of the plan. `--set` and `--config` count where the plan has to be made again, because something that the task needs
    /// turned out bad.
    #[command(after_help = "Example:\n  ifured exec 5f0c1d2e --plan plan.json")]
    Exec {
        /// Identifier of the task (its beginning is enough).
        task: Option<String>,
        /// The plan; by default that in the output directory.
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
        /// Read the task from standard input and answer in lines of JSON: how a run talks to its workers.
        #[arg(long, hide = true)]
        stdin: bool,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  ifured completions bash > ~/.local/share/bash-completion/completions/ifured")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    #[command(after_help = "Example:\n  ifured man man && man -l man/ifured.1")]
    Man {
        /// Directory to write into.
        #[arg(default_value = ".")]
        directory: PathBuf,
    },
}

#[derive(Args)]
pub struct CollectArguments {
    /// Directory to collect into; made if need be.
    pub to: PathBuf,
    /// Only products of that tag (may be repeated; `*` and `?` are wild); without it those that the instrument has for it.
    #[arg(long)]
    pub tag: Vec<String>,
    /// Only products of frames, exposures or names that match (may be repeated; `*` and `?` are wild).
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// Hard links, which keep their content whatever becomes of the product; on the same file system only.
    #[arg(long, conflicts_with = "copy")]
    pub link: bool,
    /// Copies; without it and --link, symbolic links.
    #[arg(long)]
    pub copy: bool,
    /// Only say what would be collected.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct ImportArguments {
    /// The other program: filabres (CAFOS) or musepack (MUSE), and what plugins know.
    pub program: String,
    /// Its files, or the directory where they are.
    #[arg(required = true, value_name = "FILE_OR_DIR")]
    pub files: Vec<PathBuf>,
    /// Where to write it (.toml or .json), or `-` to show it; ifured.toml in the output directory if not given.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Subcommand)]
pub enum RecipeCommand {
    /// List the recipes.
    Ls,
    /// Show one recipe: what it needs, what it makes, its parameters.
    Show {
        /// Its name.
        name: String,
    },
    /// Run one recipe on files that are named.
    #[command(after_help = "\
Examples:
  ifured -i cafos recipe run master-flat-imaging flat*.fits --input bias=master_bias.fits
  ifured -i muse recipe run muse_bias --sof bias.sof --extension CHAN07")]
    Run {
        /// Its name.
        name: String,
        /// The main frames.
        #[arg(required_unless_present = "sof")]
        frames: Vec<PathBuf>,
        /// A calibration, by its role.
        #[arg(long = "input", value_name = "ROLE=FILE")]
        inputs: Vec<String>,
        /// A set of frames, as esorex reads it: one file a line with its tag.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["frames", "inputs"])]
        sof: Option<PathBuf>,
        /// Only this extension, for recipes that go by extensions.
        #[arg(long, value_name = "NAME")]
        extension: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration: all that is wrong, each with line and column.
    #[command(after_help = "\
Examples:
  ifured config check                               ifured.toml or ifured.json of the output directory
  ifured config check old.toml --json

Exit codes: 0 nothing is wrong, 2 something is.")]
    Check {
        /// The file; without it that of --config, or that in the output directory.
        file: Option<PathBuf>,
    },
    /// Show what is set, and where.
    #[command(after_help = "\
Examples:
  ifured config show                                what the file and --set say
  ifured config show --resolved                     every value, with where it came from
  ifured config show --resolved | grep cosmic")]
    Show {
        /// The file; without it that of --config, or that in the output directory.
        file: Option<PathBuf>,
        /// All values, also those that nobody has set.
        #[arg(long)]
        resolved: bool,
    },
}

#[derive(Subcommand)]
pub enum PluginCommand {
    /// List the instruments: name, version, library, hash, interface version.
    Ls,
    /// Write a crate to begin a plugin with.
    #[command(after_help = "Example:\n  ifured plugin new myspec && cd myspec && cargo test")]
    New {
        /// Name of the instrument: a-z, 0-9, - and _.
        name: String,
        /// Directory to write into; the name in the current directory if not given.
        directory: Option<PathBuf>,
        /// Source of ifured that the plugin is built with; the one this program was built from if not given.
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
    },
    /// Check that a plugin keeps to the contract, from its description to the truth of its simulated frames.
    #[command(after_help = "Examples:\n  ifured plugin check target/release/libmyspec.so\n  ifured --instrument cafos plugin check")]
    Check {
        /// The library; without it the instrument that --instrument names.
        library: Option<PathBuf>,
        /// Longest time, in minutes; a plugin that takes longer fails.
        #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
        minutes: f64,
        /// Where simulated frames and products go and stay; a directory that is removed at the end if not given.
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// In this process: what the command itself starts.
        #[arg(long, hide = true)]
        here: bool,
    },
    /// Print what a library says of itself: how other commands ask it.
    #[command(hide = true)]
    Describe {
        /// The library.
        library: PathBuf,
    },
}

/// What is wanted of all that could be done.
#[derive(Args)]
pub struct TargetArguments {
    /// Only what leads to products of this tag (may be repeated).
    #[arg(long, value_name = "TAG")]
    pub to: Vec<String>,
    /// Only frames or products whose name matches (may be repeated; * and ? are wild).
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
}

/// Which frames.
#[derive(Args)]
pub struct Selection {
    /// What to look at.
    #[arg(long, value_name = "KIND", default_value = "frames")]
    pub of: Kind,
    /// Tag (* and ? are wild; may be repeated).
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Night (* and ? are wild).
    #[arg(long, value_name = "GLOB")]
    pub night: Option<String>,
    /// Only rows for which this holds, for example 'EXPTIME > 50 && QUANT500 < 1000'.
    #[arg(long = "where", value_name = "EXPRESSION")]
    pub filter: Option<String>,
}

#[derive(Args)]
pub struct Ls {
    /// What to list.
    #[arg(default_value = "frames")]
    pub kind: Kind,
    /// Tag (* and ? are wild; may be repeated).
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Night (* and ? are wild).
    #[arg(long, value_name = "GLOB")]
    pub night: Option<String>,
    /// Only rows for which this holds, for example 'EXPTIME > 50 && QUANT500 < 1000'.
    #[arg(long = "where", value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Keywords to show, parted by commas; `all` lists what there is.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Keywords to sort by, parted by commas.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub sort: Vec<String>,
    /// Most decimals of numbers; 5 in tables, all in CSV and JSON if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=30))]
    pub decimals: Option<u16>,
    /// Comma-separated values.
    #[arg(long, conflicts_with_all = ["basic", "single_line"])]
    pub csv: bool,
    /// One ` - name` a line.
    #[arg(long, conflicts_with = "single_line")]
    pub basic: bool,
    /// All paths on one line.
    #[arg(long)]
    pub single_line: bool,
    /// The frames that went into this product, and the other products of its signature.
    #[arg(long, value_name = "PRODUCT")]
    pub made_from: Option<String>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Kind {
    Frames,
    Groups,
    Tasks,
    Products,
    /// Quality numbers of the products, over time.
    Quality,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Graph {
    Dot,
    Mermaid,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ConfigFormat {
    Toml,
    Json,
}

/// The command line with the options that may be repeated in one place, in their order: of those before and those after the name of the command only the
/// latter would count.
pub fn gathered(typed: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut kept, mut repeated) = (Vec::new(), Vec::new());
    let mut typed = typed.into_iter().peekable();
    while let Some(word) = typed.next_if(|word| word != "--") {
        let text = word.to_string_lossy();
        if ["--set", "--plugin"].contains(&&*text) {
            repeated.push(word);
            repeated.extend(typed.next_if(|value| value != "--"));
        } else if text.starts_with("--set=") || text.starts_with("--plugin=") {
            repeated.push(word);
        } else {
            kept.push(word);
        }
    }
    kept.into_iter().chain(repeated).chain(typed).collect()
}

#[cfg(test)]
mod gathered_tests {
    use super::*;

    #[test]
    fn settings_before_and_after_the_command_all_count() {
        let line = |text: &str| gathered(text.split(' ').map(OsString::from)).join(std::ffi::OsStr::new(" ")).into_string().unwrap();
        assert_eq!(line("ifured --set a=1 -i muse reduce raw --set=b=2"), "ifured -i muse reduce raw --set a=1 --set=b=2");
        assert_eq!(line("ifured ls -- --set"), "ifured ls -- --set");
        let typed =
            Arguments::try_parse_from(gathered(["ifured", "--set", "a=1", "plan", "--set", "b=2", "raw"].map(OsString::from))).unwrap();
        assert_eq!(typed.global.set, ["a=1", "b=2"]);
    }
}
