//! Requests that take minutes, because something moves: what is waited for is told on stderr, at once and then once a
//! minute, so that nobody takes a robot at work for a command that hangs.

use super::Context;
use super::visible::on_one_line;
use crate::api::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, interval_at};

const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Something that takes long.
pub struct Doing {
    /// What is done, e.g. `formatting 000001L9`.
    pub what: String,
    /// How long that may be, e.g. `up to two hours`.
    pub takes: &'static str,
}

impl Doing {
    fn begun(&self) -> String {
        format!("{} (this may take {})", on_one_line(&self.what), self.takes)
    }

    fn still(&self, since: Duration) -> String {
        format!("still {}, for {} min", on_one_line(&self.what), since.as_secs() / 60)
    }
}

/// Asks respoold and waits for the answer.
pub async fn call<Q, R>(context: &Context, doing: &Doing, path: &str, request: &Q) -> Result<R, Problem>
where
    Q: Serialize,
    R: DeserializeOwned,
{
    let client = context.client().await?;
    let tell = |text: String| context.output.note(&text);
    told(doing, tell, client.call(path, request)).await
}

/// An answer; what is waited for is told until it comes.
async fn told<T>(doing: &Doing, tell: impl Fn(String), answer: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let mut line = interval_at(begun + BETWEEN_LINES, BETWEEN_LINES);
    let mut answer = pin!(answer);
    tell(doing.begun());
    loop {
        tokio::select! {
            biased;
            come = &mut answer => return come,
            now = line.tick() => tell(doing.still(now.duration_since(begun))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_at_once_and_then_every_minute_what_for() {
        let doing = Doing {
            what: "formatting A\u{1b}1".to_owned(),
            takes: "up to two hours",
        };
        let lines = RefCell::new(Vec::new());
        let answer = async {
            tokio::time::sleep(Duration::from_secs(150)).await;
            7
        };
        let come = told(&doing, |text| lines.borrow_mut().push(text), answer).await;
        assert_eq!(come, 7);
        assert_eq!(
            lines.into_inner(),
            [
                r"formatting A\u{1b}1 (this may take up to two hours)",
                r"still formatting A\u{1b}1, for 1 min",
                r"still formatting A\u{1b}1, for 2 min",
            ]
        );
    }
}
