//! `BSCALE`, `BZERO` and `BLANK` (FITS standard 4.0, section 4.4.2.5).

use ifured_core::Header;

/// How stored pixels become values: `zero + scale * stored`; `blank` becomes NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// `BSCALE`, 1 if absent.
    pub scale: f64,
    /// `BZERO`, 0 if absent.
    pub zero: f64,
    /// `BLANK`, where it is a value that the stored type can have.
    pub blank: Option<i64>,
}

impl Scaling {
    pub(super) fn is_identity(&self) -> bool {
        self.scale == 1.0 && self.zero == 0.0
    }

    /// From a header; what cannot be used is named in `issues`.
    pub(super) fn of(header: &Header, bitpix: i32, issues: &mut Vec<String>) -> Scaling {
        let mut number = |keyword: &str, default: f64| match header.get(keyword) {
            None => default,
            Some(value) => match value.as_real().filter(|v| v.is_finite()) {
                Some(v) if v != 0.0 || keyword == "BZERO" => v,
                _ => {
                    issues.push(format!("{keyword} = {value} cannot be used; {default} is taken"));
                    default
                }
            },
        };
        let (scale, zero) = (number("BSCALE", 1.0), number("BZERO", 0.0));
        let range = match bitpix {
            8 => 0..=255,
            16 => i64::from(i16::MIN)..=i64::from(i16::MAX),
            32 => i64::from(i32::MIN)..=i64::from(i32::MAX),
            64 => i64::MIN..=i64::MAX,
            _ => return Scaling { scale, zero, blank: None },
        };
        let blank = header.get("BLANK").and_then(|value| match value.as_integer() {
            Some(blank) if range.contains(&blank) => Some(blank),
            _ => {
                issues.push(format!("BLANK = {value} is no value of BITPIX {bitpix}, so no pixel can have it; it is ignored"));
                None
            }
        });
        Scaling { scale, zero, blank }
    }
}
