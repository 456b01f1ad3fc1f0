//! How long a linear serpentine tape takes: streaming, locating, rewinding. Pure arithmetic.
//!
//! The model and its numbers for LTO-8 and LTO-9 are those of the `rao-instance-1` cost function that the read-order
//! planner is measured by; the other generations take the mechanics of LTO-8 with their own wraps, length and rate.
//! Positions are fractions of wraps by bytes; even wraps run away from the beginning, odd ones back.

use super::technology::Technology;
use std::time::Duration;

/// Threading a cartridge and reading its memory: a typical published figure for full-height drives, in seconds.
pub const LOAD_S: f64 = 15.0;

/// Unthreading, after the rewind, in seconds.
pub const UNLOAD_S: f64 = 13.0;

/// One move of the arm, in seconds.
pub const MOVE_S: f64 = 8.0;

/// Laying a tape out anew, in seconds.
pub const FORMAT_S: f64 = 60.0;

/// The mechanics of one generation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// Wraps over the whole tape.
    pub wraps: u32,
    /// Wraps of a data band.
    pub wraps_per_band: u32,
    /// Bytes of the tape.
    pub capacity: u64,
    /// Bytes a second while streaming.
    pub rate: f64,
    /// Recorded length in metres.
    pub length_m: f64,
    /// Speed of a locate in metres a second.
    pub v_locate: f64,
    /// Every locate, in seconds.
    pub t_base: f64,
    /// Each reversal, in seconds.
    pub t_rev: f64,
    /// Another wrap, in seconds.
    pub t_wrap: f64,
    /// Another band, on top, in seconds.
    pub t_band: f64,
    /// The turn at a wrap's end while streaming, in seconds.
    pub t_turn: f64,
    /// The turn into another band, on top, in seconds.
    pub t_band_turn: f64,
    /// What the tape needs to get to speed, in metres.
    pub runup_m: f64,
}

/// A place on the tape: bytes from its beginning, as if it were all written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    wrap: u32,
    /// Metres from the beginning.
    x: f64,
    bytes: u64,
}

impl Geometry {
    /// Of a cartridge of this technology and capacity.
    pub fn of(technology: Technology, capacity: u64) -> Self {
        let (wraps, rate, length_m) = match technology {
            Technology::Lto5 => (80, 140e6, 810.0),
            Technology::Lto6 => (136, 160e6, 810.0),
            Technology::Lto7 => (112, 300e6, 925.0),
            Technology::Lto7M8 => (168, 300e6, 925.0),
            Technology::Lto8 => (208, 360e6, 925.0),
            Technology::Lto9 | Technology::Lto10 => (280, 400e6, 1000.0),
        };
        let newer = matches!(technology, Technology::Lto9 | Technology::Lto10);
        let (v_locate, t_base, t_rev, t_wrap) = if newer {
            (9.0, 4.0, 5.3, 6.5)
        } else {
            (9.2, 4.3, 5.4, 6.7)
        };
        Self {
            wraps,
            wraps_per_band: wraps / 4,
            capacity: capacity.max(1),
            rate,
            length_m,
            v_locate,
            t_base,
            t_rev,
            t_wrap,
            t_band: 3.2,
            t_turn: 3.0,
            t_band_turn: 3.0,
            runup_m: 2.0,
        }
    }

    /// The place of a byte.
    pub fn place(&self, bytes: u64) -> Place {
        let wraps = bytes as f64 / self.capacity as f64 * f64::from(self.wraps);
        let wrap = (wraps.floor() as u32).min(self.wraps - 1);
        let part = (wraps - f64::from(wrap)).clamp(0.0, 1.0) * self.length_m;
        let x = if wrap.is_multiple_of(2) {
            part
        } else {
            self.length_m - part
        };
        Place { wrap, x, bytes }
    }

    /// Reading or writing from one place on to a later one, in seconds.
    pub fn stream(&self, from: Place, to: Place) -> f64 {
        let turns = f64::from(to.wrap.saturating_sub(from.wrap));
        let bands = f64::from(self.band(to).saturating_sub(self.band(from)));
        to.bytes.saturating_sub(from.bytes) as f64 / self.rate + self.t_turn * turns + self.t_band_turn * bands
    }

    /// From one place to another, in seconds, whichever way is shorter.
    pub fn locate(&self, from: Place, to: Place) -> f64 {
        let (d1, d2) = (direction(from.wrap), direction(to.wrap));
        let delta = to.x - d2 * self.runup_m - from.x;
        let way = if delta == 0.0 { d1 } else { delta.signum() };
        let reversals = f64::from(u8::from(way != d1) + u8::from(way != d2));
        let lateral = match (from.wrap == to.wrap, self.band(from) == self.band(to)) {
            (true, _) => 0.0,
            (false, true) => self.t_wrap,
            (false, false) => self.t_wrap + self.t_band,
        };
        let jump = self.t_base + self.t_rev * reversals + (delta.abs() / self.v_locate).max(lateral);
        if to.bytes >= from.bytes {
            jump.min(self.stream(from, to))
        } else {
            jump
        }
    }

    /// Back to the beginning, in seconds.
    pub fn rewind(&self, from: Place) -> f64 {
        let reversal = if direction(from.wrap) > 0.0 { self.t_rev } else { 0.0 };
        self.t_base + reversal + from.x / self.v_locate
    }

    fn band(&self, place: Place) -> u32 {
        place.wrap / self.wraps_per_band
    }
}

fn direction(wrap: u32) -> f64 {
    if wrap.is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// Seconds as a duration.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lto9() -> Geometry {
        Geometry::of(Technology::Lto9, Technology::Lto9.capacity())
    }

    #[test]
    fn wraps_run_there_and_back() {
        let tape = lto9();
        let wrap = tape.capacity / u64::from(tape.wraps);
        assert!((tape.place(wrap / 2).x - 500.0).abs() < 0.01);
        assert!((tape.place(wrap + wrap / 4).x - 750.0).abs() < 0.01);
        assert_eq!(tape.place(tape.capacity).wrap, tape.wraps - 1);
    }

    #[test]
    fn a_short_gap_is_read_through_and_a_long_one_jumped() {
        let tape = lto9();
        let here = tape.place(0);
        let near = tape.place(400_000_000);
        assert!((tape.locate(here, near) - 1.0).abs() < 1e-9);
        let far = tape.place(tape.capacity / 2);
        assert!(tape.locate(here, far) < 200.0);
        assert!(tape.stream(here, far) > 20_000.0);
    }

    #[test]
    fn a_whole_tape_takes_half_a_day() {
        let tape = lto9();
        let time = tape.stream(tape.place(0), tape.place(tape.capacity));
        assert!((45_000.0..47_000.0).contains(&time), "{time}");
    }
}
