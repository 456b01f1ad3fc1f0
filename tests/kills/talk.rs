//! Questions to a respoold that may be dead: nobody starts it here, and nobody waits for it for ever.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use respool::api::frame::{Decoder, Kind};
use respool::api::hello::Terms;
use respool::api::requests::ObjectRequest;
use respool::client::Client;
use respool::state::StateFolder;
use respool_test_support::Site;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A repack may keep a drive busy, and PostgreSQL may be coming back.
const PATIENCE: Duration = Duration::from_secs(100);

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<T> {
    Answer(T),
    /// There is no such thing.
    NotFound,
    /// Nobody answered, or what is needed is not available: nothing is known.
    Nothing(String),
    /// Anything else: exit code and message.
    Wrong(u8, String),
}

/// One client.
pub struct Talk {
    state: StateFolder,
    terms: Terms,
    runtime: Runtime,
}

impl Talk {
    pub fn new(site: &Site) -> Self {
        let variables: BTreeMap<_, _> = site.variables().into_iter().collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            state: StateFolder::resolve(Some(&site.state())).unwrap(),
            terms: Terms::new(Some(site.config()), |name| variables.get(name).cloned()),
            runtime: runtime.unwrap(),
        }
    }

    /// An object's bytes.
    pub fn get(&self, oid: &str) -> Said<Vec<u8>> {
        let request: ObjectRequest = serde_json::from_value(serde_json::json!({ "oid": oid })).unwrap();
        self.ask(async move |client| {
            let body = Full::new(Bytes::from(serde_json::to_vec(&request).unwrap())).map_err(|never| match never {});
            let answer = client.send("/v1/object/get", body.boxed()).await.map_err(said)?;
            let body = answer
                .into_body()
                .collect()
                .await
                .map_err(|error| Said::Nothing(error.to_string()))?;
            read(&body.to_bytes())
        })
    }

    /// All jobs, newest first.
    pub fn jobs(&self) -> Said<Vec<Value>> {
        let answer: Said<Value> =
            self.ask(async |client| client.call("/v1/job/list", &serde_json::json!({})).await.map_err(said));
        match answer {
            Said::Answer(list) => Said::Answer(list["jobs"].as_array().expect("a list").clone()),
            Said::NotFound => Said::NotFound,
            Said::Nothing(why) => Said::Nothing(why),
            Said::Wrong(exit, why) => Said::Wrong(exit, why),
        }
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(Client) -> Result<T, Said<T>>) -> Said<T> {
        let asked = async {
            let client = match Client::running(&self.state, &self.terms).await {
                Ok(Some(client)) => client,
                Ok(None) => return Said::Nothing("no respoold runs".into()),
                Err(problem) => return said(problem),
            };
            match question(client).await {
                Ok(answer) => Said::Answer(answer),
                Err(said) => said,
            }
        };
        self.runtime.block_on(async {
            let limit = tokio::time::timeout(PATIENCE, asked);
            limit
                .await
                .unwrap_or_else(|_| Said::Wrong(70, format!("no answer within {PATIENCE:?}")))
        })
    }
}

fn said<T>(problem: respool::api::Problem) -> Said<T> {
    match (problem.code.as_str(), problem.exit) {
        ("not_found", _) => Said::NotFound,
        (_, 3) => Said::Nothing(problem.to_string()),
        (_, exit) => Said::Wrong(exit, problem.to_string()),
    }
}

/// The frames of one object.
fn read(answer: &[u8]) -> Result<Vec<u8>, Said<Vec<u8>>> {
    let wrong = |why: String| Said::Wrong(70, why);
    let mut decoder = Decoder::default();
    decoder.push(answer);
    let mut bytes = vec![];
    while let Some(frame) = decoder.next_frame().map_err(|error| wrong(error.to_string()))? {
        match frame.kind {
            Kind::Header => {}
            Kind::Data => bytes.extend_from_slice(&frame.payload),
            Kind::End => return Ok(bytes),
            Kind::Problem => {
                let problem = serde_json::from_slice(&frame.payload).map_err(|error| wrong(error.to_string()))?;
                return Err(said(problem));
            }
        }
    }
    Err(Said::Nothing("the answer ended early".into()))
}
