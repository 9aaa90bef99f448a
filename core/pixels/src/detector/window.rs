//! Windows cut from full frames.

use ifured_core::Section;
use ndarray::{Array2, s};

use crate::Image;

/// Why a window cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
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

/// The part `keep` of an unbinned image that shows section `image_section`.
///
/// # Errors
/// [`WindowError`] when the image does not have the size of its section, or `keep` is not in it.
pub fn trim(image: &Image, image_section: &Section, keep: &Section) -> Result<Image, WindowError> {
    cut_window(image, image_section, keep, (1, 1))
}

/// Cuts a window out of an image that shows the larger section `full`, both in unbinned detector pixels, the image binned by
/// `binning` (x, y). Rows or columns at the end of `full` that do not fill a binned pixel do not exist in the image.
///
/// # Errors
/// [`WindowError`] when the image has not the size of `full`, the window is not within `full`, or does not begin on a binned pixel
/// of it.
pub fn cut_window(image: &Image, full: &Section, window: &Section, binning: (usize, usize)) -> Result<Image, WindowError> {
    if binning.0 == 0 || binning.1 == 0 {
        return Err(WindowError::Binning(binning.0, binning.1));
    }
    let binned = |section: &Section| (section.shape().0 / binning.1, section.shape().1 / binning.0);
    if image.shape() != binned(full) {
        return Err(WindowError::Shape { found: image.shape(), section: *full, binning });
    }
    let outside = WindowError::Outside { section: *window, within: *full };
    let (rows, columns) = window.indices_in(full).ok_or(outside)?;
    if rows.start % binning.1 != 0 || columns.start % binning.0 != 0 {
        return Err(WindowError::Misaligned { window: *window, full: *full, binning });
    }
    let (y, x) = (rows.start / binning.1, columns.start / binning.0);
    let (height, width) = binned(window);
    if y + height > image.shape().0 || x + width > image.shape().1 {
        return Err(WindowError::Misaligned { window: *window, full: *full, binning });
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

    #[test]
    fn a_binned_window_is_the_same_detector_pixels() {
        let full = Section::parse("[1:40,1:60]").unwrap();
        let image = Image::new(Array2::from_shape_fn((30, 20), |(y, x)| (100 * y + x) as f32), 1.0);
        let window = Section::parse("[11:20,21:40]").unwrap();
        let cut = cut_window(&image, &full, &window, (2, 2)).unwrap();
        assert_eq!((cut.shape(), cut.data[[0, 0]]), ((10, 5), 1005.0));
        let odd = Section::parse("[12:21,21:40]").unwrap();
        assert!(matches!(cut_window(&image, &full, &odd, (2, 2)), Err(WindowError::Misaligned { .. })));
        assert!(matches!(cut_window(&image, &full, &window, (1, 1)), Err(WindowError::Shape { .. })));
        assert!(matches!(cut_window(&image, &full, &window, (0, 1)), Err(WindowError::Binning(0, 1))));
        let beyond = Section::parse("[31:50,21:40]").unwrap();
        assert!(matches!(cut_window(&image, &full, &beyond, (2, 2)), Err(WindowError::Outside { .. })));
    }
}
