//! A long answer, printed while it comes: as one JSON object that begins with lists, or a row a line.

use super::output::{Output, is_closed, not_written, tell};
use super::visible::line_by_line;
use crate::api::{Problem, exit};
use crate::client::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};

/// What became of a long answer.
pub enum Listed<E> {
    /// It came to its end, and was printed as far as anybody read it.
    Whole(E),
    /// It ends early, and whatever there was to tell was told: the object that was begun ends with the problem, or nobody
    /// reads any more. Only the exit code is left to give.
    Broken(u8),
}

/// What becomes of an answer that nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// It is left: its end tells nothing.
    Left,
    /// It is heard to its end, on which the exit code depends.
    Heard,
}

/// How one item of a long answer is shown.
pub enum Shown {
    /// As JSON, in the list of this number. Lists come in their order.
    Element(usize, String),
    /// For people, on stdout.
    Row(String),
}

impl Output {
    /// A long list: `{"KEY":[...], ...what belongs to the whole}`, or a row a line.
    pub async fn list<Q, T, E>(
        &self,
        client: &Client,
        path: &str,
        request: &Q,
        key: &str,
        row: impl Fn(&T) -> String,
    ) -> Result<Listed<E>, Problem>
    where
        Q: Serialize,
        T: Serialize + DeserializeOwned,
        E: Serialize + DeserializeOwned,
    {
        let json = self.json();
        let show = |item: &T| match json {
            true => Shown::Element(0, to_json(item)),
            false => Shown::Row(row(item)),
        };
        self.stream(client, (path, Unread::Left), request, &[key], show).await
    }

    /// Several lists that come one after the other, each under its key, and an end that tells how the whole went: it is
    /// answered also where the reader closed the pipe before.
    pub async fn lists<Q, T, E>(
        &self,
        client: &Client,
        path: &str,
        request: &Q,
        keys: &[&str],
        show: impl Fn(&T) -> Shown,
    ) -> Result<Listed<E>, Problem>
    where
        Q: Serialize,
        T: DeserializeOwned,
        E: Serialize + DeserializeOwned,
    {
        self.stream(client, (path, Unread::Heard), request, keys, show).await
    }

    async fn stream<Q, T, E>(
        &self,
        client: &Client,
        (path, unread): (&str, Unread),
        request: &Q,
        keys: &[&str],
        show: impl Fn(&T) -> Shown,
    ) -> Result<Listed<E>, Problem>
    where
        Q: Serialize,
        T: DeserializeOwned,
        E: Serialize + DeserializeOwned,
    {
        let mut lists = Lists::new(io::BufWriter::new(io::stdout().lock()), keys);
        let mut unwritten: Option<io::Error> = None;
        let outcome = client
            .lines::<Q, T, E>(path, request, |item| {
                if unwritten.is_some() {
                    return Ok(());
                }
                let written = match show(&item) {
                    Shown::Element(list, json) => lists.element(list, &json),
                    Shown::Row(row) => writeln!(lists.out, "{}", line_by_line(&row)),
                };
                let Err(error) = written else { return Ok(()) };
                let goes_on = is_closed(&error) && unread == Unread::Heard;
                let problem = cut_short(&error);
                unwritten = Some(error);
                if goes_on { Ok(()) } else { Err(problem) }
            })
            .await;
        if let Some(error) = unwritten {
            return Ok(match outcome {
                Ok(end) => Listed::Whole(end),
                Err(problem) if is_closed(&error) && unread == Unread::Heard => {
                    tell(&problem);
                    Listed::Broken(problem.exit)
                }
                Err(_) => Listed::Broken(unheard(&error)),
            });
        }
        let rest = match &outcome {
            Ok(end) => serde_json::to_value(end).expect("a result is plain JSON"),
            // Before the first item the problem is the only object; after it, it must end the one begun.
            Err(problem) if lists.begun() => serde_json::json!({ "error": problem }),
            Err(problem) => return Err(problem.clone()),
        };
        let ended = match self.json() {
            true => lists.end(&rest),
            false => Ok(()),
        };
        let ended = ended.and_then(|()| lists.out.flush());
        match (outcome, ended) {
            (Ok(end), Ok(())) => Ok(Listed::Whole(end)),
            (Ok(end), Err(error)) if is_closed(&error) => Ok(Listed::Whole(end)),
            (Ok(_), Err(error)) => Ok(Listed::Broken(unheard(&error))),
            (Err(problem), _) => {
                tell(&problem);
                Ok(Listed::Broken(problem.exit))
            }
        }
    }
}

