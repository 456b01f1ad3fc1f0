//! What the tests here begin with: a catalogue in a container, two media, and a repack in the middle of its first swap.

use super::server::Server;
use super::swaps::{self, HeldSwap};
use respool_test_support::Site;
use respool_test_support::house::{Held, all_is_well, fill, job_of, mixed, newest_job};
use respool_test_support::site::{Outcome, Running};
use std::env;
use std::time::{Duration, Instant};

const OBJECTS: usize = 120;

/// Whoever asks while the server is away knows within this that it is.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// The program, which is built into the folder above the tests' own.
fn respool() -> String {
    let test = env::current_exe().expect("a test knows its own path");
    let program = test.ancestors().nth(2).expect("tests lie in `deps`").join("respool");
    let program = program.display().to_string();
    assert!(
        std::fs::exists(&program).is_ok_and(|there| there),
        "there is no {program}: the whole workspace is to be built, with `cargo test --workspace`"
    );
    program
}

/// A site whose catalogue is in a container. The site ends first.
pub struct Scene {
    pub site: Site,
    pub held: Held,
    pub server: Server,
}

impl Scene {
    /// With a full medium a and an empty one b.
    pub fn with(server: Server) -> Self {
        let site = Site::at_url(&respool(), &server.url());
        site.disks(&["a", "b"]);
        let held = fill(&site, "things", &mixed(OBJECTS), &["--tags", "a"]);
        Self { site, held, server }
    }

    /// A request is refused, and told why in bounded time.
    #[track_caller]
    pub fn is_away(&self, why: &str) {
        let begun = Instant::now();
        is_told(&self.site.run(&["medium", "list"]), why);
        assert!(begun.elapsed() < TOLD_WITHIN, "it took {:?}", begun.elapsed());
    }

    /// Everything is as it was put, and can be read.
    #[track_caller]
    pub fn nothing_is_lost(&self) {
        all_is_well(&self.site, &self.held);
    }

    /// The job comes to its end by itself.
    #[track_caller]
    pub fn the_job_ends(&self, job: &str) {
        self.site
            .wait_until("requests are answered", || self.site.run(&["medium", "list"]).code == 0);
        let report = self.site.ok(&["job", "wait", job]);
        assert_eq!(report["state"], "done", "{report:#}");
        assert_eq!(report["extents"]["moved"], OBJECTS, "{report:#}");
        assert!(self.site.files("a").is_empty());
        self.nothing_is_lost();
    }
}

/// A command that the catalogue could not serve.
#[track_caller]
pub fn is_told(outcome: &Outcome, why: &str) {
    let told = (outcome.code, outcome.problem());
    assert_eq!(told, (3, "catalogue_unavailable"), "{outcome:?}");
    assert!(outcome.stderr.contains(why), "{outcome:?}");
}

/// A repack from a to b that stands in the middle of its first swap.
pub struct Midway {
    pub scene: Scene,
    pub repack: Running,
    pub swap: swaps::Held,
    job: String,
}

impl Midway {
    pub fn with(server: Server) -> Self {
        let scene = Scene::with(server);
        let swap = HeldSwap::onto(&scene.site, "b");
        let repack = scene.site.start(&["repack", "a", "--to", "b", "--quarantine", "0"]);
        let swap = swap.wait();
        swap.stands(&scene.site);
        let job = job_of(&newest_job(&scene.site).expect("it has begun"));
        Self {
            scene,
            repack,
            swap,
            job,
        }
    }

    /// The scene, what is under way in it, and the job's number.
    pub fn parts(self) -> (Scene, Running, swaps::Held, String) {
        (self.scene, self.repack, self.swap, self.job)
    }
}
