//! How handlers answer: a JSON result, a problem with its status, or lines that are made while they are sent.

use crate::api::wire::Line;
use crate::api::{Problem, exit};
use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use std::convert::Infallible;
use std::future::Future;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Lines that may wait for a slow client.
const LINES_AHEAD: usize = 256;
/// Lines that are there already go together, up to so many.
const LINES_TOGETHER: usize = 64;

/// A problem on its way to the client.
pub struct Failure(pub Problem);

/// What handlers return.
pub type Answer<T> = Result<Json<T>, Failure>;

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.exit {
            exit::REFUSED => StatusCode::CONFLICT,
            exit::ENVIRONMENT | exit::STOPPED => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.0)).into_response()
    }
}

/// Where a long answer goes, line by line. Waits for a slow client.
pub struct Sink<T, E> {
    lines: mpsc::Sender<Bytes>,
    kinds: std::marker::PhantomData<fn(T, E)>,
}

/// The client left: nobody wants the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLeft;

impl<T: Serialize, E: Serialize> Sink<T, E> {
    /// The next item.
    pub async fn item(&self, item: T) -> Result<(), ClientLeft> {
        self.line(Line::Item(item)).await
    }

    async fn line(&self, line: Line<T, E>) -> Result<(), ClientLeft> {
        let bytes = Bytes::from(line.to_bytes());
        self.lines.send(bytes).await.map_err(|_| ClientLeft)
    }
}

/// Answers with the items that `make` gives to the sink, then with what it returns.
pub fn lines<T, E, F>(make: impl FnOnce(Sink<T, E>) -> F) -> Response
where
    T: Serialize + Send + 'static,
    E: Serialize + Send + 'static,
    F: Future<Output = Result<E, Problem>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let last: Sink<T, E> = Sink {
        lines: sender.clone(),
        kinds: std::marker::PhantomData,
    };
    let work = make(Sink {
        lines: sender,
        kinds: std::marker::PhantomData,
    });
    tokio::spawn(async move {
        let end = match tokio::spawn(work).await {
            Ok(Ok(end)) => Line::End(end),
            Ok(Err(problem)) => Line::Problem(problem),
            Err(panic) => Line::Problem(Problem::bug("respoold", panic.to_string())),
        };
        // The client may have left; nobody else wants to know.
        let _ = last.line(end).await;
    });
    let pieces = ReceiverStream::new(receiver).ready_chunks(LINES_TOGETHER);
    Body::from_stream(pieces.map(|lines| Ok::<_, Infallible>(lines.concat()))).into_response()
}
