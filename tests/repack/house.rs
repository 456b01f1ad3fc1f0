//! What every test begins with and must end with.

pub use respool_test_support::house::*;

use respool_test_support::Site;

/// The program under test; respoold lies beside it.
pub const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

/// A site with these media.
pub fn site(disks: &[&str]) -> Site {
    let site = Site::new(RESPOOL);
    site.disks(disks);
    site
}
