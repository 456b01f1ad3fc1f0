//! Reads one object into its place, frame by frame.

use super::landing::{Landing, Missed, Place};
use super::put_stream::INTERRUPTED;
use crate::api::Problem;
use crate::api::frame::{Decoder, Frame, Kind};
use crate::api::objects::{FailedRead, Got};
use crate::api::requests::{GetEnd, ObjectRequest};
use crate::client::{Client, decode, gone, json_body};
use dss::model::{ByteCount, Oid};
use http_body_util::BodyExt;
use tokio::signal::unix::Signal;

/// Reads an object; `watch` is told how much of how much came. Answers it, and what its file could not be given back.
pub async fn fetch(
    client: &Client,
    request: &ObjectRequest,
    place: &Place,
    interrupts: &mut Signal,
    mut watch: impl FnMut(ByteCount, ByteCount),
) -> Result<(Got, Missed), Problem> {
    let mut body = client.send("/v1/object/get", json_body(request)).await?.into_body();
    let mut decoder = Decoder::default();
    let mut landing: Option<Landing<'_>> = None;
    loop {
        while let Some(frame) = decoder.next_frame().map_err(|error| gone(&error))? {
            if let Some(got) = take(frame, place, &mut landing)? {
                return Ok(got);
            }
        }
        if let Some(landing) = &landing {
            let (done, whole) = landing.progress();
            watch(done, whole);
        }
        let frame = tokio::select! {
            biased;
            // Returns by itself, so that the part that was written goes too.
            _ = interrupts.recv() => return Err(interrupted(&request.oid)),
            frame = body.frame() => frame,
        };
        match frame {
            Some(Ok(piece)) => {
                if let Ok(data) = piece.into_data() {
                    decoder.push(&data);
                }
            }
            Some(Err(error)) => return Err(gone(&error)),
            None => return Err(gone(&"the object's bytes ended early; nothing was written")),
        }
    }
}

/// Takes one frame; the object when it is complete and in its place.
fn take<'p>(
    frame: Frame,
    place: &'p Place,
    landing: &mut Option<Landing<'p>>,
) -> Result<Option<(Got, Missed)>, Problem> {
    match (frame.kind, landing.as_mut()) {
        (Kind::Header, None) => *landing = Some(Landing::begin(place, decode(&frame.payload)?)?),
        (Kind::Data, Some(landing)) => landing.write(&frame.payload)?,
        (Kind::End, Some(_)) => {
            let landing = landing.take().expect("just seen");
            let GetEnd { sent, failed_reads } = decode(&frame.payload)?;
            let (object, missed) = landing.finish(&sent)?;
            return Ok(Some((Got { object, failed_reads }, missed)));
        }
        (Kind::Problem, _) => return Err(decode(&frame.payload)?),
        (Kind::Header | Kind::Data | Kind::End, _) => {
            return Err(Problem::bug("respoold", "the frames of a get came out of order"));
        }
    }
    Ok(None)
}

fn interrupted(oid: &Oid) -> Problem {
    let message = format!("the get of '{oid}' was interrupted; nothing was written");
    Problem::stopped(INTERRUPTED, oid.as_str(), message).next("repeat the get")
}

/// The bytes that came are right all the same.
pub fn read_elsewhere(failed: &FailedRead) -> String {
    format!(
        "not read: {failed}; its bytes were read elsewhere (another copy, old bytes that an earlier repack left, or \
         where they were moved meanwhile), and are right\n  next: see what is known with `respool medium show {}` and \
         `respool events`",
        failed.medium
    )
}
