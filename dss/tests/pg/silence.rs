//! A server that takes requests and answers none: nobody waits for it without end, and what a commit came to is found
//! out, never guessed.

use crate::support::{self, Fresh};
use dss::catalogue::{Catalogue, CatalogueError};
use dss::model::{Checkpoints, Job, JobKind, MediumId, NoDrill, Step};
use dss::pg::{Limits, PgCatalogue, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const PORT: u16 = 5432;

/// Soon, and still long for a server that is only busy.
const LIMITS: Limits = Limits {
    ask_every: Duration::from_millis(200),
    answer_within: Duration::from_secs(2),
};

/// Longer than anything here takes when it is right.
const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// It arrives.
    Open,
    /// Requests arrive, answers do not: they wait.
    AnswersWait,
    /// Nothing arrives, and what waits when the way is open again is lost with its connection.
    Lost,
}

/// A way to the server, and a catalogue at its other end.
struct Way {
    flow: watch::Sender<Flow>,
    folder: tempfile::TempDir,
}

impl Way {
    async fn to(fresh: &Fresh) -> Self {
        let options = fresh.database.connect_options();
        let server = options.get_socket().expect("tests use a socket");
        let server = server.join(format!(".s.PGSQL.{}", options.get_port()));
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(format!(".s.PGSQL.{PORT}"))).unwrap();
        let (flow, seen) = watch::channel(Flow::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(connection(client, server, seen.clone()));
            }
        });
        Self { flow, folder }
    }

    async fn catalogue(&self, fresh: &Fresh, checkpoints: Arc<dyn Checkpoints>) -> Arc<PgCatalogue> {
        let options = fresh.database.connect_options().socket(self.folder.path()).port(PORT);
        let settings = Settings {
            limits: LIMITS,
            ..support::settings(checkpoints)
        };
        let opened = PgCatalogue::connect(options, fresh.database.conninfo().to_owned(), settings).await;
        Arc::new(opened.expect("the way is open"))
    }

    fn be(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }
}

/// Ends both directions when one has ended.
async fn connection(client: UnixStream, server: UnixStream, flow: watch::Receiver<Flow>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = carry(from_client, to_server, flow.clone(), &[Flow::Open, Flow::AnswersWait]) => {}
        () = carry(from_server, to_client, flow, &[Flow::Open]) => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut flow: watch::Receiver<Flow>, open: &[Flow]) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let lost = *flow.borrow_and_update() == Flow::Lost;
        if flow.wait_for(|flow| open.contains(flow)).await.is_err() || lost {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Changes the way right before a commit, the first time that a step is reached.
struct BeforeCommit {
    flow: watch::Sender<Flow>,
    then: Flow,
    reached: AtomicU32,
}

impl Checkpoints for BeforeCommit {
    fn reach(&self, step: Step) {
        if step == Step::RequestBeforeCommit && self.reached.fetch_add(1, Ordering::SeqCst) == 0 {
            self.flow.send_replace(self.then);
        }
    }
}

/// A job that is being made when the way changes, right before its commit.
struct Interrupted {
    fresh: Fresh,
    way: Way,
    before: Arc<BeforeCommit>,
    catalogue: Arc<PgCatalogue>,
    making: tokio::task::JoinHandle<Result<Job, CatalogueError>>,
}

impl Interrupted {
    async fn by(then: Flow) -> Self {
        let fresh = support::fresh(Arc::new(NoDrill)).await;
        let (medium, _) = fresh.medium("source").await;
        let way = Way::to(&fresh).await;
        let before = Arc::new(BeforeCommit {
            flow: way.flow.clone(),
            then,
            reached: AtomicU32::new(0),
        });
        let checkpoints = Arc::clone(&before) as Arc<dyn Checkpoints>;
        let catalogue = way.catalogue(&fresh, checkpoints).await;
        let making = tokio::spawn(make_job(Arc::clone(&catalogue), medium));
        Self {
            fresh,
            way,
            before,
            catalogue,
            making,
        }
    }

    /// Lets everything through again once the silence was noticed; what the job's maker was answered.
    async fn until_it_is_noticed(self) -> (Fresh, Arc<BeforeCommit>, Result<Job, CatalogueError>) {
        assert!(is_silence(&refused(&self.catalogue).await));
        self.way.be(Flow::Open);
        (self.fresh, self.before, within(self.making).await.unwrap())
    }
}

async fn make_job(catalogue: Arc<PgCatalogue>, medium: MediumId) -> Result<Job, CatalogueError> {
    let spec = dss::conformance::support::spec(&[medium]);
    catalogue.create_job(JobKind::Repack, spec, support::now()).await
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("nobody waits without end")
}

/// Why a read is refused, once nothing is answered.
async fn refused(catalogue: &PgCatalogue) -> CatalogueError {
    within(async {
        loop {
            if let Err(error) = catalogue.media().await {
                return error;
            }
        }
    })
    .await
}

fn is_silence(error: &CatalogueError) -> bool {
    matches!(error, CatalogueError::Unavailable(why) if why.starts_with("it takes requests and has answered none for"))
}

async fn jobs(fresh: &Fresh) -> usize {
    fresh.pg.jobs(10).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_when_the_server_is_silent_and_the_next_goes_on_when_it_answers() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let way = Way::to(&fresh).await;
    let catalogue = way.catalogue(&fresh, Arc::new(NoDrill)).await;
    assert!(within(catalogue.media()).await.is_ok());
    way.be(Flow::AnswersWait);
    assert!(is_silence(&refused(&catalogue).await));
    let begun = Instant::now();
    assert!(is_silence(&refused(&catalogue).await));
    assert!(begun.elapsed() < LIMITS.answer_within, "it is known by now");
    way.be(Flow::Open);
    within(async {
        while let Err(error) = catalogue.media().await {
            assert!(is_silence(&error), "{error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    within(catalogue.close()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_not_opened() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let way = Way::to(&fresh).await;
    way.be(Flow::AnswersWait);
    let options = fresh.database.connect_options().socket(way.folder.path()).port(PORT);
    let settings = Settings {
        limits: LIMITS,
        ..support::settings(Arc::new(NoDrill))
    };
    let opened = within(PgCatalogue::connect(options, String::new(), settings)).await;
    assert!(opened.err().is_some_and(|error| is_silence(&error)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_under_way_that_happened_is_found_when_the_server_answers_again() {
    let interrupted = Interrupted::by(Flow::AnswersWait).await;
    let (fresh, before, made) = interrupted.until_it_is_noticed().await;
    made.expect("it was committed");
    assert_eq!(before.reached.load(Ordering::SeqCst), 1, "it was not done again");
    assert_eq!(jobs(&fresh).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_under_way_that_never_arrived_is_done_again() {
    let interrupted = Interrupted::by(Flow::Lost).await;
    let (fresh, before, made) = interrupted.until_it_is_noticed().await;
    made.expect("in the end");
    assert_eq!(before.reached.load(Ordering::SeqCst), 2, "it was done again");
    assert_eq!(jobs(&fresh).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_under_way_of_which_nothing_is_heard_is_told_to_be_unknown() {
    let Interrupted { fresh, way, making, .. } = Interrupted::by(Flow::AnswersWait).await;
    let unknown = within(making).await.unwrap().expect_err("nothing is answered");
    let CatalogueError::Unresolved(why) = &unknown else {
        panic!("{unknown:?}")
    };
    assert!(why.starts_with("it is not known whether transaction"), "{why}");
    assert!(why.contains("has answered none for"), "{why}");
    way.be(Flow::Open);
    assert_eq!(jobs(&fresh).await, 1, "it was: whoever looks again sees it");
}
