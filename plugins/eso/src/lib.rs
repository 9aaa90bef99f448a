//! What the ESO instruments share.
