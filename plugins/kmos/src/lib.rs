//! The instrument KMOS.
