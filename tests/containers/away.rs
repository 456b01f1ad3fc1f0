//! The server is killed, stopped, paused, and there again.

use super::scene::{Midway, Scene, is_told};
use super::server::Server;
use respool_test_support::Simulates;
use respool_test_support::house::filling;

/// in the middle of a swap's transaction.
#[test]
#[ignore = "needs a container"]
fn x05_killed_in_the_middle_of_a_swap_and_started_again() {
    Simulates::KilledProcess.say();
    let (scene, repack, swap, job) = Midway::with(Server::new()).parts();
    let respoold = scene.site.pid();
    scene.server.kill();
    swap.ended();
    is_told(&repack.wait(), "the catalogue is not available");
    scene.is_away("the catalogue is not available");
    assert_eq!(scene.site.pid(), respoold, "respoold lives");
    scene.server.start();
    scene.the_job_ends(&job);
    assert_eq!(scene.site.pid(), respoold, "the same respoold did it all");
}

/// the same, and nothing that was sent was refused: it is silence that is noticed.
#[test]
#[ignore = "needs a container"]
fn x05_paused_in_the_middle_of_a_swap_and_let_go_on() {
    let (scene, repack, swap, job) = Midway::with(Server::new()).parts();
    let respoold = scene.site.pid();
    scene.server.pause();
    let silent = "it takes requests and has answered none for";
    is_told(&repack.wait(), silent);
    scene.is_away(silent);
    scene.server.unpause();
    swap.release();
    scene.the_job_ends(&job);
    assert_eq!(scene.site.pid(), respoold, "the same respoold did it all");
}

/// a restart takes seconds, which whoever waits may not even notice.
#[test]
#[ignore = "needs a container"]
fn x05_restarted_in_the_middle_of_a_swap() {
    let (scene, repack, swap, job) = Midway::with(Server::new()).parts();
    scene.server.stop();
    swap.ended();
    scene.server.start();
    let outcome = repack.wait();
    match outcome.code {
        0 => assert_eq!(outcome.json["state"], "done", "{outcome:?}"),
        _ => is_told(&outcome, "the catalogue is not available"),
    }
    scene.the_job_ends(&job);
}

/// Objects are put one after the other when the server is killed, twice. What was acknowledged is there; the one that was
/// not is there whole or not at all, and can be put again.
#[test]
#[ignore = "needs a container"]
fn killed_while_objects_are_put_it_keeps_what_it_acknowledged() {
    Simulates::KilledProcess.say();
    let mut scene = Scene::with(Server::new());
    for round in 0..2 {
        let (put, cut) = put_until_it_is_killed(&scene, round);
        for oid in put {
            let bytes = content(&oid);
            scene.held.insert(oid, bytes);
        }
        scene.server.start();
        let site = &scene.site;
        site.wait_until("requests are answered", || site.run(&["medium", "list"]).code == 0);
        match site.try_get(&cut) {
            Ok(bytes) => assert!(bytes == content(&cut), "{cut} is there in part"),
            Err(absent) => assert_eq!(absent.code, 2, "{absent:?}"),
        }
        site.put(&cut, &content(&cut), &["--overwrite"]);
        scene.held.insert(cut.clone(), content(&cut));
    }
    // What was cut off is nobody's at the next start.
    scene.site.stop();
    scene.nothing_is_lost();
}

fn content(oid: &str) -> Vec<u8> {
    filling(oid.bytes().map(u64::from).sum(), 3_000)
}

/// The objects that were acknowledged, and the one that was not.
fn put_until_it_is_killed(scene: &Scene, round: u32) -> (Vec<String>, String) {
    let name = |number: u32| format!("put/{round}/{number:03}");
    let begun = format!("SELECT count(*) FROM object WHERE oid LIKE 'put/{round}/%'");
    std::thread::scope(|scope| {
        let putting = scope.spawn(|| {
            let mut put = vec![];
            for number in 0.. {
                let oid = name(number);
                let outcome = scene.site.try_put(&oid, &content(&oid), &[]);
                if outcome.code != 0 {
                    is_told(&outcome, "the catalogue is not available");
                    return (put, oid);
                }
                put.push(oid);
            }
            unreachable!("numbers do not end")
        });
        let many = || scene.site.sql(&begun).parse::<u32>().is_ok_and(|count| count > 5);
        scene.site.wait_until("objects are put", many);
        scene.server.kill();
        putting.join().expect("the thread asserts as the test does")
    })
}
