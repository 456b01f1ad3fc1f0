//! dss, the Distributed State Service: the catalogue of respool.

pub mod model;
