//! Reads Rust sources as far as the guards need: tokens without comments, strings and test code, and the paths in
//! them, with `use` trees spread out and `crate`, `self` and `super` resolved. No more of a parser than that.

use std::fs;
use std::path::Path;

/// One token and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path such as `std::fs::read`; `renamed` when a `use` gives its last part another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    pub parts: Vec<String>,
    pub renamed: bool,
    pub line: usize,
}

/// A source file: where it lies, its module path (crate name first), its tokens outside of tests.
pub struct Source {
    pub file: String,
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
    /// The same with test code, for rules that hold there too.
    pub all_tokens: Vec<Token>,
}

impl Source {
    pub fn new(file: &str, text: &str) -> Self {
        let all_tokens = tokenize(text);
        let tokens = if is_test_file(file) {
            Vec::new()
        } else {
            without_tests(&all_tokens)
        };
        Self {
            file: file.to_owned(),
            module: module_of(file),
            tokens,
            all_tokens,
        }
    }

    /// Every path outside of tests, resolved.
    pub fn paths(&self) -> Vec<PathUse> {
        paths(&self.tokens).into_iter().map(|path| self.resolve(path)).collect()
    }

    /// Whether the file lies in this folder, or is this file.
    pub fn is_in(&self, place: &str) -> bool {
        self.file == place || self.file.starts_with(&format!("{}/", place.trim_end_matches('/')))
    }

    fn resolve(&self, mut path: PathUse) -> PathUse {
        let mut base = match path.parts[0].as_str() {
            "crate" => self.module[..1].to_vec(),
            "self" => self.module.clone(),
            "super" => self.module.clone(),
            _ => return path,
        };
        let mut rest = &path.parts[..];
        while let [first, more @ ..] = rest
            && ["crate", "self", "super"].contains(&first.as_str())
        {
            if first == "super" && base.len() > 1 {
                base.pop();
            }
            rest = more;
        }
        base.extend_from_slice(rest);
        path.parts = base;
        path
    }
}

/// Every Rust source below `folder`, by its path from the workspace's root. Nothing when the folder does not exist.
pub fn sources(root: &Path, folder: &str) -> Vec<Source> {
    let mut files: Vec<_> = walkdir::WalkDir::new(root.join(folder))
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path
            .strip_prefix(root)
            .expect("below the root")
            .to_string_lossy()
            .into_owned();
        Source::new(&name, &fs::read_to_string(path).expect("a source is readable"))
    };
    files.iter().map(read).collect()
}

fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.split('/').any(|part| part == "tests" || part == "benches")
}

/// `lrs/src/core/drive.rs` is `lrs::core::drive`.
fn module_of(file: &str) -> Vec<String> {
    let (name, inside) = match file.split_once("src/") {
        Some(("", inside)) => ("respool", inside),
        Some((name, inside)) => (name.trim_end_matches('/'), inside),
        None => ("tests", file),
    };
    let parts = inside
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| !["mod", "lib", "main"].contains(part));
    std::iter::once(name).chain(parts).map(str::to_owned).collect()
}

/// Identifiers, `::`, and single punctuation; comments, lifetimes and literals are left out.
pub fn tokenize(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let looking_at = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        let begun = at;
        let c = chars[at];
        if looking_at(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if looking_at(at, "/*") {
            let mut depth = 0;
            loop {
                if looking_at(at, "/*") {
                    depth += 1;
                    at += 2;
                } else if looking_at(at, "*/") {
                    depth -= 1;
                    at += 2;
                } else {
                    at += 1;
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = raw_string_end(&chars, at) {
            at = end;
        } else if c == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' {
            at = quote_end(&chars, at);
        } else if c.is_alphabetic() || c == '_' {
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            // The `b` or `c` of a literal is no identifier.
            let text: String = chars[begun..at].iter().collect();
            if !(chars.get(at) == Some(&'"') && ["b", "c"].contains(&text.as_str())) {
                tokens.push(Token { text, line });
            }
        } else if looking_at(at, "::") {
            tokens.push(Token {
                text: "::".into(),
                line,
            });
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(Token { text: c.into(), line });
            }
            at += 1;
        }
        at = at.min(chars.len());
        line += chars[begun..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The end of `r"..."`, `r#"..."#`, `br"..."`, if one begins here.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    let after_r = match chars[at..] {
        ['r', ..] => at + 1,
        ['b' | 'c', 'r', ..] => at + 2,
        _ => return None,
    };
    let hashes = chars[after_r..].iter().take_while(|c| **c == '#').count();
    if chars.get(after_r + hashes) != Some(&'"') {
        return None;
    }
    let mut end = after_r + hashes + 1;
    while end < chars.len() {
        let closes = chars[end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        end += 1;
        if closes {
            return Some(end + hashes);
        }
    }
    Some(end)
}

/// The end of a character literal, or of the quote of a lifetime.
fn quote_end(chars: &[char], at: usize) -> usize {
    match chars[at + 1..] {
        ['\\', _, ..] => {
            let close = chars[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(chars.len(), |offset| at + 4 + offset)
        }
        [_, '\'', ..] => at + 3,
        _ => at + 1,
    }
}

/// Leaves out every item marked `#[cfg(test)]` or `#[test]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let marks: [&[&str]; 2] = [&["#", "[", "cfg", "(", "test", ")", "]"], &["#", "[", "test", "]"]];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let mark = marks.iter().find(|mark| {
            mark.iter()
                .enumerate()
                .all(|(i, text)| tokens.get(at + i).is_some_and(|token| token.text == *text))
        });
        let Some(mark) = mark else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        at += mark.len();
        let mut depth = 0;
        while at < tokens.len() {
            let text = tokens[at].text.as_str();
            at += 1;
            match text {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (text == ";" || text == "}") {
                break;
            }
        }
    }
    kept
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn paths(tokens: &[Token]) -> Vec<PathUse> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].text == "use"
            && tokens
                .get(at + 1)
                .is_some_and(|next| is_word(next) || next.text == "{" || next.text == "::")
        {
            at = use_tree(tokens, at + 1, &[], &mut found);
        } else if is_word(&tokens[at]) {
            let line = tokens[at].line;
            let mut parts = vec![tokens[at].text.clone()];
            at += 1;
            while tokens.get(at).is_some_and(|token| token.text == "::") && tokens.get(at + 1).is_some_and(is_word) {
                parts.push(tokens[at + 1].text.clone());
                at += 2;
            }
            found.push(PathUse {
                parts,
                renamed: false,
                line,
            });
        } else {
            at += 1;
        }
    }
    found
}

/// Spreads out one tree (`a::{b, c::*}`) behind `prefix`; returns where it ends.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<PathUse>) -> usize {
    let mut parts = prefix.to_vec();
    let line = tokens[at].line;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = use_tree(tokens, at, &parts, found);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => {
                found.push(PathUse {
                    parts,
                    renamed: true,
                    line,
                });
                return at + 2;
            }
            "self" if !parts.is_empty() && parts.last().is_some_and(|last| last != "super") => at += 1,
            text if text == "*" || is_word(token) => {
                parts.push(text.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    if !parts.is_empty() {
        found.push(PathUse {
            parts,
            renamed: false,
            line,
        });
    }
    at.max(1)
}
