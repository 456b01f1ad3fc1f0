//! Progress of a job or a stream: a bar with rate and predicted end on a terminal, one line a minute otherwise.

use super::output::Output;
use super::visible::{line_by_line, on_one_line};
use crate::api::Progress;
use dss::model::ByteCount;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// How progress is shown.
pub struct Bar {
    output: Output,
    drawn: Option<ProgressBar>,
    /// When a line was told last, and how far it was then.
    told: Instant,
    then: Option<ByteCount>,
}

impl Bar {
    /// Nothing yet.
    pub fn new(output: &Output) -> Self {
        let drawn = output.may_draw().then(|| {
            let style = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";
            ProgressBar::new(0).with_style(ProgressStyle::with_template(style).expect("the template is right"))
        });
        Self {
            output: output.clone(),
            drawn,
            told: Instant::now(),
            then: None,
        }
    }

    /// How far it is.
    pub fn show(&mut self, progress: &Progress) {
        if let Some(bar) = &self.drawn {
            bar.set_prefix(format!("job {}", progress.job));
            bar.set_message(on_one_line(&progress.doing));
        }
        let words = |pace: &str| {
            format!(
                "job {}: {} of {} extents, {} of {}{pace}; {}",
                progress.job,
                progress.extents_moved,
                progress.extents_total,
                progress.bytes_moved,
                progress.bytes_total,
                progress.doing
            )
        };
        self.advance(progress.bytes_moved, progress.bytes_total, words);
    }

    /// Bytes of a stream that this command sends or receives.
    pub fn bytes(&mut self, done: ByteCount, total: ByteCount, what: &str) {
        if let Some(bar) = &self.drawn {
            bar.set_message(what.to_owned());
        }
        self.advance(done, total, |pace| format!("{what}: {done} of {total}{pace}"));
    }

    /// Draws, or tells a line when it is time for one; `words` makes it of the pace.
    fn advance(&mut self, done: ByteCount, total: ByteCount, words: impl FnOnce(&str) -> String) {
        // What was done before this command looked says nothing of the rate.
        let first = self.then.is_none();
        let then = *self.then.get_or_insert(done);
        if let Some(bar) = &self.drawn {
            bar.set_length(total.0);
            bar.set_position(done.0);
            if first {
                bar.reset_eta();
            }
        } else if self.output.may_tell() && self.told.elapsed() >= BETWEEN_LINES {
            let pace = Pace {
                moved: done.saturating_sub(then),
                took: self.told.elapsed(),
                left: total.saturating_sub(done),
            };
            self.output.note(&words(&pace.told(Timestamp::now())));
            self.told = Instant::now();
            self.then = Some(done);
        }
    }

    /// A message that stays.
    pub fn say(&self, text: &str) {
        match &self.drawn {
            Some(bar) => bar.println(line_by_line(text)),
            None => self.output.note(text),
        }
    }

    /// No more progress.
    pub fn end(&self) {
        if let Some(bar) = &self.drawn {
            bar.finish_and_clear();
        }
    }
}

/// What was done since the last line, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    moved: ByteCount,
    took: Duration,
    left: ByteCount,
}

impl Pace {
    /// Rate and predicted end, as they follow the numbers in a line.
    fn told(self, now: Timestamp) -> String {
        if self.left == ByteCount::ZERO {
            return String::new();
        }
        if self.moved == ByteCount::ZERO {
            return format!(", nothing in the last {} s", self.took.as_secs());
        }
        let rate = self.moved.0 as f64 / self.took.as_secs_f64();
        let seconds = (self.left.0 as f64 / rate).ceil();
        // Rounded up to what the rate is known for; a float beyond the largest number becomes that number.
        let left = SignedDuration::from_secs((seconds as i64).saturating_add(59) / 60 * 60);
        let rate = ByteCount(rate as u64);
        let words = humantime::format_duration(left.unsigned_abs());
        match now.checked_add(left) {
            Ok(end) => format!(
                ", {rate}/s, {words} left, until about {}",
                end.strftime("%Y-%m-%dT%H:%MZ")
            ),
            Err(_) => format!(", {rate}/s, {words} left"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use dss::model::ByteCount;
    use std::time::Duration;

    fn told(moved: u64, took: u64, left: u64) -> String {
        let pace = Pace {
            moved: ByteCount(moved),
            took: Duration::from_secs(took),
            left: ByteCount(left),
        };
        pace.told("2030-01-31T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_line_tells_the_rate_of_the_last_minute_and_when_the_rest_is_done_at_that() {
        const MIB: u64 = 1 << 20;
        for (pace, line) in [
            (
                (60 * MIB, 60, 600 * MIB),
                ", 1.0 MiB/s, 10m left, until about 2030-01-31T12:10Z",
            ),
            ((60 * MIB, 60, 1), ", 1.0 MiB/s, 1m left, until about 2030-01-31T12:01Z"),
            ((30, 60, 3600), ", 0 B/s, 2h left, until about 2030-01-31T14:00Z"),
            (
                (120, 60, 2 * 86_400 * 3),
                ", 2 B/s, 3days left, until about 2030-02-03T12:00Z",
            ),
        ] {
            assert_eq!(told(pace.0, pace.1, pace.2), line);
        }
    }

    #[test]
    fn nothing_is_predicted_where_nothing_moves_or_nothing_is_left() {
        assert_eq!(told(0, 61, 5), ", nothing in the last 61 s");
        assert_eq!(told(5, 60, 0), "");
    }

    #[test]
    fn an_end_beyond_all_time_is_not_told() {
        let line = told(1, u64::MAX, u64::MAX);
        assert!(line.ends_with(" left"), "{line}");
    }
}
