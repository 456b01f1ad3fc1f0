//! HTTP over the Unix socket: who is asked what. Every request is one POST; handlers live beside what they are about.

use super::activity::Activity;
use super::answer::{Answer, Failure};
use super::backups::{self, Backups};
use super::libraries::Libraries;
use super::runner::Runner;
use super::{compact, drives, jobs, library, lists, media, objects, tapes, volumes};
use crate::api::Problem;
use crate::api::hello::{Hello, Terms};
use crate::api::wire::Nothing;
use crate::host::Host;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http_body_util::BodyExt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What handlers share.
pub struct Daemon {
    /// This host.
    pub host: Arc<Host>,
    /// What clients must agree with.
    pub terms: Terms,
    /// The unit of the service manager that keeps it, if one does.
    pub service: Option<String>,
    /// What respoold says of itself.
    pub hello: Hello,
    /// Who uses it.
    pub activity: Activity,
    /// Cancelled when respoold is to leave.
    pub stopping: CancellationToken,
    /// Backups of the catalogue.
    pub backups: Backups,
    /// This host's libraries.
    pub libraries: Arc<Libraries>,
    /// The running jobs.
    pub jobs: Runner,
}

/// Every request respoold answers.
pub fn router(daemon: &Arc<Daemon>) -> Router {
    Router::new()
        .route("/v1/hello", post(hello))
        .route("/v1/stop", post(stop))
        .route("/v1/check", post(lists::check))
        .route("/v1/events", post(lists::events))
        .route("/v1/clock/accept", post(clock_accept))
        .route("/v1/object/list", post(lists::object_list))
        .route("/v1/object/show", post(lists::object_show))
        .route("/v1/extent/list", post(lists::extent_list))
        .route("/v1/extent/show", post(lists::extent_show))
        .merge(backups::routes())
        .merge(media::routes())
        .merge(library::routes())
        .merge(drives::routes())
        .merge(tapes::routes())
        .merge(volumes::routes())
        .merge(compact::routes())
        .merge(objects::routes())
        .merge(jobs::routes())
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(daemon), guard))
        .with_state(Arc::clone(daemon))
}

/// Counts the request until the last byte of its answer is gone, and tells a bug as one.
async fn guard(State(daemon): State<Arc<Daemon>>, request: Request, next: Next) -> Response {
    let in_use = daemon.activity.enter();
    let path = request.uri().path().to_owned();
    let answered = tokio::spawn(next.run(request)).await;
    let response = answered.unwrap_or_else(|panic| {
        tracing::error!(%path, %panic, "a request ended in a panic");
        Failure(Problem::bug("respoold", format!("{path}: {panic}"))).into_response()
    });
    let response = in_our_words(&path, response).await;
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &in_use;
            frame
        }))
    })
}

/// A request that could not even be read is refused like any other, in place of the library's plain text.
async fn in_our_words(path: &str, response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !response.status().is_client_error() || !kind.is_some_and(|kind| kind.starts_with(b"text/plain")) {
        return response;
    }
    // The library's own sentence; it does not fail.
    let text = response.into_body().collect().await.map(|body| body.to_bytes());
    let why = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let problem = Problem::refused("bad_request", path, format!("the request {path} cannot be read: {why}"));
    Failure(problem.next("use the `respool` of the same version as respoold; nothing was touched")).into_response()
}

async fn unknown(request: Request) -> Failure {
    Failure(Problem::refused(
        "unknown_request",
        request.uri().path().to_owned(),
        format!("respoold knows no request {}", request.uri().path()),
    ))
}

async fn hello(State(daemon): State<Arc<Daemon>>, Json(terms): Json<Terms>) -> Answer<Hello> {
    if daemon.stopping.is_cancelled() {
        return Err(Failure(
            Problem::stopped("stopping", "respoold", "respoold is stopping").next("repeat the command in a moment"),
        ));
    }
    daemon.terms.admit(&terms, daemon.service.as_deref())?;
    Ok(Json(daemon.hello.clone()))
}

async fn stop(State(daemon): State<Arc<Daemon>>, Json(Nothing {}): Json<Nothing>) -> Answer<Hello> {
    daemon.stopping.cancel();
    Ok(Json(daemon.hello.clone()))
}

async fn clock_accept(
    State(daemon): State<Arc<Daemon>>,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<crate::api::hello::ClockAccepted> {
    let now = daemon.host.clock.now();
    daemon.host.catalogue.accept_clock(now).await?;
    Ok(Json(crate::api::hello::ClockAccepted { now }))
}
