//! Object bytes in and out, as frames; and the requests that only mark versions. respoold never opens a path that a
//! client names for data.

use super::ahead::read_ahead;
use super::answer::{Answer, ClientLeft, Failure, lines};
use super::lists::{for_objects, object_view, version_view};
use super::server::Daemon;
use crate::api::Problem;
use crate::api::frame::{Decoder, Frame, FrameError, Kind, head, json};
use crate::api::objects::{Names, ObjectView, PutResult, view};
use crate::api::requests::{GetEnd, ObjectRequest, StreamEnd};
use crate::api::wire::Nothing;
use crate::host::Host;
use crate::store;
use crate::store::placement::Spread;
use crate::store::put::{PutFrame, PutOptions, PutSession};
use axum::body::{Body, BodyDataStream};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use dss::model::{Blake3, ByteCount, Object};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Frames that wait for a slow client. A data frame has up to 16 MiB.
const FRAMES_AHEAD: usize = 2;
/// Results that wait for a slow client.
const RESULTS_AHEAD: usize = 256;

/// How much of a stream of puts is taken from its client while what came before is made durable.
const PUT_AHEAD: usize = 8 << 20;
/// What a step takes beside its payload, about.
const STEP_BYTES: usize = 256;

/// The requests about objects.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/object/put", post(put))
        .route("/v1/object/get", post(get))
        .route("/v1/object/delete", post(delete))
        .route("/v1/object/undelete", post(undelete))
}

// ------------------------------------------------------------------------------------------------------------- put

/// What a client says of its whole stream.
#[derive(Deserialize)]
struct PutQuery {
    /// Bytes that will come in all.
    #[serde(default)]
    expected: u64,
    /// Whether a copy may lie on several media.
    #[serde(default)]
    split: bool,
}

async fn put(State(daemon): State<Arc<Daemon>>, Query(query): Query<PutQuery>, body: Body) -> Response {
    let host = Arc::clone(&daemon.host);
    lines::<_, Nothing, _>(move |sink| async move {
        let options = PutOptions {
            expected: ByteCount(query.expected),
            spread: match query.split {
                true => Spread::Split,
                false => Spread::Whole,
            },
        };
        let session = PutSession::begin(&host, options);
        let (sender, mut results) = mpsc::channel(RESULTS_AHEAD);
        let frames = read_ahead(frames(body.into_data_stream()), PUT_AHEAD, |(_, weight)| *weight);
        let frames = frames.map(|(step, _)| step);
        let serve = tokio::spawn(store::put::serve(session, frames, sender));
        let mut names = Names::default();
        while let Some(result) = results.recv().await {
            let told = match result.outcome {
                Ok(detail) => {
                    if !names.know(&detail) {
                        // Without the catalogue an id will do: the object is stored.
                        names = for_objects(&host).await.unwrap_or(names);
                    }
                    // It is not answered before the indexes of its media name it.
                    PutResult::Stored(Box::new(view(*detail, &BTreeSet::new(), &names)))
                }
                Err(failure) => PutResult::Refused {
                    oid: result.oid,
                    problem: failure.problem,
                    again: failure.again,
                },
            };
            if sink.item(told).await == Err(ClientLeft) {
                // Dropping the receiver gives up what is not stored yet.
                break;
            }
        }
        drop(results);
        match serve.await {
            Ok(Ok(())) => Ok(Nothing {}),
            Ok(Err(problem)) => Err(problem),
            Err(panic) => Err(Problem::bug("put", panic.to_string())),
        }
    })
}

