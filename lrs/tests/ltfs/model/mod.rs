//! LTFS over the driver of real drives, over a library of model drives: what hardware would answer, every driver's care
//! and the file system's together.

mod rig;
mod travels;
