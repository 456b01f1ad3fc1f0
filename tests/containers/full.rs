//! The disk that holds the catalogue is full.

use super::scene::{Midway, is_told};
use super::server::Server;
use respool_test_support::Site;
use respool_test_support::house::{Held, filling};

/// Twice what an empty cluster and this catalogue take.
const ROOM: &str = "128m";

const FULL: &str = "its disk is full, make room there";

/// in the middle of a repack. The job waits, whoever puts is told what to do, and when it is done everything goes on.
#[test]
#[ignore = "needs a container"]
fn x05_full_in_the_middle_of_a_repack_until_somebody_makes_room() {
    let (mut scene, repack, swap, job) = Midway::with(Server::small(ROOM)).parts();
    let respoold = scene.site.pid();
    scene.server.fill();
    swap.release();
    let site = &scene.site;
    site.wait_until("the job waits", || {
        let log = site.log();
        let waits = |line: &str| line.contains("the job waits for the catalogue") && line.contains(FULL);
        log.lines().any(waits)
    });
    let refused = put_until_it_is_full(site, &mut scene.held);
    assert_eq!(scene.site.try_get(&refused).expect_err("it was refused").code, 2);
    scene.server.make_room();
    assert_eq!(repack.wait().expect(0)["state"], "done");
    scene.the_job_ends(&job);
    scene.site.put(&refused, b"now there is room", &[]);
    assert_eq!(scene.site.get(&refused), b"now there is room");
    assert_eq!(scene.site.pid(), respoold, "the same respoold did it all");
}

/// What is still free in the pages of a table takes some rows more. The name that was refused.
fn put_until_it_is_full(site: &Site, held: &mut Held) -> String {
    for number in 0..200 {
        let oid = format!("put/{number:03}");
        let bytes = filling(number, 2_000);
        let outcome = site.try_put(&oid, &bytes, &[]);
        if outcome.code != 0 {
            is_told(&outcome, FULL);
            return oid;
        }
        held.insert(oid, bytes);
    }
    panic!("the disk is full, and 200 objects were put")
}
