//! Tables for people.

use super::visible::on_one_line;
use comfy_table::{ContentArrangement, Table, presets};
use dss::model::ByteCount;
use jiff::Timestamp;

/// A plain table with a head. On a terminal it is no wider than that; elsewhere every row is one line.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head.map(str::to_uppercase));
    for row in rows {
        table.add_row(row.map(|cell| on_one_line(&cell)));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// How wide the terminal is that results go to; None when it is no terminal.
pub fn terminal() -> Option<u16> {
    Table::new().width()
}

/// A row of a list that is printed while it comes. On a terminal, columns that have no room any more go on below; a name
/// is never broken.
pub fn row(columns: &[&str], terminal: Option<u16>) -> String {
    let room = terminal.map_or(usize::MAX, usize::from);
    let (mut text, mut used) = (String::new(), 0);
    for column in columns.iter().map(|column| on_one_line(column)) {
        let width = column.chars().count();
        let gap = match used {
            0 => "",
            used if used + 2 + width <= room => "  ",
            _ => "\n    ",
        };
        used = if gap.starts_with('\n') { 0 } else { used } + gap.trim_start_matches('\n').len() + width;
        text.push_str(gap);
        text.push_str(&column);
    }
    text
}

/// Names and values, one a line; a dash where there is no value.
pub fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    rows.iter()
        .map(|(name, value)| {
            let value = on_one_line(value).trim_end().to_owned();
            format!("{name:width$}  {}", if value.is_empty() { "-" } else { &value })
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

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn columns_without_room_on_a_terminal_go_on_below() {
        let columns = ["12 B", "1", "name"];
        assert_eq!(row(&columns, Some(13)), "12 B  1  name");
        assert_eq!(row(&columns, Some(12)), "12 B  1\n    name");
        assert_eq!(row(&columns, Some(3)), "12 B\n    1\n    name");
        assert_eq!(row(&columns, None), "12 B  1  name");
    }
}
