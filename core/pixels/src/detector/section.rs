//! Sections of a detector as header keywords write them, and windows cut from full frames.
//!
//! A section counts pixels from 1, both ends included, in coordinates of the whole unbinned detector. Two notations are in use:
//! corners `[x1,y1:x2,y2]` (CAHA) and IRAF's ranges `[x1:x2,y1:y2]`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use ndarray::{Array2, s};

use crate::Image;

/// A rectangle of detector pixels: columns `x1` to `x2`, rows `y1` to `y2`, from 1, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Section {
    /// First column.
    pub x1: i64,
    /// Last column.
    pub x2: i64,
    /// First row.
    pub y1: i64,
    /// Last row.
    pub y2: i64,
}

/// Why a section cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// Not a section.
    #[error("'{0}' is not a section: expected [x1,y1:x2,y2] or [x1:x2,y1:y2] with whole numbers")]
    Syntax(String),
    /// The last pixel comes before the first.
    #[error("section {0} ends before it begins")]
    Reversed(Section),
    /// Not within the image or the larger section.
    #[error("section {section} is not within {within}")]
    Outside {
        /// The section.
        section: Section,
        /// What it should lie in.
        within: Section,
    },
    /// Binning of 0.
    #[error("binning {0}x{1} is not possible")]
    Binning(usize, usize),
    /// The window does not begin or end on a binned pixel of the full frame.
    #[error("window {window} does not fall on whole {0}x{1} binned pixels of {full}", binning.0, binning.1)]
    Misaligned {
        /// The window.
        window: Section,
        /// Section of the full frame.
        full: Section,
        /// Binning in x and y.
        binning: (usize, usize),
    },
    /// The image has not the size its section and binning say.
    #[error("an image of {found:?} rows and columns cannot be section {section} with binning {0}x{1}", binning.0, binning.1)]
    Shape {
        /// Shape of the image.
        found: (usize, usize),
        /// Its section.
        section: Section,
        /// Binning in x and y.
        binning: (usize, usize),
    },
}

impl Section {
    /// The section of a whole image of `shape` (rows, columns).
    pub fn of_shape(shape: (usize, usize)) -> Self {
        Section { x1: 1, x2: shape.1 as i64, y1: 1, y2: shape.0 as i64 }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        ((self.y2 - self.y1 + 1).max(0) as usize, (self.x2 - self.x1 + 1).max(0) as usize)
    }

    /// Whether all pixels of `other` lie in this section.
    pub fn contains(&self, other: &Section) -> bool {
        self.x1 <= other.x1 && other.x2 <= self.x2 && self.y1 <= other.y1 && other.y2 <= self.y2
    }

    /// The pixels in both, or nothing.
    pub fn intersection(&self, other: &Section) -> Option<Section> {
        let common = Section { x1: self.x1.max(other.x1), x2: self.x2.min(other.x2), y1: self.y1.max(other.y1), y2: self.y2.min(other.y2) };
        (common.x1 <= common.x2 && common.y1 <= common.y2).then_some(common)
    }

    /// Index ranges (rows, columns) of this section in an unbinned image that shows section `image`.
    ///
    /// # Errors
    /// [`SectionError::Outside`] when it is not all in the image.
    pub fn indices_in(&self, image: &Section) -> Result<(Range<usize>, Range<usize>), SectionError> {
        if !image.contains(self) {
            return Err(SectionError::Outside { section: *self, within: *image });
        }
        let (y, x) = ((self.y1 - image.y1) as usize, (self.x1 - image.x1) as usize);
        let (rows, columns) = self.shape();
        Ok((y..y + rows, x..x + columns))
    }
}

impl fmt::Display for Section {
    /// IRAF's notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{},{}:{}]", self.x1, self.x2, self.y1, self.y2)
    }
}

impl FromStr for Section {
    type Err = SectionError;

    /// Reads `[x1,y1:x2,y2]` or `[x1:x2,y1:y2]`; the number of colons tells which. Blanks do not matter.
    fn from_str(text: &str) -> Result<Self, SectionError> {
        let syntax = || SectionError::Syntax(text.to_owned());
        let inner = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(syntax)?;
        let pair = |part: &str, by: char| -> Result<(i64, i64), SectionError> {
            let (a, b) = part.split_once(by).ok_or_else(syntax)?;
            Ok((a.trim().parse().map_err(|_| syntax())?, b.trim().parse().map_err(|_| syntax())?))
        };
        let section = match inner.matches(':').count() {
            1 => {
                let (first, last) = inner.split_once(':').ok_or_else(syntax)?;
                let ((x1, y1), (x2, y2)) = (pair(first, ',')?, pair(last, ',')?);
                Section { x1, x2, y1, y2 }
            }
            2 => {
                let (x, y) = inner.split_once(',').ok_or_else(syntax)?;
                let ((x1, x2), (y1, y2)) = (pair(x, ':')?, pair(y, ':')?);
                Section { x1, x2, y1, y2 }
            }
            _ => return Err(syntax()),
        };
        if section.x2 < section.x1 || section.y2 < section.y1 {
            return Err(SectionError::Reversed(section));
        }
        Ok(section)
    }
}

