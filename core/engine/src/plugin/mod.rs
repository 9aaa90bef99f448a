//! Plugins: libraries of instruments that are not built in, and crates that become such libraries.

mod create;
mod load;
mod probe;

pub use create::create;
pub use load::{PATH_VARIABLE, libraries, load, refuse_twins, user_directory};
pub use probe::{Probe, deferred};
