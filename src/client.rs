//! Talks to respoold and starts it when none runs. Knows nothing of what is asked.

use crate::api::Problem;
use crate::api::hello::{Create, Hello, StartLine, Terms};
use crate::api::wire::Line;
use crate::state::{Keeper, StateFolder};
use bytes::{Buf, Bytes};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;

/// How long another client's respoold may take to start, a recovery of its database included.
const START_LIMIT: Duration = Duration::from_secs(660);

/// A respoold that runs and belongs to this command.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    /// Whether the catalogue was made for this command.
    pub created: bool,
    /// The process of the respoold before the one that this command started, when that one ended without stopping.
    pub killed: Option<u32>,
    /// What respoold said of itself.
    pub hello: Hello,
}

/// The body of a request.
pub type Body = BoxBody<Bytes, std::io::Error>;

impl Client {
    /// The running respoold of a state folder, started if there is none.
    pub async fn connect(state: &StateFolder, terms: &Terms, create: Create) -> Result<Self, Problem> {
        let begun = Instant::now();
        loop {
            if let Some(client) = Self::running(state, terms).await? {
                return Ok(client);
            }
            if let Keeper::Service(unit) = state.keeper()? {
                return Err(not_running(state, &unit));
            }
            match start(state, terms, &["--create", create.word()])? {
                StartLine::Ready {
                    socket,
                    created,
                    killed,
                } => {
                    let hello = greet(&socket, terms).await?.ok_or_else(|| gone(&socket.display()))?;
                    return Ok(Self {
                        socket,
                        created,
                        killed,
                        hello,
                    });
                }
                // Another client was faster; its respoold may still be starting, or just be stopping.
                StartLine::Problem(problem) if problem.code == "already_running" && begun.elapsed() < START_LIMIT => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                StartLine::Problem(problem) => return Err(problem),
                StartLine::Stopped | StartLine::Verified(_) | StartLine::Restored(_) => return Err(gone(&"it ended")),
            }
        }
    }

    /// The running respoold of a state folder, if there is one.
    pub async fn running(state: &StateFolder, terms: &Terms) -> Result<Option<Self>, Problem> {
        let Some(socket) = state.socket() else { return Ok(None) };
        Ok(greet(&socket, terms).await?.map(|hello| Self {
            socket,
            created: false,
            killed: None,
            hello,
        }))
    }

    /// Asks and waits for the answer.
    pub async fn call<Q: Serialize, R: DeserializeOwned>(&self, path: &str, request: &Q) -> Result<R, Problem> {
        let response = self.send(path, json_body(request)).await?;
        whole(response).await
    }

    /// Asks and takes the answer line by line.
    pub async fn lines<Q, T, E>(
        &self,
        path: &str,
        request: &Q,
        mut each: impl FnMut(T) -> Result<(), Problem>,
    ) -> Result<E, Problem>
    where
        Q: Serialize,
        T: DeserializeOwned,
        E: DeserializeOwned,
    {
        let response = self.send(path, json_body(request)).await?;
        let mut lines = Lines::new(response);
        while let Some(line) = lines.next().await? {
            match decode::<Line<T, E>>(&line)? {
                Line::Item(item) => each(item)?,
                Line::End(end) => return Ok(end),
                Line::Problem(problem) => return Err(problem),
            }
        }
        Err(gone(&"the answer"))
    }

    /// Sends a body and returns when the answer begins. An answer that is a problem is an error.
    pub async fn send(&self, path: &str, body: Body) -> Result<Response<Incoming>, Problem> {
        let response = request(&self.socket, path, body).await.map_err(|error| gone(&error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let bytes = response.into_body().collect().await.map_err(|error| gone(&error))?;
        Err(decode::<Problem>(&bytes.to_bytes())?)
    }
}

/// The lines of a long answer, or of server-sent events.
pub struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Lines {
    /// Of a response.
    pub fn new(response: Response<Incoming>) -> Self {
        Self {
            body: response.into_body(),
            buffer: Vec::new(),
        }
    }

    /// The next line without its newline; None at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return Ok(Some(line));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        while data.has_remaining() {
                            let piece = data.chunk().len();
                            self.buffer.extend_from_slice(data.chunk());
                            data.advance(piece);
                        }
                    }
                }
                Some(Err(error)) => return Err(gone(&error)),
                None => return Ok(None),
            }
        }
    }
}

