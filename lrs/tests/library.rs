//! A whole library, driven as a daemon drives it: the drivers of hardware over model devices.

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "library/mod.rs"]
mod library;
// What a mounted volume is written and read with; its rules are tested elsewhere.
#[allow(dead_code, unused_macros)]
#[path = "volume/mod.rs"]
mod volume;
