//! Sizes, durations and numbers of jobs as people write them, for the command line and the config, and as they are told
//! what to write.

use dss::model::{ByteCount, JobId};
use jiff::Timestamp;
use std::time::Duration;

/// A size: `64GiB`, `64 GiB`, `500 MB` or a plain number of bytes.
pub fn parse_size(text: &str) -> Result<ByteCount, String> {
    text.trim()
        .parse::<bytesize::ByteSize>()
        .map(|size| ByteCount(size.as_u64()))
        .map_err(|_| format!("'{text}' is not a size; write a number of bytes, or for example 64GiB"))
}

/// A duration: `7d`, `90s`, `1h 30m`; a plain `0` is none at all.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut units = text.split(|letter: char| !letter.is_ascii_alphabetic());
    if units.any(|unit| unit == "M") {
        return Err(format!(
            "'{text}' could be minutes or months; write m for minutes, and months as days, for example 150d"
        ));
    }
    humantime::parse_duration(text).map_err(|_| {
        format!("'{text}' is not a duration; write a number and its unit, for example 7d, 90m or 30s, or 0 for none")
    })
}

/// A limit of bytes: a size, and not none.
pub fn parse_bytes_limit(text: &str) -> Result<ByteCount, String> {
    match parse_size(text)? {
        ByteCount::ZERO => Err(NO_LIMIT.to_owned()),
        limit => Ok(limit),
    }
}

/// A limit of time: a duration of a second at least, which is what it is kept in.
pub fn parse_time_limit(text: &str) -> Result<Duration, String> {
    match parse_span(text)? {
        limit if limit < Duration::from_secs(1) => Err(NO_LIMIT.to_owned()),
        limit => Ok(limit),
    }
}

const NO_LIMIT: &str = "nothing could be done within it; leave it out for no limit";

/// One of the words that media are chosen by.
pub fn parse_tag(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a tag is a word, and one is missing between commas".to_owned()),
        word => Ok(word.to_owned()),
    }
}

/// The number of a job.
pub fn parse_job(text: &str) -> Result<JobId, String> {
    text.trim()
        .parse()
        .map_err(|_| "a job is given by its number; `respool job list` shows them".to_owned())
}

/// A duration as it is typed: so many of the largest unit that leaves no rest.
pub fn typed_span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = |(length, _): &(u64, &str)| seconds > 0 && seconds.is_multiple_of(*length);
    match units.into_iter().find(whole) {
        Some((length, unit)) => format!("{}{unit}", seconds / length),
        None => format!("{seconds}s"),
    }
}

/// A size as it is typed, likewise.
pub fn typed_size(bytes: ByteCount) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = |(length, _): &(u64, &str)| bytes.0 > 0 && bytes.0.is_multiple_of(*length);
    match units.into_iter().find(whole) {
        Some((length, unit)) => format!("{}{unit}", bytes.0 / length),
        None => bytes.0.to_string(),
    }
}

/// A time as far as anybody plans by it.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        assert_eq!(parse_size("1048576").unwrap(), ByteCount(1 << 20));
        assert_eq!(parse_size("64 GiB").unwrap(), ByteCount(64 << 30));
        assert_eq!(parse_size("64GiB").unwrap(), ByteCount(64 << 30));
        assert!(parse_size("-1").is_err() && parse_size("many").is_err());
    }

    #[test]
    fn durations_are_read_with_units_and_nothing_is_zero() {
        assert_eq!(parse_span("7d").unwrap(), Duration::from_secs(7 * 86_400));
        assert_eq!(parse_span("0").unwrap(), Duration::ZERO);
        assert_eq!(parse_span("0s").unwrap(), Duration::ZERO);
        assert!(parse_span("7").is_err());
    }

    #[test]
    fn who_writes_a_duration_wrong_is_told_what_a_good_one_is() {
        for wrong in ["7", "seven days", "7x", "-1d", ""] {
            let told = parse_span(wrong).unwrap_err();
            assert!(told.contains("7d, 90m or 30s"), "{told}");
        }
    }

    #[test]
    fn what_is_easily_mistaken_is_refused() {
        assert!(parse_span("5M").unwrap_err().contains("write m for minutes"));
        assert_eq!(parse_span("5m").unwrap(), Duration::from_secs(300));
        assert!(parse_bytes_limit("0").is_err() && parse_bytes_limit("1").is_ok());
        assert!(parse_time_limit("0").is_err() && parse_time_limit("900ms").is_err() && parse_time_limit("1s").is_ok());
        assert!(parse_tag(" ").is_err());
        assert_eq!(parse_tag(" a ").unwrap(), "a");
    }

    #[test]
    fn a_job_is_a_number() {
        assert_eq!(parse_job("3"), Ok(JobId(3)));
        for wrong in ["disk-a", "", "1.5", "#3"] {
            assert!(parse_job(wrong).unwrap_err().contains("respool job list"), "{wrong}");
        }
    }

    #[test]
    fn what_is_told_to_be_typed_means_the_same_when_it_is_typed() {
        for (seconds, typed) in [
            (0, "0s"),
            (7 * 86_400, "7d"),
            (36 * 3_600, "36h"),
            (90 * 60, "90m"),
            (90, "90s"),
        ] {
            assert_eq!(typed_span(seconds), typed);
            assert_eq!(parse_span(typed), Ok(Duration::from_secs(seconds)));
        }
        for (bytes, typed) in [
            (0, "0"),
            (1_000, "1000"),
            (5 << 20, "5MiB"),
            (1536 << 30, "1536GiB"),
            (2 << 40, "2TiB"),
        ] {
            assert_eq!(typed_size(ByteCount(bytes)), typed);
            assert_eq!(parse_size(typed), Ok(ByteCount(bytes)));
        }
    }
}
