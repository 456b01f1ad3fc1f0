//! Times as LTFS writes them: UTC with nine decimals, over more years than 32 bits of seconds have. Kept exactly.

use std::fmt;
use std::str::FromStr;

/// A point in time: whole seconds since 1970 (negative before) and nanoseconds behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
    nanos: u32,
}

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ")]
pub struct NotATime;

const DAY: i64 = 86_400;

/// Years of more digits are refused: their seconds would leave 64 bits.
const YEAR_DIGITS: usize = 9;

impl Time {
    /// Seconds since 1970-01-01T00:00:00Z and nanoseconds within the second; None: a billion nanoseconds or more, or a
    /// year of more than nine digits.
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        let most = days(1_000_000_000, 1, 1) * DAY;
        let least = days(-999_999_999, 1, 1) * DAY;
        ((least..most).contains(&seconds) && nanos < 1_000_000_000).then_some(Self { seconds, nanos })
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds behind them, below a billion.
    pub fn nanos(self) -> u32 {
        self.nanos
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(at: jiff::Timestamp) -> Self {
        let nanos = at.as_nanosecond();
        Self {
            seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).expect("jiff's years have four digits"),
            nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).expect("a remainder of a billion"),
        }
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Counted in years that begin in March, so that the leap day
/// is the last of its year, and in cycles of 400 years, which all have 146,097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    cycle * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

/// Year, month and day of a count of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (cycle, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = (shifted_month + 2) % 12 + 1;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    (cycle * 400 + year + i64::from(month <= 2), month, day)
}

/// So many digits at the beginning of a text, and what follows them.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let head = text.get(..count)?;
    let all = head.bytes().all(|byte| byte.is_ascii_digit());
    let value = all.then(|| head.parse().ok())??;
    Some((value, &text[count..]))
}

fn parse(text: &str) -> Option<Time> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let length = rest.find('-').filter(|length| (4..=YEAR_DIGITS).contains(length))?;
    let (year, rest) = digits(rest, length)?;
    let year = if negative { -year } else { year };
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (hour, rest) = digits(rest.strip_prefix('T')?, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (nanos, rest) = digits(rest.strip_prefix('.')?, 9)?;
    // A day that the calendar does not have comes back as another one.
    let date = days(year, month, day);
    let real = (1..=12).contains(&month) && civil(date) == (year, month, day);
    if rest != "Z" || !real || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second is the first of the next minute here, as it is in every system's clock.
    Time::new(
        date * DAY + hour * 3600 + minute * 60 + second,
        u32::try_from(nanos).ok()?,
    )
}

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        parse(text).ok_or(NotATime)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.seconds.div_euclid(DAY));
        let second = self.seconds.rem_euclid(DAY);
        let sign = if year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{month:02}-{day:02}T", year.abs())?;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{hour:02}:{minute:02}:{:02}.{:09}Z", second % 60, self.nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days_have_their_seconds() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00.000000000Z", 0, 0),
            ("1969-12-31T23:59:58.000000001Z", -2, 1),
            ("2106-02-07T06:28:17.999999999Z", 4_294_967_297, 999_999_999),
            ("2000-02-29T12:00:00.500000000Z", 951_825_600, 500_000_000),
            ("0000-03-01T00:00:00.000000000Z", -62_162_035_200, 0),
            ("12345-06-07T00:00:00.000000000Z", 327_416_947_200, 0),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(
                (time.seconds(), time.nanos(), time.to_string()),
                (seconds, nanos, text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_not_exactly_a_time_is_refused() {
        for text in [
            "",
            "2026-11-20T10:21:26.30620953Z",
            "2026-11-20T10:21:26Z",
            "2026-11-20 10:21:26.306209530Z",
            "2026-02-30T10:21:26.306209530Z",
            "2026-13-01T10:21:26.306209530Z",
            "2026-00-01T10:21:26.306209530Z",
            "2026-11-20T24:00:00.000000000Z",
            "2026-11-20T10:21:26.306209530Z ",
            "+2026-11-20T10:21:26.306209530Z",
            "9999999999-11-20T10:21:26.306209530Z",
            "é026-11-20T10:21:26.306209530Z",
        ] {
            assert_eq!(text.parse::<Time>(), Err(NotATime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_comes_back(seconds in -31_557_014_167_219_200i64..31_556_889_864_403_199, nanos in 0u32..1_000_000_000) {
            let time = Time::new(seconds, nanos).unwrap();
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[-0-9T:.Z]{0,40}") {
            let _ = text.parse::<Time>();
        }
    }
}
