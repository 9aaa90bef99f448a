//! Grouping: which frames are combined.
//!
//! Frames are taken in the order of time (then name). A frame joins the first group whose first frame has an equal
//! signature, lies in the same night where that is asked, on the same side of every `apart` condition, and less than
//! `span_hours` before it; else it starts a group of its own. The result does not depend on the order in which files
//! were found.

use std::sync::Arc;

use ifured_core::recipe::Grouping;
use ifured_core::rule::Verdict;

use super::item::Item;

/// Collects items into groups, each in the order of time.
pub fn group(mut items: Vec<Arc<Item>>, rule: &Grouping) -> Vec<Vec<Arc<Item>>> {
    items.sort_by(|a, b| a.mjd.total_cmp(&b.mjd).then_with(|| a.name.cmp(&b.name)));
    let mut groups: Vec<Vec<Arc<Item>>> = Vec::new();
    for item in items {
        let alone = rule.span_hours == Some(0.0);
        let home = if alone { None } else { groups.iter_mut().find(|g| belongs(&item, &g[0], rule)) };
        match home {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// A modified Julian date as `f64` is known to 0.6 microseconds: a difference that is the span up to this is not less than it.
const ROUNDING_HOURS: f64 = 1e-8;

fn belongs(item: &Item, first: &Item, rule: &Grouping) -> bool {
    let near = rule.span_hours.is_none_or(|span| ((item.mjd - first.mjd) * 24.0).abs() < span - ROUNDING_HOURS);
    let night = !rule.within_night || item.night == first.night;
    let side = |i: &Item| rule.apart.iter().map(|c| c.check(i) == Verdict::Holds).collect::<Vec<_>>();
    near && night && side(item) == side(first) && rule.signature.agree(first, item)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use ifured_core::{Condition, Header, Signature, SignatureValues, Test, Value};
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{Frame, FrameState};

    /// A good frame for tests.
    pub(crate) fn item(name: &str, tag: &str, night: &str, mjd: f64, keys: &[(&str, Value)]) -> Arc<Item> {
        let mut header = Header::new();
        for (k, v) in keys {
            header.set(k, v.clone(), "");
        }
        Arc::new(Item::raw(Arc::new(Frame {
            path: PathBuf::from(name),
            name: name.into(),
            night: night.into(),
            hash: format!("hash-{name}"),
            bytes: 1,
            header,
            extensions: vec![],
            axes: vec![100, 100],
            statistics: vec![],
            mjd: Some(mjd),
            instrument: None,
            tag: tag.into(),
            state: FrameState::Good,
            why: String::new(),
            notes: vec![],
            trace: vec![],
            signature: SignatureValues::default(),
            corrections: vec![],
            exposure_name: None,
        })))
    }

    fn rule(span: f64) -> Grouping {
        Grouping {
            signature: Signature::exact(&["BIN"]),
            span_hours: Some(span),
            within_night: true,
            apart: vec![Condition::new("IMAGETYP", Test::Equal, "twilight")],
            min_frames: 1,
        }
    }

    fn names(groups: &[Vec<Arc<Item>>]) -> Vec<String> {
        groups.iter().map(|g| g.iter().map(|i| i.name.clone()).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn span_counts_from_the_first_frame_and_is_strict() {
        let at = |name: &str, hours: f64| item(name, "flat", "n1", 57831.0 + hours / 24.0, &[("BIN", 1i64.into())]);
        let groups = group(vec![at("a", 0.0), at("b", 0.6), at("c", 0.99), at("d", 1.0), at("e", 1.6)], &rule(1.0));
        assert_eq!(names(&groups), ["a b c", "d e"]);
    }

    #[test]
    fn signature_night_and_side_keep_apart() {
        let frames = vec![
            item("a", "flat", "n1", 1.0, &[("BIN", 1i64.into())]),
            item("b", "flat", "n1", 1.0, &[("BIN", 2i64.into())]),
            item("c", "flat", "n2", 1.0, &[("BIN", 1.0.into())]),
            item("d", "flat", "n1", 1.0, &[("BIN", 1i64.into()), ("IMAGETYP", "TWILIGHT".into())]),
            item("e", "flat", "n1", 1.01, &[("BIN", 1.0.into())]),
        ];
        assert_eq!(names(&group(frames, &rule(1.0))), ["a e", "b", "c", "d"]);
    }

    proptest! {
        #[test]
        fn groups_do_not_depend_on_the_order(hours in proptest::collection::vec(0.0f64..5.0, 1..20), seed in any::<u64>()) {
            let items: Vec<_> = hours.iter().enumerate()
                .map(|(n, h)| item(&format!("f{n:02}"), "flat", "n", 1.0 + h / 24.0, &[("BIN", ((n % 2) as i64).into())])).collect();
            let mut mixed = items.clone();
            let n = mixed.len();
            for i in 0..n {
                mixed.swap(i, (seed.rotate_left(i as u32) % n as u64) as usize);
            }
            prop_assert_eq!(names(&group(items, &rule(1.0))), names(&group(mixed, &rule(1.0))));
        }
    }
}
