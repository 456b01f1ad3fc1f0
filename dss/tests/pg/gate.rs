//! A way to the server with a gate in it: one connection of the program itself, held before whichever statement a test
//! names, while another call does all it can.

use crate::support::{self, Fresh};
use dss::model::NoDrill;
use dss::pg::{PgCatalogue, Settings};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

const PORT: u16 = 5432;

/// No call has so many statements; one that seems to is not passing the gate.
const MOST_STATEMENTS: u32 = 200;

/// How the connection calls itself that only asks whether the server answers. It is no call, and passes.
const WATCH: &[u8] = b"respool watch";

/// Longer than PostgreSQL's detection of a deadlock, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A call of the program's, on the catalogue it is given.
pub type Call<S, T> = fn(Arc<PgCatalogue>, Arc<S>) -> BoxFuture<'static, T>;

/// What two calls answered that met while the first was held before a statement.
pub struct Met<A, B> {
    /// Before which statement of the first.
    pub at: u32,
    pub first: A,
    pub second: B,
    /// Whether the second came to its end while the first was held. Otherwise it waited for a lock of the first's, or
    /// began when the first had ended.
    pub passed: bool,
}

/// Holds `first` before each of its statements in turn, the one that commits included, and lets `second` run until it
/// ends or waits for a lock; then lets both go on. Once more at the end: the second after the first. Each time in a new
/// scene.
pub async fn at_every_statement<S, A, B>(
    fresh: &Fresh,
    scene: impl AsyncFn(u32) -> S,
    first: Call<S, A>,
    second: Call<S, B>,
    check: impl AsyncFn(Arc<S>, Met<A, B>),
) where
    S: Send + Sync + 'static,
    A: Send + 'static,
    B: Send + 'static,
{
    let mut gate = Gate::before(fresh).await;
    for at in 0..MOST_STATEMENTS {
        let scene = Arc::new(scene(at).await);
        gate.hold_before(at);
        let mut one = tokio::spawn(first(Arc::clone(&gate.catalogue), Arc::clone(&scene)));
        let ended = tokio::select! {
            () = gate.held() => None,
            answer = &mut one => Some(answer.expect("no panic")),
        };
        if ended.is_some() {
            // A transaction that was given up is rolled back behind its answer.
            gate.open();
        }
        let mut other = tokio::spawn(second(Arc::clone(&fresh.pg), Arc::clone(&scene)));
        let last = ended.is_some();
        let (first, passed) = match ended {
            Some(answer) => (answer, false),
            None => {
                let passed = ends_or_waits(fresh, &mut other).await;
                gate.go.notify_one();
                (within(one).await, passed)
            }
        };
        let second = within(other).await;
        let met = Met {
            at,
            first,
            second,
            passed,
        };
        check(scene, met).await;
        if last {
            assert!(
                at > 3,
                "a transaction has more statements than {at}: the gate was not passed"
            );
            return;
        }
    }
    panic!("more than {MOST_STATEMENTS} statements");
}

async fn within<T>(call: JoinHandle<T>) -> T {
    let answer = tokio::time::timeout(PATIENCE, call).await;
    answer.expect("neither waits for ever").expect("no panic")
}

/// Whether a call ended, rather than wait for a lock.
async fn ends_or_waits<T>(fresh: &Fresh, call: &mut JoinHandle<T>) -> bool {
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut raw = fresh.raw().await;
    let begun = std::time::Instant::now();
    loop {
        if call.is_finished() {
            return true;
        }
        if sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut raw).await.unwrap() > 0 {
            return false;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the second call neither ends nor waits for a lock"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

struct Gate {
    /// Reaches the server by one connection, through the gate.
    catalogue: Arc<PgCatalogue>,
    /// How many requests pass before one is held; None: all pass.
    countdown: Arc<Mutex<Option<u32>>>,
    held: mpsc::UnboundedReceiver<()>,
    go: Arc<Notify>,
    _folder: tempfile::TempDir,
}

impl Gate {
    async fn before(fresh: &Fresh) -> Self {
        let options = fresh.database.connect_options();
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(format!(".s.PGSQL.{PORT}"))).unwrap();
        let server = options
            .get_socket()
            .expect("tests use a socket")
            .join(format!(".s.PGSQL.{}", options.get_port()));
        let (tell, held) = mpsc::unbounded_channel();
        let post = Post {
            countdown: Arc::default(),
            tell,
            go: Arc::default(),
        };
        let (countdown, go) = (Arc::clone(&post.countdown), Arc::clone(&post.go));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                tokio::spawn(post.clone().carry(from_client, to_server));
                tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            }
        });
        let settings = Settings {
            max_connections: 1,
            ..support::settings(Arc::new(NoDrill))
        };
        let options = options.socket(folder.path()).port(PORT);
        let catalogue = PgCatalogue::connect(options, fresh.database.conninfo().to_owned(), settings)
            .await
            .unwrap();
        Self {
            catalogue: Arc::new(catalogue),
            countdown,
            held,
            go,
            _folder: folder,
        }
    }

    fn hold_before(&self, request: u32) {
        *self.countdown.lock().unwrap() = Some(request);
    }

    fn open(&mut self) {
        *self.countdown.lock().unwrap() = None;
        if self.held.try_recv().is_ok() {
            self.go.notify_one();
        }
    }

    async fn held(&mut self) {
        self.held
            .recv()
            .await
            .expect("the gate stands as long as its catalogue");
    }
}

/// What carries a connection's requests, and holds one when it is told to.
#[derive(Clone)]
struct Post {
    countdown: Arc<Mutex<Option<u32>>>,
    tell: mpsc::UnboundedSender<()>,
    go: Arc<Notify>,
}

impl Post {
    /// A request is all messages up to a Sync or a simple Query (PostgreSQL, "Message Formats"): what the server answers
    /// before it takes more.
    async fn carry(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
        let mut request = message(&mut from, None).await?; // the one without a type, which begins a connection
        to.write_all(&request).await?;
        if request.windows(WATCH.len()).any(|part| part == WATCH) {
            return tokio::io::copy(&mut from, &mut to).await.map(drop);
        }
        request.clear();
        loop {
            let kind = from.read_u8().await?;
            request.extend(message(&mut from, Some(kind)).await?);
            if matches!(kind, b'S' | b'Q') {
                self.pass().await;
            } else if kind != b'p' {
                continue;
            }
            to.write_all(&request).await?;
            request.clear();
        }
    }

    async fn pass(&self) {
        let hold = {
            let mut countdown = self.countdown.lock().unwrap();
            let hold = *countdown == Some(0);
            *countdown = countdown.and_then(|left| left.checked_sub(1));
            hold
        };
        if hold && self.tell.send(()).is_ok() {
            self.go.notified().await;
        }
    }
}

async fn message(from: &mut OwnedReadHalf, kind: Option<u8>) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut bytes: Vec<u8> = kind.into_iter().chain(length.to_be_bytes()).collect();
    let head = bytes.len();
    bytes.resize(head + length as usize - 4, 0);
    from.read_exact(&mut bytes[head..]).await?;
    Ok(bytes)
}
