use super::support::Bench;

volume_conformance!(Bench::new());
