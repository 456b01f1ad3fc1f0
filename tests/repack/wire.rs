//! Many gets without a process each: the client of the program under test, over its socket.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Incoming;
use respool::api::frame::{Decoder, Kind};
use respool::api::hello::Terms;
use respool::api::requests::ObjectRequest;
use respool::client::Client;
use respool::state::StateFolder;
use respool_test_support::Site;
use std::collections::BTreeMap;

/// Bytes, or what was told instead.
pub type Got = Result<Vec<u8>, String>;

/// One object.
pub fn get(site: &Site, oid: &str, version: Option<u32>) -> Got {
    run(async { fetch(&connect(site).await, oid, version).await })
}

/// Many objects, live versions.
pub fn get_all<'a>(site: &Site, oids: impl Iterator<Item = &'a String>) -> BTreeMap<String, Got> {
    run(async {
        let client = connect(site).await;
        let mut all = BTreeMap::new();
        for oid in oids {
            all.insert(oid.clone(), fetch(&client, oid, None).await);
        }
        all
    })
}

/// One object, with a pause after its first bytes came: meanwhile something happens, and nobody reads. Also says how much
/// had come before.
pub fn get_with_pause(site: &Site, oid: &str, meanwhile: impl FnOnce()) -> (Got, usize) {
    run(async {
        let client = connect(site).await;
        let mut body = ask(&client, oid, None).await.unwrap().into_body();
        let mut decoder = Decoder::default();
        let mut bytes = vec![];
        let mut got = None;
        let (mut meanwhile, mut before) = (Some(meanwhile), 0);
        while got.is_none() {
            let Some(frame) = body.frame().await else { break };
            let Ok(data) = frame.unwrap().into_data() else { continue };
            decoder.push(&data);
            got = take(&mut decoder, &mut bytes);
            // On the only thread of this runtime: the socket is not read until it is over.
            if let Some(meanwhile) = meanwhile.take_if(|_| !bytes.is_empty()) {
                before = bytes.len();
                meanwhile();
            }
        }
        let got = got.unwrap_or_else(|| Err(format!("{oid}: the answer ended early")));
        (got.map(|()| bytes), before)
    })
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

async fn connect(site: &Site) -> Client {
    let state = StateFolder::resolve(Some(&site.state())).unwrap();
    let variables: BTreeMap<_, _> = site.variables().into_iter().collect();
    let terms = Terms::new(Some(site.config()), |name| variables.get(name).cloned());
    let running = Client::running(&state, &terms).await.unwrap();
    running.expect("respoold runs: a command came before")
}

async fn ask(client: &Client, oid: &str, version: Option<u32>) -> Result<Response<Incoming>, String> {
    let mut request = serde_json::json!({ "oid": oid });
    if let Some(version) = version {
        request["version"] = version.into();
    }
    let request: ObjectRequest = serde_json::from_value(request).unwrap();
    let body = Full::new(Bytes::from(serde_json::to_vec(&request).unwrap())).map_err(|never| match never {});
    let response = client.send("/v1/object/get", body.boxed()).await;
    response.map_err(|problem| problem.to_string())
}

async fn fetch(client: &Client, oid: &str, version: Option<u32>) -> Got {
    let answer = ask(client, oid, version).await?.into_body().collect().await;
    let mut decoder = Decoder::default();
    decoder.push(&answer.map_err(|error| error.to_string())?.to_bytes());
    let mut bytes = vec![];
    match take(&mut decoder, &mut bytes) {
        Some(end) => end.map(|()| bytes),
        None => Err(format!("{oid}: the answer ended early")),
    }
}

/// Takes what has come; Some when that was all, or a problem.
fn take(decoder: &mut Decoder, bytes: &mut Vec<u8>) -> Option<Result<(), String>> {
    loop {
        let frame = match decoder.next_frame() {
            Ok(frame) => frame?,
            Err(error) => return Some(Err(error.to_string())),
        };
        match frame.kind {
            Kind::Header => {}
            Kind::Data => bytes.extend_from_slice(&frame.payload),
            Kind::End => return Some(Ok(())),
            Kind::Problem => return Some(Err(String::from_utf8_lossy(&frame.payload).into_owned())),
        }
    }
}
