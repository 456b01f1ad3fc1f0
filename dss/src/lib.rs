//! dss, the Distributed State Service: the catalogue of respool. It records what exists, in which state, and refuses
//! what would lose anything.

mod adoption;
pub mod catalogue;
#[cfg(feature = "conformance")]
pub mod conformance;
mod lost;
pub mod mem;
#[cfg(feature = "simulation")]
pub mod mint;
#[cfg(not(feature = "simulation"))]
mod mint;
pub mod model;
mod overlap;
pub mod pg;
mod release;
