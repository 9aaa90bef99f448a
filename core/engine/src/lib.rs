//! Everything with a run and no pixel arithmetic.
