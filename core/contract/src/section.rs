//! Sections of a detector, as headers write them.

use std::fmt;
use std::ops::Range;

/// A rectangle in unbinned or binned detector pixels, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Section {
    /// First column.
    pub x1: i64,
    /// First row.
    pub y1: i64,
    /// Last column.
    pub x2: i64,
    /// Last row.
    pub y2: i64,
}

/// A text that is no section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a section of the form [x1,y1:x2,y2] or [x1:x2,y1:y2]")]
pub struct SectionError {
    /// The text.
    pub text: String,
}

impl Section {
    /// Reads `[x1,y1:x2,y2]` (Calar Alto, ESO) or `[x1:x2,y1:y2]` (IRAF); which one is told by where the colons are.
    pub fn parse(text: &str) -> Result<Self, SectionError> {
        let fail = || SectionError { text: text.to_owned() };
        let inner = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(fail)?;
        let separators: String = inner.chars().filter(|c| matches!(c, ',' | ':')).collect();
        let numbers: Vec<i64> = inner.split([',', ':']).map(|n| n.trim().parse::<i64>()).collect::<Result<_, _>>().map_err(|_| fail())?;
        let &[a, b, c, d] = numbers.as_slice() else { return Err(fail()) };
        let section = match separators.as_str() {
            ",:," => Section { x1: a, y1: b, x2: c, y2: d },
            ":,:" => Section { x1: a, y1: c, x2: b, y2: d },
            _ => return Err(fail()),
        };
        Ok(section)
    }

    /// Columns; 0 for a section that is empty (`[0,1:0,2048]` is how Calar Alto says "no overscan").
    pub fn width(&self) -> usize {
        if self.x1 < 1 { 0 } else { usize::try_from(self.x2 - self.x1 + 1).unwrap_or(0) }
    }

    /// Rows; 0 for a section that is empty.
    pub fn height(&self) -> usize {
        if self.y1 < 1 { 0 } else { usize::try_from(self.y2 - self.y1 + 1).unwrap_or(0) }
    }

    /// The section of a whole image of `shape` (rows, columns).
    pub fn of_shape(shape: (usize, usize)) -> Self {
        Section { x1: 1, y1: 1, x2: shape.1 as i64, y2: shape.0 as i64 }
    }

    /// Rows and columns; 0 where the section is empty.
    pub fn shape(&self) -> (usize, usize) {
        (self.height(), self.width())
    }

    /// The pixels in both, or nothing.
    pub fn intersection(&self, other: &Section) -> Option<Section> {
        let common = Section { x1: self.x1.max(other.x1), y1: self.y1.max(other.y1), x2: self.x2.min(other.x2), y2: self.y2.min(other.y2) };
        (common.x1 <= common.x2 && common.y1 <= common.y2).then_some(common)
    }

    /// Index ranges (rows, columns) of this section in an unbinned image that shows section `image`; `None` where it is not all in the image.
    pub fn indices_in(&self, image: &Section) -> Option<(Range<usize>, Range<usize>)> {
        if !image.contains(self) {
            return None;
        }
        let start = |a: i64, b: i64| usize::try_from(a - b).ok();
        let (y, x) = (start(self.y1, image.y1)?, start(self.x1, image.x1)?);
        let (rows, columns) = self.shape();
        Some((y..y + rows, x..x + columns))
    }

    /// Whether `other` lies inside.
    pub fn contains(&self, other: &Section) -> bool {
        self.x1 <= other.x1 && self.y1 <= other.y1 && self.x2 >= other.x2 && self.y2 >= other.y2
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{}:{},{}]", self.x1, self.y1, self.x2, self.y2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing() {
        let window = Section { x1: 501, y1: 1, x2: 1600, y2: 1600 };
        assert_eq!(Section::parse("[501,1:1600,1600]"), Ok(window));
        assert_eq!(Section::parse("[501:1600,1:1600]"), Ok(window));
        assert_eq!((window.width(), window.height()), (1100, 1600));
        assert_eq!(Section::parse("[0,1:0,2048]").unwrap().width(), 0);
        for text in ["", "[]", "[1:2]", "251:1900,221:1870", "[1:2,3:4:5]", "[a:2,1:2]", "[1.5:2,1:2]", "[1,2,3]", "[1,2,3,4]", "[1;2:3,4]"]
        {
            assert!(Section::parse(text).is_err(), "{text}");
        }
        assert_eq!(Section::parse(" [ 251:1900, 221:1870 ] ").unwrap().shape(), (1650, 1650));
    }

    #[test]
    fn places_in_an_image() {
        let image = Section::of_shape((2048, 2048));
        let window = Section { x1: 11, y1: 21, x2: 20, y2: 40 };
        assert_eq!(window.indices_in(&image), Some((20..40, 10..20)));
        assert_eq!(window.intersection(&Section { x1: 15, y1: 1, x2: 99, y2: 25 }), Some(Section { x1: 15, y1: 21, x2: 20, y2: 25 }));
        assert_eq!(window.intersection(&Section { x1: 21, y1: 1, x2: 99, y2: 25 }), None);
        let none = Section::parse("[0,1:0,2048]").unwrap();
        assert_eq!(none.indices_in(&image), None);
    }
}