/// Runs a respoold to its first line.
pub fn start(state: &StateFolder, terms: &Terms, arguments: &[&str]) -> Result<StartLine, Problem> {
    let fail = |what: String| {
        Problem::environment("respoold_not_started", "us", "respoold", what)
            .next(format!("see {}", state.log_file().display()))
    };
    state.make()?;
    state.require_its_user()?;
    let program = std::env::current_exe()
        .ok()
        .and_then(|path| path.canonicalize().ok())
        .map(|path| path.with_file_name("respoold"))
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("respoold"));
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(state.log_file())
        .map_err(|error| state.unusable("written", &error))?;
    let mut command = Command::new(&program);
    command.arg("--background").arg("--state").arg(state.path());
    if let Some(config) = &terms.config {
        command.arg("--config").arg(config);
    }
    // Its folder is another one.
    command.envs(terms.faults.iter().map(|faults| ("RESPOOL_FAULTS", faults)));
    let mut child = command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| fail(format!("{} cannot be run: {error}", program.display())))?;
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    let read = BufReader::new(stdout).read_line(&mut line);
    if read.is_err() || line.is_empty() {
        let status = child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        return Err(fail(format!("respoold ended before it was ready ({status})")));
    }
    let line = decode(line.as_bytes())?;
    match line {
        StartLine::Ready { .. } => {}
        // It is on its way out: whoever looks after this command finds it gone.
        StartLine::Stopped | StartLine::Verified(_) | StartLine::Restored(_) | StartLine::Problem(_) => {
            drop(child.wait());
        }
    }
    Ok(line)
}

/// Asks the running respoold, whatever it was started with; None when nobody listens there. One that could not be asked,
/// or ended before its answer, is an error.
pub async fn ask_running<Q: Serialize, R: DeserializeOwned>(
    state: &StateFolder,
    path: &str,
    question: &Q,
) -> Result<Option<R>, Problem> {
    let Some(socket) = state.socket() else { return Ok(None) };
    match request(&socket, path, json_body(question)).await {
        Err(error) if is_nobody(&error) => Ok(None),
        Err(error) => Err(gone(&error)),
        Ok(response) => whole(response).await.map(Some),
    }
}

/// Whether a failed connection says that no respoold is there.
fn is_nobody(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error.kind(), ConnectionRefused | NotFound)
}

async fn greet(socket: &std::path::Path, terms: &Terms) -> Result<Option<Hello>, Problem> {
    match request(socket, "/v1/hello", json_body(terms)).await {
        Err(_) => Ok(None),
        Ok(response) if response.status() == StatusCode::OK => whole(response).await.map(Some),
        Ok(response) => {
            let bytes = response.into_body().collect().await.map_err(|error| gone(&error))?;
            Err(decode::<Problem>(&bytes.to_bytes())?)
        }
    }
}

async fn request(socket: &std::path::Path, path: &str, body: Body) -> std::io::Result<Response<Incoming>> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    // Ends with the answer; what goes wrong shows where the answer is read.
    tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", "respoold")
        .header("content-type", "application/json")
        .body(body)
        .expect("the path is one of ours");
    sender.send_request(request).await.map_err(std::io::Error::other)
}

/// A request as a body.
pub fn json_body<Q: Serialize>(request: &Q) -> Body {
    let bytes = serde_json::to_vec(request).expect("a request is plain JSON");
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}

async fn whole<R: DeserializeOwned>(response: Response<Incoming>) -> Result<R, Problem> {
    let bytes = response.into_body().collect().await.map_err(|error| gone(&error))?;
    decode(&bytes.to_bytes())
}

/// Reads what respoold said.
pub fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::bug("respoold", format!("the answer of respoold cannot be read: {error}")))
}

/// Under a service manager nothing is started on demand.
fn not_running(state: &StateFolder, unit: &str) -> Problem {
    let path = state.path().display();
    Problem::environment(
        "respoold_not_running",
        "operator",
        path.to_string(),
        format!("no respoold answers for {path}: {unit} keeps it, and a command starts none there; nothing was done"),
    )
    .next(format!(
        "see `systemctl status {unit}`; after `systemctl start {unit}` repeat the command"
    ))
}

/// respoold ended or its connection broke.
pub fn gone(error: &dyn std::fmt::Display) -> Problem {
    Problem::environment(
        "respoold_gone",
        "us",
        "respoold",
        format!("the connection to respoold broke: {error}"),
    )
    .next("repeat the command: respoold is started again and unfinished jobs go on by themselves")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::Nothing;
    use crate::state::SOCKET;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use tokio::net::UnixListener;

    #[tokio::test]
    async fn who_could_not_be_asked_is_not_taken_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let ask = async || ask_running::<_, Hello>(&state, "/v1/stop", &Nothing {}).await;
        assert_eq!(ask().await.unwrap(), None, "none was ever there");
        let sockets = folder.path().join("sockets-here");
        fs::create_dir(&sockets).unwrap();
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(state.socket_record(), format!("{}\n", sockets.display())).unwrap();
        assert_eq!(ask().await.unwrap(), None, "its socket was removed");
        let listener = UnixListener::bind(sockets.join(SOCKET)).unwrap();
        let (asked, hung_up) = tokio::join!(ask(), async { drop(listener.accept().await) });
        assert_eq!(
            (asked.unwrap_err().exit, hung_up),
            (3, ()),
            "it ended before its answer"
        );
        drop(listener);
        assert_eq!(ask().await.unwrap(), None, "nobody listens any more");
    }
}
