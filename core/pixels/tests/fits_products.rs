//! Products made from real headers pass the program fitsverify without error or warning.

use std::path::PathBuf;
use std::process::Command;

use ifured_pixels::Image;
use ifured_pixels::fits::{Layout, primary_header, write_image};
use ifured_test_support::{shared, skip};
use ndarray::Array2;

fn real_files() -> Option<Vec<PathBuf>> {
    let root = shared("data")?;
    let night = shared("data/cafos/20240720")?.read_dir().unwrap();
    let mut files: Vec<PathBuf> = night.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "fits")).collect();
    files.push(root.join("muse/WFM-AO-N_IC4406_header.fits"));
    files.push(root.join("kmos/XID_208_YJband.fits"));
    Some(files)
}

#[test]
fn products_of_real_headers_pass_fitsverify() {
    let Some(files) = real_files() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for file in &files {
        let header = primary_header(file).unwrap();
        for layout in [Layout::PrimaryData, Layout::Extensions] {
            let product = directory.path().join("product.fits");
            write_image(&product, &header, &Image::new(Array2::zeros((4, 3)), 1.0), layout).unwrap();
            let Ok(output) = Command::new("fitsverify").arg(&product).output() else {
                skip("fitsverify is not installed");
                return;
            };
            let text = String::from_utf8_lossy(&output.stdout);
            if !text.contains("0 warning(s) and 0 error(s)") {
                failures.push(format!("{} {layout:?}:\n{text}", file.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{} products:\n{}", failures.len(), failures.join("\n"));
}
