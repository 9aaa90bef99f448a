//! The instrument CAFOS.
