//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};
use dss::model::ByteCount;
use jiff::Timestamp;

/// A plain table with a head.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Names and values, one a line; a dash where there is no value.
pub fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    rows.iter()
        .map(|(name, value)| {
            let value = value.trim_end();
            format!("{name:width$}  {}", if value.is_empty() { "-" } else { value })
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// A size, or a dash where it is not known.
pub fn size(bytes: Option<ByteCount>) -> String {
    bytes.map_or("-".into(), |bytes| bytes.to_string())
}

/// A time, or a dash where there is none.
pub fn time(at: Option<Timestamp>) -> String {
    at.map_or("-".into(), |at| at.to_string())
}

/// Words, or a dash where there are none.
pub fn words<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let text = words.into_iter().cloned().collect::<Vec<_>>().join(",");
    if text.is_empty() { "-".into() } else { text }
}
