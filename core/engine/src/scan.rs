//! Scanning: headers, content hashes and pixel statistics of all files below a directory, in parallel.
//!
//! A file whose size, times and inode are as the catalogue remembers them is not read again. A file that cannot be read is a
//! row with its reason, never the end of the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ifured_core::{Header, provenance};
use ifured_pixels::fits;
use rayon::prelude::*;

use crate::catalogue::{Catalogue, ScannedRow};
use crate::error::{Error, Result};
use crate::files::{self, Fingerprint};
use crate::frame::Statistics;

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct ScanSummary {
    /// Frames below the directory.
    pub frames: usize,
    /// Of these, read now because they are new or changed.
    pub read: usize,
    /// Files that were in the catalogue and are gone.
    pub gone: Vec<PathBuf>,
    /// Files whose content is another one than before.
    pub replaced: Vec<PathBuf>,
    /// Directories that could not be looked into.
    pub problems: Vec<String>,
}

/// Scans a directory into what is known of it, and into the catalogue if there is one to write. `progress` is called with the number of files done and to do.
pub fn scan(
    catalogue: Option<&mut Catalogue>,
    known: &mut BTreeMap<PathBuf, ScannedRow>,
    root: &Path,
    statistics: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<ScanSummary> {
    let root = root.canonicalize().map_err(Error::io("cannot look into", root))?;
    let (paths, problems) = files::find_frames(&root)?;
    let to_read: Vec<(PathBuf, Option<Fingerprint>)> = paths
        .iter()
        .filter_map(|path| {
            let now = Fingerprint::of(path).ok();
            let unchanged = known.get(path).is_some_and(|row| row.fingerprint == now && now.is_some() && row.root == root);
            (!unchanged).then(|| (path.clone(), now))
        })
        .collect();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let rows: Vec<ScannedRow> = to_read
        .par_iter()
        .map(|(path, now)| {
            let row = read_row(path, &root, *now, statistics);
            tracing::debug!(file = %path.display(), hash = row.hash, error = row.error, "read");
            let n = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            progress(n, to_read.len());
            row
        })
        .collect();
    let replaced =
        rows.iter().filter(|row| known.get(&row.path).is_some_and(|old| old.hash != row.hash)).map(|row| row.path.clone()).collect();
    let present: std::collections::HashSet<&PathBuf> = paths.iter().collect();
    let gone: Vec<PathBuf> =
        known.values().filter(|row| row.root == root && !present.contains(&row.path)).map(|row| row.path.clone()).collect();
    if let Some(catalogue) = catalogue {
        catalogue.store_scan(&root, &rows, &gone)?;
    }
    let read = rows.len();
    gone.iter().for_each(|path| drop(known.remove(path)));
    known.extend(rows.into_iter().map(|row| (row.path.clone(), row)));
    Ok(ScanSummary { frames: paths.len(), read, gone, replaced, problems })
}

fn read_row(path: &Path, root: &Path, fingerprint: Option<Fingerprint>, statistics: bool) -> ScannedRow {
    let mut row = ScannedRow {
        path: path.to_owned(),
        root: root.to_owned(),
        fingerprint,
        hash: String::new(),
        header: Header::new(),
        extensions: Vec::new(),
        axes: Vec::new(),
        statistics: Vec::new(),
        error: String::new(),
    };
    let hdus = match fits::scan_file_unless(path, statistics, |header| header.contains(provenance::TASK)) {
        // The content of one's own products is in the catalogue.
        Ok(Err(hdus)) => hdus,
        Ok(Ok(file)) => {
            let name = |h: &fits::HduInfo| h.name().filter(|name| !name.is_empty()).map(str::to_owned);
            row.extensions = file.hdus.iter().skip(1).filter_map(name).collect();
            row.statistics = file.statistics.map(|s| statistics_by_name(&s)).unwrap_or_default();
            row.hash = file.hash;
            file.hdus
        }
        Err(e) => {
            row.header = fits::primary_header(path).unwrap_or_default();
            row.error = e.to_string();
            return row;
        }
    };
    row.axes = largest_image(&hdus);
    row.header = hdus.into_iter().next().map(|h| h.header).unwrap_or_default();
    row
}

/// Axes of the image with the most pixels, compressed or not; of two, the first. Empty if no image has any.
fn largest_image(hdus: &[fits::HduInfo]) -> Vec<usize> {
    let axes = hdus.iter().filter_map(|h| Some(h.kind.image()?.1)).filter(|axes| !axes.is_empty());
    let pixels = |axes: &[u64]| axes.iter().fold(1u64, |product, length| product.saturating_mul(*length));
    let largest = axes.rev().max_by_key(|axes| pixels(axes)).filter(|axes| pixels(axes) > 0).unwrap_or_default();
    largest.iter().map(|length| usize::try_from(*length).unwrap_or(usize::MAX)).collect()
}

fn statistics_by_name(s: &fits::PixelStatistics) -> Statistics {
    let values = [
        ("NPOINTS", s.npoints as f64),
        ("FMINIMUM", s.minimum),
        ("QUANT025", s.q025),
        ("QUANT159", s.q159),
        ("QUANT250", s.q250),
        ("QUANT500", s.q500),
        ("QUANT750", s.q750),
        ("QUANT841", s.q841),
        ("QUANT975", s.q975),
        ("FMAXIMUM", s.maximum),
        ("ROBUSTSTD", s.robust_std),
    ];
    values.iter().filter(|(_, v)| v.is_finite()).map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

#[cfg(test)]
mod tests {
    use ifured_pixels::fits::{HduInfo, HduKind};

    use super::*;

    fn hdu(kind: HduKind) -> HduInfo {
        let (index, header, issues) = (0, Header::new(), Vec::new());
        HduInfo { index, header, kind, header_offset: 0, data_offset: 0, data_bytes: 0, issues }
    }

    fn image(axes: &[u64]) -> HduInfo {
        hdu(HduKind::Image { bitpix: 16, axes: axes.to_vec() })
    }

    #[test]
    fn the_image_with_the_most_pixels_is_the_largest_wherever_it_is() {
        let table = hdu(HduKind::BinaryTable { rows: 1 << 40, columns: 3, compressed: false });
        let compressed = hdu(HduKind::CompressedImage { bitpix: 16, axes: vec![4224, 4240], algorithm: "RICE_1".into() });
        assert_eq!(largest_image(&[image(&[]), image(&[100, 200]), compressed, image(&[4240, 4224]), table.clone()]), [4224, 4240]);
        assert_eq!(largest_image(&[image(&[50, 60, 70]), image(&[3000])]), [50, 60, 70]);
        assert_eq!(largest_image(&[image(&[]), image(&[0, 9]), table]), [0usize; 0]);
        assert_eq!(largest_image(&[]), [0usize; 0]);
    }
}
