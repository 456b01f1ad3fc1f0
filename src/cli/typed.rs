//! The options before the verb that were typed: every command that is told gets them again, for without them it would be
//! about another archive.

use crate::api::typed::{Typed, option};
use std::path::Path;

/// `--config` and `--state` as they were typed; what comes from the environment comes from there again.
#[derive(Debug, Default)]
pub struct Globals(String);

impl Globals {
    /// Those that were typed. One that cannot be shown is told as a place to fill in.
    pub fn of(config: Option<&Path>, state: Option<&Path>) -> Self {
        let typed = |name: &str, value: Option<&Path>, place: &str| {
            value.map_or_else(String::new, |path| {
                let shown = option(name, path).unwrap_or_else(|| format!("{name} {place}"));
                format!(" {shown}")
            })
        };
        Self(typed("--config", config, "FILE") + &typed("--state", state, "DIR"))
    }

    /// A command with them; None when it cannot be told.
    pub fn told(&self, command: &Typed) -> Option<String> {
        command.told().map(|command| self.add(&command))
    }

    /// A command that was told without them, which begins with `respool`.
    pub fn add(&self, command: &str) -> String {
        match command.strip_prefix("respool ") {
            Some(rest) => format!("respool{} {rest}", self.0),
            None => command.to_owned(),
        }
    }

    /// A text in which commands were told without them.
    pub fn within(&self, text: &str) -> String {
        match self.0.is_empty() {
            true => text.to_owned(),
            false => text.replace("`respool ", &format!("`respool{} ", self.0)),
        }
    }
}

/// How a command that was cut short begins its advice to repeat it.
const REPEAT: &str = "repeat the command";
/// How advice ends that leads to its repetition.
const AND_REPEAT: [&str; 4] = [
    ", then repeat the command",
    " and repeat the command",
    " repeat the command",
    "; then repeat",
];

/// What to do about what cut a command short, and then to go on. A plain repetition, which the problem may advise, would
/// be refused, or begin anew: the way on stands in its place.
pub fn and_then(next: &str, way_on: &str) -> String {
    if next.is_empty() || next.starts_with(REPEAT) {
        return way_on.to_owned();
    }
    let first = AND_REPEAT.iter().find_map(|end| next.strip_suffix(end));
    format!("{}; then {way_on}", first.unwrap_or(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_command_that_is_told_is_about_the_same_archive() {
        let globals = Globals::of(Some(Path::new("c.toml")), Some(Path::new("my B")));
        let command = Typed::verb("delete").names(["b", "c"]);
        let wanted = "respool --config c.toml --state 'my B' delete b c";
        assert_eq!(globals.told(&command).unwrap(), wanted);
        assert_eq!(globals.add("respool delete b c"), wanted);
        assert_eq!(
            globals.within("run `respool stop`, then `respool check`"),
            "run `respool --config c.toml --state 'my B' stop`, then `respool --config c.toml --state 'my B' check`"
        );
        let none = Globals::default();
        assert_eq!(none.add("respool stop"), "respool stop");
        let strange = Globals::of(None, Some(Path::new(OsStr::from_bytes(b"\xff"))));
        assert_eq!(strange.add("respool stop"), "respool --state DIR stop");
    }

    #[test]
    fn the_way_on_stands_in_place_of_a_repetition() {
        for (next, told) in [
            ("", "go on"),
            ("repeat the command: respoold is started again", "go on"),
            (
                "run `respool stop`, then repeat the command",
                "run `respool stop`; then go on",
            ),
            (
                "see the log, correct this and repeat the command",
                "see the log, correct this; then go on",
            ),
            (
                "see why PostgreSQL does not answer",
                "see why PostgreSQL does not answer; then go on",
            ),
        ] {
            assert_eq!(and_then(next, "go on"), told);
        }
    }
}
