//! respool-config(5), made of the sample that is packaged: there every key of the typed config stands with its default and
//! its words, which the tests of `config` insist on.

use crate::config::Config;
use std::path::Path;

const SAMPLE: &str = include_str!("../../packaging/config.toml");
/// The page's file.
pub const NAME: &str = "respool-config.5";

/// A line of the sample.
enum Line<'a> {
    /// Words about what comes next.
    Words(&'a str),
    /// `[section]`.
    Section(&'a str),
    /// A key and its value.
    Key(&'a str, &'a str),
    Empty,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        if line.starts_with('[') {
            return Self::Section(line);
        }
        match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                let (key, value) = rest.split_once(" = ").expect("the sample is TOML");
                Self::Key(key, value)
            }
            Some(rest) => Self::Words(rest.trim()),
            None => Self::Empty,
        }
    }
}

/// The page, as roff.
pub fn page() -> String {
    let mut page = format!(
        ".TH respool-config 5 \"\" \"respool {}\"\n.SH NAME\nrespool\\-config \\- the config of respoold\n.SH SYNOPSIS\n\
         \\fI$XDG_CONFIG_HOME/respool/config.toml\\fR, else \\fI/etc/respool/config.toml\\fR; \\fB\\-\\-config\\fR names \
         another one\n.SH DESCRIPTION\n",
        env!("CARGO_PKG_VERSION")
    );
    let (mut words, mut section, mut keys) = (vec![], "", 0);
    for line in SAMPLE.lines().map(Line::of) {
        if keys > 0 && !matches!(line, Line::Key(..)) {
            page.push_str(&paragraph(&mut words));
            keys = 0;
        }
        match line {
            Line::Words(text) => words.push(text),
            Line::Section(name) => {
                page.push_str(&format!(".SH \"{name}\"\n{}", paragraph(&mut words)));
                section = name;
            }
            Line::Key(key, value) => {
                // Keys that share their words stand above them together.
                page.push_str(if keys == 0 { ".TP\n" } else { ".TQ\n" });
                page.push_str(&head(section, (key, value)));
                keys += 1;
            }
            Line::Empty => page.push_str(&paragraph(&mut words)),
        }
    }
    page.push_str(&paragraph(&mut words));
    page.push_str(".SH SEE ALSO\n\\fBrespool\\fR(1), \\fBrespoold\\fR(8)\n");
    page
}

/// A key with its default, or with what it could be where it has none.
fn head(section: &str, (key, value): (&str, &str)) -> String {
    let text = format!("{section}\n{key} = {value}\n");
    let written = Config::parse(&text, Path::new("config.toml")).expect("the sample is right");
    let (key, value) = (escaped(key), escaped(value));
    match written == Config::default() {
        true => format!("\\fB{key}\\fR = {value}\n"),
        false => format!("\\fB{key}\\fR (no default; for example {value})\n"),
    }
}

/// The words that were gathered, as one paragraph.
fn paragraph(words: &mut Vec<&str>) -> String {
    match std::mem::take(words).join(" ") {
        none if none.is_empty() => none,
        text => format!("{}\n", escaped(&text)),
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}
