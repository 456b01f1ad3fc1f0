//! Progress of a job: a bar with rate and predicted end on a terminal, one line a minute otherwise.

use super::output::Output;
use crate::api::Progress;
use dss::model::ByteCount;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// How progress is shown.
pub struct Bar {
    output: Output,
    drawn: Option<ProgressBar>,
    told: Instant,
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
        }
    }

    /// How far it is.
    pub fn show(&mut self, progress: &Progress) {
        if let Some(bar) = &self.drawn {
            bar.set_prefix(format!("job {}", progress.job));
            bar.set_length(progress.bytes_total.0);
            bar.set_position(progress.bytes_moved.0);
            bar.set_message(progress.doing.clone());
        } else if self.output.may_tell() && self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            self.output.note(&format!(
                "job {}: {} of {} extents, {} of {}; {}",
                progress.job,
                progress.extents_moved,
                progress.extents_total,
                progress.bytes_moved,
                progress.bytes_total,
                progress.doing
            ));
        }
    }

    /// Bytes of a stream that this command sends or receives.
    pub fn bytes(&mut self, done: ByteCount, total: ByteCount, what: &str) {
        if let Some(bar) = &self.drawn {
            bar.set_length(total.0);
            bar.set_position(done.0);
            bar.set_message(what.to_owned());
        } else if self.output.may_tell() && self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            self.output.note(&format!("{what}: {done} of {total}"));
        }
    }

    /// A message that stays.
    pub fn say(&self, text: &str) {
        match &self.drawn {
            Some(bar) => bar.println(text),
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