/// The exit code of a list that could not be written on, and whose end is not known: until then nothing had failed.
/// Whatever is no closed pipe is told.
fn unheard(error: &io::Error) -> u8 {
    if is_closed(error) {
        return exit::DONE;
    }
    let problem = cut_short(error);
    tell(&problem);
    problem.exit
}

/// One JSON object that begins with lists.
struct Lists<'k, W> {
    out: W,
    keys: &'k [&'k str],
    /// How many lists were begun; the last of them is open.
    begun: usize,
    /// Whether the open one has an element.
    some: bool,
}

impl<'k, W: Write> Lists<'k, W> {
    fn new(out: W, keys: &'k [&'k str]) -> Self {
        Self {
            out,
            keys,
            begun: 0,
            some: false,
        }
    }

    fn begun(&self) -> bool {
        self.begun > 0
    }

    fn element(&mut self, list: usize, json: &str) -> io::Result<()> {
        self.open(list)?;
        let comma = if std::mem::replace(&mut self.some, true) {
            ","
        } else {
            ""
        };
        write!(self.out, "{comma}{json}")
    }

    /// Begins lists up to this one.
    fn open(&mut self, list: usize) -> io::Result<()> {
        while self.begun <= list {
            let before = if self.begun == 0 { "{" } else { "]," };
            write!(self.out, "{before}\"{}\":[", self.keys[self.begun])?;
            self.begun += 1;
            self.some = false;
        }
        Ok(())
    }

    /// Ends the object with the other keys of the whole; lists that nothing came for are empty.
    fn end(&mut self, rest: &serde_json::Value) -> io::Result<()> {
        self.open(self.keys.len() - 1)?;
        let rest = rest.as_object().filter(|rest| !rest.is_empty());
        let tail = rest.map_or("}".to_owned(), |rest| format!(",{}", &to_json(rest)[1..]));
        writeln!(self.out, "]{tail}")
    }
}

/// On one line.
pub fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a result is plain JSON")
}

fn cut_short(error: &io::Error) -> Problem {
    not_written("list", error, "what is there is not all of it").next("make room there, and repeat the command")
}

#[cfg(test)]
mod tests {
    use super::Lists;
    use serde_json::{Value, json};

    fn written(elements: &[(usize, &str)], rest: &Value) -> Value {
        let mut bytes = vec![];
        let mut lists = Lists::new(&mut bytes, &["steps", "stays"]);
        for (list, element) in elements {
            lists.element(*list, element).unwrap();
        }
        lists.end(rest).unwrap();
        serde_json::from_slice(&bytes).expect("one object")
    }

    #[test]
    fn every_list_is_there_whatever_came_for_it() {
        assert_eq!(written(&[], &json!({})), json!({"steps": [], "stays": []}));
        assert_eq!(
            written(&[(0, "1"), (0, "2")], &json!({"bytes": 3})),
            json!({"steps": [1, 2], "stays": [], "bytes": 3})
        );
        assert_eq!(
            written(&[(1, "1"), (1, "2")], &json!({"bytes": 3})),
            json!({"steps": [], "stays": [1, 2], "bytes": 3})
        );
        assert_eq!(
            written(&[(0, "1"), (1, "2")], &json!({})),
            json!({"steps": [1], "stays": [2]})
        );
    }
}
