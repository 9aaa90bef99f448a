//! What it costs to run a recipe as a recipe of ifured instead of with esorex itself: processor time and elapsed time of both.
//!
//! ```sh
//! cargo run --release -p ifured-eso --example esorex_overhead -- plugins/muse/src/parameters/muse_2.8.7.json \
//!     muse_bias MASTER_BIAS bias.sof OUTPUT nifu=1
//! ```
//!
//! `OUTPUT` is a directory; the last arguments are parameters of the recipe.

use std::path::Path;
use std::time::Instant;

use ifured_core::recipe::{MainInput, ProductSpec, TaskInput, TaskOutput};
use ifured_core::sof;
use ifured_core::{AnyRecipe, Host, RecipeDescription, Signature, Task};
use ifured_eso::esorex::{EsorexRecipe, Program, RecipeParameters};

struct Terminal;

impl Host for Terminal {
    fn progress(&self, fraction: f64, what: &str) {
        eprintln!("{:3.0} % {what}", 100.0 * fraction);
    }
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, recipe, tags, frames, output, options @ ..] = arguments.as_slice() else {
        return Err("usage: esorex_overhead PARAMETERS.json RECIPE TAG,TAG... SOF OUTPUT [NAME=VALUE...]".into());
    };
    let parameters = RecipeParameters::parse(&std::fs::read_to_string(file)?)?;
    let place = |path: &Path| std::path::absolute(path).map_err(|e| e.to_string());
    let text = std::fs::read_to_string(frames)?;
    let frames = sof::parse(Path::new(frames), &text, &[], place, |name| std::env::var(name).ok()).map_err(|p| sof::as_error(&p))?;
    let output = std::path::absolute(output)?;

    let bare = output.join("bare");
    std::fs::create_dir_all(&bare)?;
    std::fs::write(bare.join("frames.sof"), sof::text(&frames)?)?;
    let start = Times::now();
    let status = Program::find()?
        .command(&bare)
        .current_dir(&bare)
        .env("OMP_NUM_THREADS", "1")
        .arg(recipe)
        .args(options.iter().map(|o| format!("--{o}")))
        .arg("frames.sof")
        .stdout(std::fs::File::create(bare.join("printed.txt"))?)
        .status()?;
    println!("esorex alone       {} ({status})", Times::now().since(&start));

    let none = Signature::default();
    let tags: Vec<&str> = tags.split(',').collect();
    let description = RecipeDescription {
        name: recipe.clone(),
        main: MainInput::groups(&[], &none, 24.0, 1),
        products: tags.iter().map(|t| ProductSpec::new(t, t, &format!("{t}.fits"), &none)).collect(),
        ..RecipeDescription::default()
    };
    let inputs = frames.iter().map(|f| TaskInput {
        role: "main".into(),
        tag: f.tag.as_str().into(),
        path: f.path.clone(),
        name: f.path.display().to_string(),
        ..TaskInput::default()
    });
    let values = options.iter().filter_map(|o| o.split_once('='));
    let value = |v: &str| serde_json::from_str(v).unwrap_or_else(|_| v.into());
    let task = Task {
        id: "overhead".into(),
        recipe: recipe.clone(),
        parameters: values.map(|(n, v)| (n.to_owned(), value(v))).collect::<serde_json::Map<_, _>>().into(),
        inputs: inputs.collect(),
        outputs: tags
            .iter()
            .map(|t| TaskOutput {
                tag: (*t).into(),
                path: output.join(format!("{t}.fits")),
                name: format!("{t}.fits"),
                ..TaskOutput::default()
            })
            .collect(),
        ..Task::default()
    };
    let start = Times::now();
    let outcome =
        EsorexRecipe::new(description, recipe, &parameters)?.execute(&task, &Terminal).map_err(|e| format!("{e}\n{}", e.advice))?;
    println!("as ifured's recipe {}", Times::now().since(&start));
    for product in &outcome.products {
        println!("{} {} ({} bytes)", product.tag, product.name, product.bytes);
    }
    for number in &outcome.quality {
        println!("{} = {:?} {} ({})", number.name, number.value, number.unit, number.grade.as_str());
    }
    outcome.notes.iter().for_each(|note| println!("{note}"));
    Ok(())
}

/// Elapsed time, and processor time of this process and of those that it has waited for, in seconds.
struct Times {
    at: Instant,
    own: f64,
    children: f64,
}

impl Times {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // Behind the name in brackets, which may hold anything, and eleven words: own time in user and system mode, then that of children (proc(5)).
        let words = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11);
        let ticks: Vec<f64> = words.map_while(|w| w.parse().ok()).collect();
        let seconds =
            |n: usize| ticks.get(n..n + 2).map_or(f64::NAN, |t| t.iter().sum::<f64>()) / rustix::param::clock_ticks_per_second() as f64;
        Times { at: Instant::now(), own: seconds(0), children: seconds(2) }
    }

    fn since(&self, start: &Times) -> String {
        let elapsed = self.at.duration_since(start.at).as_secs_f64();
        format!("{elapsed:.2} s elapsed, processor: {:.2} s own, {:.2} s esorex", self.own - start.own, self.children - start.children)
    }
}
