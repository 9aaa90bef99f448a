//! Which HDUs of two files belong together, and which HDU holds the errors of another.
//!
//! Errors are found by the keywords of ESO's products (`ERRDATA` names the HDU, `HDUCLAS3` of that HDU says `MSE` or `RMSE`), else by name: those of
//! `DATA`, `IFU.1.DATA` or the primary HDU are in `STAT` (variance), `IFU.1.NOISE` (standard deviation) and the like.

use crate::fits::{HduInfo, HduKind};

/// What can be compared in an HDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    Image,
    Table,
    Other,
}

impl Kind {
    pub(super) fn of(hdu: &HduInfo) -> Self {
        match &hdu.kind {
            HduKind::Image { axes, .. } | HduKind::CompressedImage { axes, .. } if axes.is_empty() || axes.contains(&0) => Kind::Empty,
            HduKind::Image { .. } | HduKind::CompressedImage { .. } => Kind::Image,
            HduKind::BinaryTable { compressed: false, .. } | HduKind::AsciiTable { .. } => Kind::Table,
            _ => Kind::Other,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Empty => "empty",
            Kind::Image => "image",
            Kind::Table => "table",
            Kind::Other => "other",
        }
    }
}

/// The name of an HDU in the table of differences.
pub(super) fn name(hdu: &HduInfo) -> String {
    match (extname(hdu), version(hdu)) {
        (Some(name), 1) => name.to_owned(),
        (Some(name), version) => format!("{name}[{version}]"),
        (None, _) if hdu.index == 0 => "PRIMARY".to_owned(),
        (None, _) => format!("#{}", hdu.index),
    }
}

fn extname(hdu: &HduInfo) -> Option<&str> {
    hdu.name().filter(|n| !n.is_empty())
}

/// `EXTVER`, 1 by default (FITS standard 4.0, section 4.4.2.6).
fn version(hdu: &HduInfo) -> i64 {
    hdu.header.integer("EXTVER").unwrap_or(1)
}

/// Places of the HDUs that belong together, in the order of the first file; those that only the second has come last.
pub(super) fn pair(first: &[HduInfo], second: &[HduInfo]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut partner: Vec<Option<usize>> = vec![None; first.len()];
    let mut taken = vec![false; second.len()];
    let keys = [keys(first), keys(second)];
    for (a, key) in keys[0].iter().enumerate().filter(|(_, key)| key.is_some()) {
        partner[a] = (0..second.len()).find(|b| !taken[*b] && keys[1][*b] == *key);
        partner[a].into_iter().for_each(|b| taken[b] = true);
    }
    for n in 0..first.len().min(second.len()) {
        let unnamed = extname(&first[n]).is_none() || extname(&second[n]).is_none();
        if partner[n].is_none() && !taken[n] && unnamed {
            (partner[n], taken[n]) = (Some(n), true);
        }
    }
    let left = (0..second.len()).filter(|b| !taken[*b]).map(|b| (None, Some(b)));
    partner.iter().enumerate().map(|(a, b)| (Some(a), *b)).chain(left).collect()
}

/// Name and version. Data in the primary HDU are those that other products have in the extension `DATA`.
fn keys(hdus: &[HduInfo]) -> Vec<Option<(String, i64)>> {
    let data = ("DATA".to_owned(), 1);
    let named: Vec<_> = hdus.iter().map(|h| extname(h).map(|n| (n.to_uppercase(), version(h)))).collect();
    let free = !named.contains(&Some(data.clone()));
    let is_data = |h: &HduInfo| h.index == 0 && free && Kind::of(h) == Kind::Image;
    named.into_iter().zip(hdus).map(|(key, h)| key.or_else(|| is_data(h).then(|| data.clone()))).collect()
}

/// What errors are given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errors {
    Variance,
    StandardDeviation,
}

impl Errors {
    /// Turns values into variances. A negative standard deviation marks a pixel without one.
    pub(super) fn into_variance(self, values: &mut [f64]) {
        if self == Errors::StandardDeviation {
            values.iter_mut().for_each(|v| *v = if *v >= 0.0 { *v * *v } else { f64::NAN });
        }
    }
}

/// The last part of the name of an HDU of errors.
const ERROR_NAMES: &[(&str, Errors)] = &[
    ("STAT", Errors::Variance),
    ("VARIANCE", Errors::Variance),
    ("VAR", Errors::Variance),
    ("NOISE", Errors::StandardDeviation),
    ("ERR", Errors::StandardDeviation),
    ("ERROR", Errors::StandardDeviation),
    ("ERRS", Errors::StandardDeviation),
    ("SIGMA", Errors::StandardDeviation),
    ("UNCERTAINTY", Errors::StandardDeviation),
];

/// The image of the errors of an image.
pub(super) fn errors_of(hdus: &[HduInfo], data: usize) -> Option<(usize, Errors)> {
    let find = |name: &str| {
        let fits = |h: &&HduInfo| h.index != data && version(h) == version(&hdus[data]) && Kind::of(h) == Kind::Image;
        hdus.iter().filter(fits).find(|h| extname(h).is_some_and(|n| n.eq_ignore_ascii_case(name)))
    };
    if let Some(hdu) = hdus[data].header.text("ERRDATA").ok().and_then(|n| find(n.trim())) {
        match hdu.header.text("HDUCLAS3").map(str::trim) {
            Ok("MSE") => return Some((hdu.index, Errors::Variance)),
            Ok("RMSE") => return Some((hdu.index, Errors::StandardDeviation)),
            // Inverse variances and the like.
            Ok(_) => return None,
            Err(_) => {}
        }
    }
    let prefix = match extname(&hdus[data]).map(str::to_uppercase) {
        Some(name) => name.strip_suffix("DATA")?.to_owned(),
        None if data == 0 => String::new(),
        None => return None,
    };
    ERROR_NAMES.iter().find_map(|(name, errors)| find(&format!("{prefix}{name}")).map(|h| (h.index, *errors)))
}

/// Whether an image holds quality bits.
pub(super) fn is_flags(hdu: &HduInfo) -> bool {
    let class = hdu.header.text("HDUCLAS2").is_ok_and(|c| c.trim() == "QUALITY");
    class || extname(hdu).is_some_and(|n| n.to_uppercase().rsplit('.').next() == Some("DQ"))
}