/// The part `keep` of an unbinned image that shows section `image_section`.
///
/// # Errors
/// [`SectionError`] when the image does not have the size of its section, or `keep` is not in it.
pub fn trim(image: &Image, image_section: &Section, keep: &Section) -> Result<Image, SectionError> {
    cut_window(image, image_section, keep, (1, 1))
}

/// Cuts a window out of an image that shows the larger section `full`, both in unbinned detector pixels, the image binned by
/// `binning` (x, y). Rows or columns at the end of `full` that do not fill a binned pixel do not exist in the image.
///
/// # Errors
/// [`SectionError`] when the image has not the size of `full`, the window is not within `full`, or does not begin on a binned pixel
/// of it.
pub fn cut_window(image: &Image, full: &Section, window: &Section, binning: (usize, usize)) -> Result<Image, SectionError> {
    if binning.0 == 0 || binning.1 == 0 {
        return Err(SectionError::Binning(binning.0, binning.1));
    }
    let binned = |section: &Section| (section.shape().0 / binning.1, section.shape().1 / binning.0);
    if image.shape() != binned(full) {
        return Err(SectionError::Shape { found: image.shape(), section: *full, binning });
    }
    let (rows, columns) = window.indices_in(full)?;
    if rows.start % binning.1 != 0 || columns.start % binning.0 != 0 {
        return Err(SectionError::Misaligned { window: *window, full: *full, binning });
    }
    let (y, x) = (rows.start / binning.1, columns.start / binning.0);
    let (height, width) = binned(window);
    if y + height > image.shape().0 || x + width > image.shape().1 {
        return Err(SectionError::Misaligned { window: *window, full: *full, binning });
    }
    let part = s![y..y + height, x..x + width];
    let own = |v: ndarray::ArrayView2<f32>| -> Array2<f32> { v.as_standard_layout().into_owned() };
    Ok(Image {
        data: own(image.data.slice(part)),
        variance: own(image.variance.slice(part)),
        quality: image.quality.slice(part).as_standard_layout().into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_notations_are_read() {
        let expected = Section { x1: 251, x2: 1900, y1: 221, y2: 1870 };
        assert_eq!("[251,221:1900,1870]".parse(), Ok(expected));
        assert_eq!(" [ 251:1900, 221:1870 ] ".parse(), Ok(expected));
        assert_eq!(expected.shape(), (1650, 1650));
    }

    #[test]
    fn broken_sections_are_refused() {
        for text in ["", "[]", "[1:2]", "251:1900,221:1870", "[1:2,3:4:5]", "[a:2,1:2]", "[1.5:2,1:2]", "[1,2,3,4]"] {
            assert_eq!(text.parse::<Section>(), Err(SectionError::Syntax(text.into())), "{text}");
        }
        assert!(matches!("[10:1,1:5]".parse::<Section>(), Err(SectionError::Reversed(_))));
        // An empty overscan section of CAFOS: read, but outside of every image.
        let none: Section = "[0,1:0,2048]".parse().unwrap();
        let error = none.indices_in(&Section::of_shape((2048, 2048))).unwrap_err();
        assert_eq!(error.to_string(), "section [0:0,1:2048] is not within [1:2048,1:2048]");
    }

    #[test]
    fn a_binned_window_is_the_same_detector_pixels() {
        let full: Section = "[1:40,1:60]".parse().unwrap();
        let image = Image::new(Array2::from_shape_fn((30, 20), |(y, x)| (100 * y + x) as f32), 1.0);
        let window: Section = "[11:20,21:40]".parse().unwrap();
        let cut = cut_window(&image, &full, &window, (2, 2)).unwrap();
        assert_eq!((cut.shape(), cut.data[[0, 0]]), ((10, 5), 1005.0));
        let odd: Section = "[12:21,21:40]".parse().unwrap();
        assert!(matches!(cut_window(&image, &full, &odd, (2, 2)), Err(SectionError::Misaligned { .. })));
        assert!(matches!(cut_window(&image, &full, &window, (1, 1)), Err(SectionError::Shape { .. })));
        assert!(matches!(cut_window(&image, &full, &window, (0, 1)), Err(SectionError::Binning(0, 1))));
    }

    proptest! {
        #[test]
        fn writing_and_reading_is_the_same(x1 in -5i64..3000, y1 in -5i64..3000, w in 0i64..3000, h in 0i64..3000) {
            let section = Section { x1, x2: x1 + w, y1, y2: y1 + h };
            prop_assert_eq!(section.to_string().parse::<Section>(), Ok(section));
            prop_assert_eq!(format!("[{},{}:{},{}]", x1, y1, x1 + w, y1 + h).parse::<Section>(), Ok(section));
        }
    }
}
