use super::support::Bench;

lrs::volume_conformance!(Bench::new());
