//! How fast files are scanned and read, compared with reading their bytes: `fits_speed FILE...`, all from the page cache.
//!
//! Without files, twenty frames of 1650 x 1650 pixels of 16 bits are made in a temporary folder.

use std::path::PathBuf;
use std::time::Instant;

use ifured_core::Header;
use ifured_pixels::fits::{FitsError, HduSelect, HduToWrite, ImageReader, scan_file, write_product};
use ndarray::Array2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        let pixels = Array2::from_shape_fn((1650, 1650), |(r, c)| (1000 + (r * 7919 + c * 104729) % 400) as u16);
        for n in 0..20 {
            let path = directory.path().join(format!("{n}.fits"));
            write_product(&path, &[HduToWrite::image(&Header::new(), pixels.view())])?;
            files.push(path);
        }
    }
    let mut buffer = vec![0u8; 1 << 20];
    type Way<'a> = (&'a str, Box<dyn FnMut(&PathBuf) -> Result<(), FitsError> + 'a>);
    let mut image = Vec::new();
    let ways: [Way<'_>; 4] = [
        (
            "read bytes",
            Box::new(|path| {
                use std::io::Read;
                let io = |source| FitsError::Io { path: path.clone(), what: "read", source };
                let mut file = std::fs::File::open(path).map_err(io)?;
                while file.read(&mut buffer).map_err(io)? > 0 {}
                Ok(())
            }),
        ),
        ("scan: hash", Box::new(|path| scan_file(path, false).map(drop))),
        ("scan: hash and statistics", Box::new(|path| scan_file(path, true).map(drop))),
        (
            "image to f32",
            Box::new(|path| {
                let reader = ImageReader::open(path, HduSelect::First)?;
                let (rows, columns) = reader.stacked_shape();
                image.resize(rows * columns, 0f32);
                reader.read_rows(0..rows, &mut image)
            }),
        ),
    ];
    let megabytes = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum::<u64>() as f64 / 1e6;
    for (name, mut way) in ways {
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            files.iter().try_for_each(&mut way)?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{name:<28} {:8.0} MB/s   {:.2} ms a file", megabytes / best, 1e3 * best / files.len() as f64);
    }
    Ok(())
}
