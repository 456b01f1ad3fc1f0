//! Commands as they are typed, so that a message can name the one to type next: a shell and respool read from them just
//! what is meant. What cannot be typed so is never told; whoever composes a message says in words what to do then.

use std::ffi::OsStr;

/// A command that is told. Its names come first, where none of them looks like an option.
#[derive(Clone, Debug)]
pub struct Typed {
    verb: String,
    names: Vec<Option<String>>,
    options: Vec<Option<String>>,
}

impl Typed {
    /// Of `respool`: a verb, or a noun and a verb.
    pub fn verb(verb: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            names: Vec::new(),
            options: Vec::new(),
        }
    }

    /// A word that stands for itself: the name of an object, of a medium, of a file.
    pub fn name(mut self, word: impl AsRef<OsStr>) -> Self {
        self.names.push(word.as_ref().to_str().map(str::to_owned));
        self
    }

    /// Several.
    pub fn names<W: AsRef<OsStr>>(self, words: impl IntoIterator<Item = W>) -> Self {
        words.into_iter().fold(self, |typed, word| typed.name(word))
    }

    /// An option without a value; none, or more of them.
    pub fn flags<'a>(mut self, flags: impl IntoIterator<Item = &'a str>) -> Self {
        self.options.extend(flags.into_iter().map(|flag| Some(flag.to_owned())));
        self
    }

    /// An option, once for each of its values.
    pub fn option<V: AsRef<OsStr>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        let typed = values.into_iter().map(|value| option(name, value));
        self.options.extend(typed);
        self
    }

    /// The whole line; None when no shell can be given it as it is shown.
    pub fn told(&self) -> Option<String> {
        let dashed = |name: &Option<String>| name.as_ref().is_some_and(|name| name.starts_with('-'));
        let names = self.names.iter().map(|name| quoted(name.as_ref()?));
        let options = self.options.iter().cloned();
        let begin = ["respool", self.verb.as_str()].map(|word| Some(word.to_owned()));
        let words: Option<Vec<String>> = match self.names.iter().any(dashed) {
            // Behind this nothing is taken for an option.
            true => {
                let end = [Some("--".to_owned())];
                begin.into_iter().chain(options).chain(end).chain(names).collect()
            }
            false => begin.into_iter().chain(names).chain(options).collect(),
        };
        words.map(|words| words.join(" "))
    }

    /// What the command does, or in other words what to do where there is none to tell.
    pub fn way(&self, does: &str, otherwise: &str) -> String {
        match self.told() {
            Some(command) => format!("`{command}` {does}"),
            None => otherwise.to_owned(),
        }
    }
}

/// An option with its value; None when that cannot be typed as it is shown.
pub fn option(name: &str, value: impl AsRef<OsStr>) -> Option<String> {
    let value = value.as_ref().to_str()?;
    let word = quoted(value)?;
    Some(match value.starts_with('-') {
        // In a word of its own it would be taken for an option.
        true => format!("{name}={word}"),
        false => format!("{name} {word}"),
    })
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> Option<String> {
    if word.chars().any(is_hidden) {
        return None;
    }
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    // Some shells look for a command behind a leading `=`.
    match !word.is_empty() && !word.starts_with('=') && word.chars().all(plain) {
        true => Some(word.to_owned()),
        false => Some(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

/// Whether people are never shown a character as it is: it does something to the terminal, or turns or marks the reading
/// direction of what comes after it, or ends a line without a newline.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn told(command: &Typed) -> String {
        command.told().unwrap()
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        let plain = Typed::verb("put").names(["/a/Übung-1.pdf", "x=1,y"]);
        assert_eq!(told(&plain), "respool put /a/Übung-1.pdf x=1,y");
        let quoted = Typed::verb("delete").names(["my photos", "it's", "", "$HOME", "=ls", "~"]);
        assert_eq!(
            told(&quoted),
            r"respool delete 'my photos' 'it'\''s' '' '$HOME' '=ls' '~'"
        );
    }

    #[test]
    fn names_come_first_and_behind_two_dashes_where_one_looks_like_an_option() {
        let command = |oid: &str| {
            let typed = Typed::verb("get").name(oid).name("FILE");
            told(&typed.flags(["--overwrite"]).option("--version", ["1"]))
        };
        assert_eq!(command("a"), "respool get a FILE --overwrite --version 1");
        assert_eq!(command("-a b"), "respool get --overwrite --version 1 -- '-a b' FILE");
        let value = Typed::verb("object list").option("--prefix", ["-a b/"]);
        assert_eq!(told(&value), "respool object list --prefix='-a b/'");
        let none = Typed::verb("repack").option("--to", None::<&str>).flags(None);
        assert_eq!(told(&none), "respool repack");
    }

    #[test]
    fn what_is_not_shown_as_it_is_makes_no_command() {
        for name in ["a\u{1b}[2J", "a\tb", "invoice\u{202e}fdp.exe"] {
            let command = Typed::verb("undelete").name(name);
            assert_eq!(command.told(), None, "{name:?}");
            assert_eq!(command.way("brings it back", "undelete it"), "undelete it");
            assert_eq!(Typed::verb("object list").option("--prefix", [name]).told(), None);
        }
        assert_eq!(Typed::verb("put").name(OsStr::from_bytes(b"\xff")).told(), None);
    }
}
