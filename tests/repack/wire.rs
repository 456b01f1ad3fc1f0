//! Many gets without a process each: the client of the program under test, over its socket.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
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

async fn fetch(client: &Client, oid: &str, version: Option<u32>) -> Got {
    let mut request = serde_json::json!({ "oid": oid });
    if let Some(version) = version {
        request["version"] = version.into();
    }
    let request: ObjectRequest = serde_json::from_value(request).unwrap();
    let body = Full::new(Bytes::from(serde_json::to_vec(&request).unwrap())).map_err(|never| match never {});
    let response = client.send("/v1/object/get", body.boxed()).await;
    let answer = response
        .map_err(|problem| problem.to_string())?
        .into_body()
        .collect()
        .await;
    let mut decoder = Decoder::default();
    decoder.push(&answer.map_err(|error| error.to_string())?.to_bytes());
    let mut bytes = vec![];
    while let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
        match frame.kind {
            Kind::Header => {}
            Kind::Data => bytes.extend_from_slice(&frame.payload),
            Kind::End => return Ok(bytes),
            Kind::Problem => return Err(String::from_utf8_lossy(&frame.payload).into_owned()),
        }
    }
    Err(format!("{oid}: the answer ended early"))
}
