//! What an instrument says of its raw frames: which part of them is image, which overscan, and which window of the detector they show.

use std::ops::Range;

use ifured_core::{Header, Section};

/// The columns that one amplifier has read, over all rows of a raw frame. Columns count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amplifier {
    /// Columns of the image.
    pub image: Range<usize>,
    /// Columns of its overscan, where it has one.
    pub overscan: Option<Range<usize>>,
}

/// The parts of a raw frame: its amplifiers, in the order of their columns in the image, side by side. Detectors that are read in
/// quadrants do not fit in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOut(pub Vec<Amplifier>);

impl ReadOut {
    /// All columns are image.
    pub fn whole(width: usize) -> Self {
        ReadOut(vec![Amplifier { image: 0..width, overscan: None }])
    }

    /// One amplifier whose overscan is a strip at the left or right edge of a frame of so many columns.
    pub fn with_strip(width: usize, strip: Range<usize>) -> Self {
        let image = if strip.start == 0 { strip.end..width } else { 0..strip.start };
        ReadOut(vec![Amplifier { image, overscan: Some(strip) }])
    }

    /// So many amplifiers that share the columns of the image equally; behind the image a strip of overscan of each, in the same
    /// order.
    pub fn side_by_side(amplifiers: usize, columns: usize, overscan: usize) -> Self {
        let part = |n: usize| Amplifier {
            image: n * columns / amplifiers..(n + 1) * columns / amplifiers,
            overscan: Some(columns + n * overscan..columns + (n + 1) * overscan),
        };
        ReadOut((0..amplifiers).map(part).collect())
    }

    /// Columns of the image portion.
    pub fn columns(&self) -> usize {
        self.0.iter().map(|a| a.image.len()).sum()
    }

    /// Whether all parts are within a frame of so many columns.
    pub(super) fn fits(&self, width: usize) -> bool {
        let within = |r: &Range<usize>| r.start <= r.end && r.end <= width;
        !self.0.is_empty() && self.0.iter().all(|a| within(&a.image) && a.overscan.as_ref().is_none_or(within))
    }
}

/// The strip of overscan that a section (`BIASSEC`) names, in columns from 0, if it is one: of all rows, at an edge of the frame,
/// of 3 columns at least and narrower than half of the frame. Headers say "no overscan" with all kinds of impossible sections.
pub fn overscan_strip(section: &Section, (rows, width): (usize, usize)) -> Option<Range<usize>> {
    let frame = Section::of_shape((rows, width));
    let at_edge = section.x1 == 1 || section.x2 == width as i64;
    let useful = (3..width / 2).contains(&section.width()) && section.height() == rows;
    (frame.contains(section) && at_edge && useful).then(|| section.x1 as usize - 1..section.x2 as usize)
}

/// The pixels of a detector that an image shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// Rows and columns of the image.
    pub shape: (usize, usize),
    /// Window of the detector, in unbinned pixels.
    pub window: Section,
}

/// An instrument's raw frames, and the products that are made of them.
pub trait RawFormat {
    /// The parts of a raw frame of so many rows and columns.
    ///
    /// # Errors
    /// What is wrong with the header.
    fn read_out(&self, _header: &Header, shape: (usize, usize)) -> Result<ReadOut, String> {
        Ok(ReadOut::whole(shape.1))
    }

    /// The window of the detector, in unbinned pixels, that an image of that shape shows: the image portion of a raw frame, or a
    /// product. Without windows it is the whole image.
    fn window(&self, _header: &Header, shape: (usize, usize)) -> Section {
        Section::of_shape(shape)
    }

    /// The pixels that an image of that header and shape shows.
    fn footprint(&self, header: &Header, shape: (usize, usize)) -> Footprint {
        Footprint { shape, window: self.window(header, shape) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_of_overscan_is_at_an_edge_and_of_all_rows() {
        let strip = |text: &str| overscan_strip(&Section::parse(text).unwrap(), (20, 100));
        assert_eq!((strip("[91:100,1:20]"), strip("[1:10,1:20]")), (Some(90..100), Some(0..10)));
        for none in ["[0:1,1:20]", "[41:50,1:20]", "[91:100,1:10]", "[99:100,1:20]", "[41:100,1:20]", "[91:110,1:20]"] {
            assert_eq!(strip(none), None, "{none}");
        }
        assert_eq!(ReadOut::with_strip(100, 0..10).0[0].image, 10..100);
        assert_eq!((ReadOut::with_strip(100, 90..100).columns(), ReadOut::whole(100).columns()), (90, 100));
        let two = ReadOut::side_by_side(2, 100, 16);
        assert_eq!((&two.0[1].image, &two.0[1].overscan, two.fits(132), two.fits(131)), (&(50..100), &Some(116..132), true, false));
    }
}
