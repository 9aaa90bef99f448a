//! A real CAFOS night: 7 bias, 7 dome flats, 4 arcs, a standard and a science frame, long slit.

use ifured_pixels::fits;
use ifured_tests::{Scenario, shared};
use ndarray::s;

fn median(mut v: Vec<f32>) -> f64 {
    v.retain(|x| x.is_finite());
    let n = v.len() / 2;
    *v.select_nth_unstable_by(n, f32::total_cmp).1 as f64
}

#[test]
fn a_real_night_is_reduced_and_physically_right() {
    let Some(night) = shared("data/cafos/20240720") else { return };
    let s = Scenario::new();
    s.ifured(&["--instrument", "cafos", "reduce", night.to_str().unwrap()]).code(0);

    let frames = s.ifured(&["ls", "--json"]).code(0).json();
    let frames = frames.as_array().unwrap();
    assert_eq!(frames.len(), 20);
    let count = |tag: &str| frames.iter().filter(|f| f["tag"] == tag && f["state"] == "good").count();
    assert_eq!((count("bias"), count("flat-spectroscopy"), count("arc"), count("science-spectroscopy")), (7, 7, 4, 2), "{frames:#?}");

    let listed = s.ifured(&["ls", "products", "--json"]).code(0).json();
    let names = |tag: &str| -> Vec<String> {
        let rows = listed.as_array().unwrap().iter().filter(|r| r["tag"] == tag);
        rows.map(|r| r["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names("master-bias").len(), names("reduced-spectroscopy").len()), (1, 2), "{listed:#}");
    assert!(!names("master-flat-spectroscopy").is_empty());

    master_bias(&s, &names("master-bias")[0], &night);
    flats(&s, &names("master-flat-spectroscopy"));
    figures(&s, &names("wavelength-solution")[0]);
    for science in names("reduced-spectroscopy") {
        s.ifured(&["why", &science]).code(0).says("bias").says("flat");
        s.ifured(&["verify", s.join(&science).to_str().unwrap()]).code(0);
        let (header, image) = fits::read_image(s.join(&science)).unwrap();
        assert_eq!(header.integer("NAXIS1").unwrap_or(1100), 1100);
        let good = image.quality.iter().filter(|&&q| q == 0).count() as f64 / image.quality.len() as f64;
        assert!(good > 0.5, "{science}: only {good} of the pixels are good");
        assert!(image.variance.iter().zip(&image.quality).all(|(&v, &q)| q != 0 || v > 0.0), "{science}: variance");
    }
}

/// The residuals of the arc lines are described in the product, and drawn.
fn figures(s: &Scenario, name: &str) {
    let title = "Residuals of the wavelength solution";
    s.ifured(&["show", name]).code(0).says(&format!("figure 1 {title}"));
    for (which, to) in [("1", "number.svg"), (title, "title.svg")] {
        s.ifured(&["plot", "--frame", name, "--figure", which, "--to", to]).code(0);
    }
    let drawn = std::fs::read_to_string(s.join("number.svg")).unwrap();
    assert!(drawn.contains("RESIDUAL [Å]") && drawn == std::fs::read_to_string(s.join("title.svg")).unwrap());
    s.ifured(&["plot", "--frame", name, "--figure", "7"]).code(2).says("has no figure `7`").says(&format!("1 {title}"));
}

/// Level and noise against what the raw frames say by themselves.
fn master_bias(s: &Scenario, name: &str, night: &std::path::Path) {
    let (header, master) = fits::read_image(s.join(name)).unwrap();
    let mut raw = Vec::new();
    for n in 1.. {
        let Ok(file) = header.text(&format!("IFURED RAW{n} NAME")) else { break };
        raw.push(fits::ImageReader::open(night.join(file), fits::HduSelect::First).unwrap().read_all().unwrap());
    }
    assert_eq!(raw.len(), 7);
    // Read noise from differences of pairs: robust sigma of (a - b) / sqrt 2, in the middle of the chip.
    let window = s![400..1200, 300..800];
    let mut noises = Vec::new();
    for pair in raw.windows(2) {
        let difference: Vec<f32> = (&pair[0].slice(window) - &pair[1].slice(window)).iter().copied().collect();
        let m = median(difference.clone()) as f32;
        let spread = median(difference.iter().map(|d| (d - m).abs()).collect());
        noises.push(1.4826 * spread / 2f64.sqrt());
    }
    let noise = noises.iter().sum::<f64>() / noises.len() as f64;
    let measured = header.real("IFURED READ NOISE").or_else(|_| quality(&header, "READ NOISE")).unwrap();
    assert!((measured - noise).abs() < 0.12 * noise, "read noise {measured}, from pairs {noise}");

    let level = median(master.data.slice(window).iter().copied().collect());
    let each: Vec<f64> = raw.iter().map(|r| r.slice(window).iter().map(|&v| v as f64).sum::<f64>() / (800.0 * 500.0)).collect();
    let mean = each.iter().sum::<f64>() / 7.0;
    let scatter = (each.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 6.0).sqrt();
    assert!((level - mean).abs() < 3.0 * (scatter / 7f64.sqrt()).max(0.1), "level {level}, frames {mean} +- {scatter}");

    // The error of a mean of seven frames, as the variance plane says it.
    let sigma = median(master.variance.slice(window).iter().copied().collect()).sqrt();
    assert!((sigma / (noise / 7f64.sqrt()) - 1.0).abs() < 0.15, "sigma {sigma}, expected {}", noise / 7f64.sqrt());
}

fn quality(header: &ifured_core::Header, name: &str) -> Result<f64, ifured_core::HeaderError> {
    let n = (1..)
        .take_while(|n| header.contains(&format!("IFURED QC{n} NAME")))
        .find(|n| header.text(&format!("IFURED QC{n} NAME")) == Ok(name));
    header.real(&format!("IFURED QC{} VALUE", n.unwrap_or(0)))
}

fn flats(s: &Scenario, names: &[String]) {
    for name in names {
        let (_, flat) = fits::read_image(s.join(name)).unwrap();
        let good: Vec<f32> = flat.data.iter().zip(&flat.quality).filter(|(_, q)| **q == 0).map(|(v, _)| *v).collect();
        assert!(good.len() > flat.data.len() / 3, "{name}: only {} good pixels", good.len());
        assert!((median(good) - 1.0).abs() < 0.01, "{name}: not normalised");
        // The real chip has dead pixels: they are flagged.
        let flagged =
            flat.quality.iter().filter(|&&q| q & (ifured_pixels::quality::DEAD | ifured_pixels::quality::LOW_SENSITIVITY) != 0).count();
        assert!(flagged > 0, "{name}: no dead pixel flagged");
    }
}
