//! The instrument MUSE.
