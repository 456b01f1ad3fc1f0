//! A long answer, printed while it comes: as one JSON object that begins with lists, or a row a line.

use super::output::{Output, tell};
use super::visible::line_by_line;
use crate::api::Problem;
use crate::client::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};

/// What became of a long answer.
pub enum Listed<E> {
    /// All of it was printed.
    Whole(E),
    /// The object that was begun ends with the problem; only the exit code is left to give.
    Broken(u8),
}

/// How one item of a long answer is shown.
pub enum Shown {
    /// As JSON, in the list of this number. Lists come in their order.
    Element(usize, String),
    /// For people, on stdout.
    Row(String),
    /// For people, beside the result.
    Note(String),
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
        self.lists(client, path, request, &[key], show).await
    }

    /// Several lists that come one after the other, each under its key.
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
        let mut lists = Lists::new(io::BufWriter::new(io::stdout().lock()), keys);
        let outcome = client
            .lines::<Q, T, E>(path, request, |item| {
                match show(&item) {
                    Shown::Element(list, json) => lists.element(list, &json),
                    Shown::Row(row) => writeln!(lists.out, "{}", line_by_line(&row)),
                    Shown::Note(text) => lists.out.flush().map(|()| self.note(&text)),
                }
                .map_err(|error| broken(&error))
            })
            .await;
        let rest = match &outcome {
            Ok(end) => serde_json::to_value(end).expect("a result is plain JSON"),
            // Before the first item the problem is the only object; after it, it must end the one begun.
            Err(problem) if lists.begun() => serde_json::json!({ "error": problem }),
            Err(problem) => return Err(problem.clone()),
        };
        if self.json() {
            // Whoever closed the pipe wants no more.
            let _ = lists.end(&rest);
        }
        let _ = lists.out.flush();
        match outcome {
            Ok(end) => Ok(Listed::Whole(end)),
            Err(problem) => {
                tell(&problem);
                Ok(Listed::Broken(problem.exit))
            }
        }
    }
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

fn broken(error: &io::Error) -> Problem {
    Problem::stopped("output_closed", "stdout", format!("the output was closed: {error}"))
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
