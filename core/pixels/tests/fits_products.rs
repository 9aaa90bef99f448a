//! Products made from real headers pass the program fitsverify without error or warning.

use std::path::{Path, PathBuf};
use std::process::Command;

use ifured_pixels::Image;
use ifured_pixels::fits::{Layout, primary_header, write_image};
use ndarray::Array2;

fn real_files() -> Option<Vec<PathBuf>> {
    let root =
        std::env::var_os("IFURED_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let Ok(night) = std::fs::read_dir(root.join("data/cafos/20240720")) else {
        println!("SKIPPED fitsverify of real headers: no ../shared");
        return None;
    };
    let mut files: Vec<PathBuf> = night.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "fits")).collect();
    files.push(root.join("data/muse/WFM-AO-N_IC4406_header.fits"));
    files.push(root.join("data/kmos/XID_208_YJband.fits"));
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
                println!("SKIPPED fitsverify of real headers: the program is not installed");
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
