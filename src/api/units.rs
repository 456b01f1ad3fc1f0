//! Sizes and durations as people write them, for the command line and the config.

use dss::model::ByteCount;
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
    humantime::parse_duration(text)
        .map_err(|error| format!("'{text}' is not a duration ({error}); write for example 90s, 15m or 7d"))
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
}
