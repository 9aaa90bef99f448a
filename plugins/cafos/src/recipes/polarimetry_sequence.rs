//! What the recipes of polarimetry share: the frames of a sequence, and the header of a product made of one.

use ifured_core::Header;
use ifured_core::recipe::{Grouping, MainInput, Memory};

use crate::polarimetry::Measured;
use crate::{products, signatures, tags};

/// Frames further apart than this are not of one sequence, in arcseconds.
pub const SAME_FIELD: f64 = 30.0;
/// Longest time from the first frame of a sequence, in hours.
const SEQUENCE_HOURS: f64 = 3.0;

/// The frames of a sequence.
pub fn sequence() -> MainInput {
    MainInput {
        tags: vec![tags::REDUCED_IMAGING_WOLLASTON.into()],
        group: Grouping {
            signature: signatures::same_field_of_all_angles(SAME_FIELD),
            span_hours: Some(SEQUENCE_HOURS),
            within_night: true,
            apart: vec![],
            min_frames: 1,
        },
        ..MainInput::default()
    }
}

/// Memory of a sequence: a frame, what it is resampled to, and the sum.
pub const MEMORY: Memory = Memory::streaming(80e6, 90.0);

/// The header of a product of a sequence.
pub fn product_header(measured: &Measured) -> Header {
    let mut header = products::header_of(&measured.field.header);
    header.set("BUNIT", "adu", "");
    header.set("IFURED FRAMES", measured.field.exposures.len(), "number of frames in the mean");
    products::write_statistics(&mut header, &measured.field.image);
    header
}
