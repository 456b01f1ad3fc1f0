//! LTFS over the driver of real drives, over a library of model drives: what hardware would answer, every driver's care
//! and the file system's together.

mod cuts;
mod ends;
mod failures;
mod lives;
mod media;
mod medium;
mod places;
pub mod promise;
mod reference;
pub mod rig;
mod travels;