/// The frames of a body, as steps of a stream of puts; each with what it keeps in memory while it waits, in bytes.
fn frames(body: BodyDataStream) -> impl Stream<Item = (Result<PutFrame, Problem>, usize)> + Send {
    let begin = (body, Decoder::default(), false);
    futures_util::stream::unfold(begin, |(mut body, mut decoder, ended)| async move {
        if ended {
            return None;
        }
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    let weight = STEP_BYTES + frame.payload.len();
                    let step = step(frame);
                    let ended = step.is_err();
                    return Some(((step, weight), (body, decoder, ended)));
                }
                Ok(None) => {}
                Err(error) => return Some(((Err(not_frames(&error)), STEP_BYTES), (body, decoder, true))),
            }
            let problem = match body.next().await {
                Some(Ok(piece)) => {
                    decoder.push(&piece);
                    continue;
                }
                Some(Err(error)) => cut(&error),
                None => match decoder.finish() {
                    Ok(()) => return None,
                    Err(error) => not_frames(&error),
                },
            };
            return Some(((Err(problem), STEP_BYTES), (body, decoder, true)));
        }
    })
}

fn step(frame: Frame) -> Result<PutFrame, Problem> {
    match frame.kind {
        Kind::Header => Ok(PutFrame::Begin(Box::new(payload(&frame.payload)?))),
        Kind::Data => Ok(PutFrame::Data(frame.payload)),
        Kind::End => Ok(PutFrame::End(payload(&frame.payload)?)),
        Kind::Problem => Ok(PutFrame::GiveUp(Box::new(payload(&frame.payload)?))),
    }
}

fn payload<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::refused(
            "bad_stream",
            "put",
            format!("a frame of the stream cannot be read: {error}"),
        )
        .next("use the `respool` of the same version as respoold")
    })
}

fn not_frames(error: &FrameError) -> Problem {
    Problem::refused("bad_stream", "put", error.to_string())
        .next("what was not acknowledged was given up; use `respool put`")
}

fn cut(error: &axum::Error) -> Problem {
    Problem::environment(
        "client_gone",
        "operator",
        "put",
        format!("the stream broke off: {error}"),
    )
    .next("put again what was not acknowledged")
}

// ------------------------------------------------------------------------------------------------------------- get

async fn get(State(daemon): State<Arc<Daemon>>, Json(request): Json<ObjectRequest>) -> Result<Response, Failure> {
    let mut stream = store::get::open(&daemon.host, &request.oid, request.version).await?;
    let described = version_view(&daemon.host, stream.detail().clone()).await?;
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(FRAMES_AHEAD);
    tokio::spawn(async move {
        let mut whole = blake3::Hasher::new();
        let mut next = sender.send(Ok(json(Kind::Header, &described))).await;
        while next.is_ok() {
            let last = match stream.next().await {
                Some(Ok(bytes)) => {
                    whole.update(&bytes);
                    next = sender.send(Ok(head(Kind::Data, bytes.len()))).await;
                    if next.is_ok() {
                        next = sender.send(Ok(bytes)).await;
                    }
                    continue;
                }
                Some(Err(problem)) => json(Kind::Problem, &problem),
                None => json(
                    Kind::End,
                    &GetEnd {
                        sent: StreamEnd {
                            bytes: ByteCount(whole.count()),
                            blake3: Blake3(*whole.finalize().as_bytes()),
                        },
                        failed_reads: stream.failed_reads().to_vec(),
                    },
                ),
            };
            // The client may have left.
            let _ = sender.send(Ok(last)).await;
            break;
        }
        stream.close().await;
    });
    Ok(Body::from_stream(ReceiverStream::new(receiver)).into_response())
}

// ---------------------------------------------------------------------------------------------------------- delete

async fn delete(State(daemon): State<Arc<Daemon>>, Json(request): Json<ObjectRequest>) -> Answer<ObjectView> {
    let object = store::delete::delete(&daemon.host, &request.oid).await?;
    marked(&daemon.host, object).await
}

async fn undelete(State(daemon): State<Arc<Daemon>>, Json(request): Json<ObjectRequest>) -> Answer<ObjectView> {
    let object = store::delete::undelete(&daemon.host, &request.oid).await?;
    marked(&daemon.host, object).await
}

async fn marked(host: &Host, object: Object) -> Answer<ObjectView> {
    let detail = host.catalogue.object_by_id(object.id).await?;
    Ok(Json(object_view(host, detail).await?))
}
