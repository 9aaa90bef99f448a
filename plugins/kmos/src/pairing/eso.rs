//! The table as `kmos_sci_red` reads it (parameter `obj_sky_table`): frames by index, arms by column.
//!
//! Layout as ESO's guide to the KMOS workflow shows it (section *object/sky association*): a list of all frames with their indices, from 0 in
//! the order of the set of frames; for each frame that is reduced the types of its 24 arms, and for each object the index of the frame with its sky,
//! with `/` and the arm where that is another one. A dot is an arm without object or sky. The recipe checks none of it, so it is only
//! written of a table that has been checked. Not yet tried on the recipe itself.

use std::path::Path;

use super::{Exposure, Kind, Pairing, Row};
use crate::arms::ARMS;

/// Between the columns of the arms, which are as wide as `12/24`.
const WIDTH: usize = 6;

/// The table of a pairing; `files` are the frames of the task in the order of its set of frames, each with its exposure.
pub fn table(pairing: &Pairing, files: &[(&Exposure, &Path)]) -> String {
    let rule = "-".repeat(14 + WIDTH * usize::from(ARMS));
    let mut text = String::from("Object/sky associations of frames tagged as: SCIENCE\nindex: filename:\n");
    for (n, (_, path)) in files.iter().enumerate() {
        text += &format!("# {n}: {}\n", path.display());
    }
    text += &format!("{rule}\n{:<14}{}\n{rule}\n", "IFU", cells((1..=ARMS).map(|n| n.to_string())));
    let index = |name: &str| files.iter().position(|(e, _)| e.name == name);
    for (n, (exposure, path)) in files.iter().enumerate() {
        let rows: Vec<&Row> = pairing.rows.iter().filter(|r| r.frame == exposure.name).collect();
        if !rows.iter().any(|r| r.kind.is_target()) {
            continue;
        }
        let row = |arm: u8| rows.iter().find(|r| r.arm == arm);
        let kind = |arm: u8| match row(arm).map(|r| r.kind) {
            Some(Kind::Object | Kind::Reference) => "O",
            Some(Kind::Sky) => "S",
            _ => ".",
        };
        let sky = |arm: u8| {
            let of_row = row(arm).and_then(|r| r.sky.as_ref());
            let place = of_row.and_then(|s| Some((index(&s.frame)?, s.arm)));
            place.map_or(".".to_owned(), |(i, other)| if other == arm { i.to_string() } else { format!("{i}/{other}") })
        };
        text += &format!("frame # {n}: {}\n", path.display());
        text += &format!("{:>12}: {}\n", "type", cells((1..=ARMS).map(|arm| kind(arm).to_owned())));
        text += &format!("{:>12}: {}\n", "sky in #", cells((1..=ARMS).map(sky)));
    }
    text + &rule + "\n"
}

fn cells(values: impl Iterator<Item = String>) -> String {
    values.map(|v| format!("{v:>WIDTH$}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::exposure;
    use super::super::{Sky, automatic};
    use super::*;

    #[test]
    fn frames_by_index_and_arms_by_column() {
        let all = [
            exposure("a.fits", 0.0, "1", "OSRO", true),
            exposure("s.fits", 3.0, "1", "SSSS", false),
            exposure("b.fits", 6.0, "1", "SO", true),
        ];
        let mut pairing = automatic(&all);
        pairing.rows.iter_mut().filter(|r| r.frame == "a.fits" && r.arm == 3).for_each(|r| {
            r.sky = Some(Sky { frame: "s.fits".into(), arm: 4 });
        });
        pairing.rows.iter_mut().filter(|r| r.frame == "a.fits" && r.arm == 4).for_each(|r| r.sky = None);
        let paths = all.each_ref().map(|e| Path::new("/raw").join(&e.name));
        let files: Vec<(&Exposure, &Path)> = all.iter().zip(&paths).map(|(e, p)| (e, p.as_path())).collect();
        let text = table(&pairing, &files);
        let words = |start: &str| -> Vec<Vec<String>> {
            let lines = text.lines().filter(|l| l.trim_start().starts_with(start));
            lines.map(|l| l.split(": ").nth(1).unwrap().split_whitespace().map(str::to_owned).collect()).collect()
        };
        assert_eq!(
            text.lines().filter(|l| l.starts_with("# ")).collect::<Vec<_>>(),
            ["# 0: /raw/a.fits", "# 1: /raw/s.fits", "# 2: /raw/b.fits"]
        );
        // The frame that only gives sky is in the list, and not reduced.
        assert_eq!(words("frame #"), [["/raw/a.fits"], ["/raw/b.fits"]]);
        let (types, skies) = (words("type"), words("sky in #"));
        assert!(types.iter().chain(&skies).all(|row| row.len() == 24));
        assert_eq!((types[0][..5].join(" "), skies[0][..5].join(" ")), ("O S O O .".into(), "1 . 1/4 . .".into()));
        assert_eq!((types[1][..3].join(" "), skies[1][..3].join(" ")), ("S O .".into(), ". 1 .".into()));
    }
}
