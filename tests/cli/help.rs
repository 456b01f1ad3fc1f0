//! Help, manual pages and completion: every verb has them, in 80 columns, with a word about every argument.

use crate::site::Site;
use clap::Command;
use nix::pty::{Winsize, openpty};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

/// Every command but the first, built, with the words that lead to it.
fn commands() -> Vec<(String, Command)> {
    fn walk(command: &Command, path: &str, all: &mut Vec<(String, Command)>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
            walk(sub, &path, all);
            all.push((path, sub.clone()));
        }
    }
    let mut whole = respool::cli::command().disable_help_subcommand(true);
    whole.build();
    let mut all = Vec::new();
    walk(&whole, "", &mut all);
    all
}

#[test]
fn every_verb_and_every_argument_says_what_it_is() {
    for (path, command) in commands() {
        assert!(command.get_about().is_some(), "{path} says nothing");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{path}: {} says nothing",
                argument.get_id()
            );
        }
    }
}

#[test]
fn help_answers_in_80_columns_with_examples() {
    let site = Site::new();
    for (path, command) in commands() {
        let words: Vec<&str> = std::iter::once("help").chain(path.split(' ')).collect();
        let help = site.say(&words).exits(0).stdout;
        let wide = help.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{path}");
        if command.has_subcommands() {
            continue;
        }
        assert!(help.contains("\n  respool "), "{path} has no example:\n{help}");
        for (unit, word) in [("Sizes", "parse_size"), ("Durations", "parse_span")] {
            let takes = command.get_arguments().any(|argument| {
                let parser = format!("{:?}", argument.get_value_parser());
                match word {
                    "parse_size" => parser.contains("ByteCount"),
                    _ => parser.contains("Duration"),
                }
            });
            assert!(
                !takes || help.contains(unit),
                "{path} takes {unit} and does not say how:\n{help}"
            );
        }
    }
    assert!(!site.path("state").exists(), "no respoold is needed for that");
}

#[test]
fn every_verb_has_a_page() {
    let site = Site::new();
    // The folder is made.
    site.say(&["man", "--dir", &site.at("pages")]).exits(0);
    let mut wanted: BTreeSet<String> = commands()
        .iter()
        .map(|(path, _)| format!("respool-{}.1", path.replace(' ', "-")))
        .collect();
    wanted.insert("respool.1".to_owned());
    wanted.insert("respool-config.5".to_owned());
    let pages: BTreeSet<String> = fs::read_dir(site.path("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(pages, wanted);
    for page in &pages {
        let text = fs::read_to_string(site.path("pages").join(page)).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
        assert_eq!(sections(&text).last(), Some(&"SEE ALSO"), "{page}");
    }
    let repack = fs::read_to_string(site.path("pages/respool-repack.1")).unwrap();
    assert!(
        repack.contains("keep\\-source") && repack.contains("respool repack disk\\-a \\-\\-plan"),
        "{repack}"
    );
}

/// The headings of a page.
fn sections(page: &str) -> Vec<&str> {
    let heads = page.lines().filter_map(|line| line.strip_prefix(".SH "));
    heads.map(|head| head.trim_matches('"')).collect()
}

/// man-pages(7) names the sections and their order.
#[test]
fn a_page_has_the_sections_that_are_looked_for() {
    let site = Site::new();
    site.say(&["man", "--dir", &site.at("pages")]).exits(0);
    let page = |name: &str| fs::read_to_string(site.path("pages").join(name)).unwrap();
    for (path, command) in commands() {
        let text = page(&format!("respool-{}.1", path.replace(' ', "-")));
        let found = sections(&text);
        assert_eq!(found[..3], ["NAME", "SYNOPSIS", "DESCRIPTION"], "{path}");
        let end: &[&str] = match command.has_subcommands() {
            true => &["EXIT STATUS", "SEE ALSO"],
            false => &["EXIT STATUS", "EXAMPLES", "SEE ALSO"],
        };
        assert!(found.ends_with(end), "{path}: {found:?}");
        assert_eq!(text.matches(".el .ds Aq").count(), 1, "{path}: {text}");
        let stopped = ".TP\n\\fB5\\fR\nstopped early, resumable\n";
        assert!(text.contains(stopped), "{path}: {text}");
    }
    let list = page("respool-medium-list.1");
    let also = "\\fBrespool\\fR(1), \\fBrespool\\-medium\\fR(1), \\fBrespool\\-config\\fR(5), \\fBrespoold\\fR(8)";
    assert!(list.contains(also), "{list}");
    let check = page("respool-check.1");
    let own = ".SH \"EXIT STATUS\"\nExit 0 when nothing is wrong";
    assert!(check.contains(own), "{check}");
    let whole = site.say(&["man"]).exits(0).stdout;
    assert!(!whole.contains("Exit codes:"), "{whole}");
    // What an option or an argument may be is listed.
    let shells = page("respool-completion.1");
    assert!(shells.contains("Possible values") && shells.contains("zsh"), "{shells}");
}

/// The keys themselves are compared with the typed config where the sample is.
#[test]
fn the_page_of_the_config_has_every_key_with_its_default_and_its_words() {
    let site = Site::new();
    site.say(&["man", "--dir", &site.at("pages/of/respool")]).exits(0);
    let page = fs::read_to_string(site.path("pages/of/respool/respool-config.5")).unwrap();
    let sample = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config.toml")).unwrap();
    let (mut keys, mut sections) = (0, 0);
    for line in sample.lines() {
        let rest = line.strip_prefix('#').unwrap_or(line);
        if rest.starts_with(|c: char| c.is_ascii_lowercase()) {
            let key = rest.split_once(" = ").unwrap().0;
            let head = page.lines().find(|line| line.starts_with(&format!("\\fB{key}\\fR")));
            let head = head.unwrap_or_else(|| panic!("{key} is missing in\n{page}"));
            assert_eq!(
                head.contains("no default"),
                ["url", "backup_dir"].contains(&key),
                "{head}"
            );
            keys += 1;
        } else if rest.starts_with('[') {
            assert!(page.contains(&format!(".SH \"{rest}\"")), "{rest}");
            sections += 1;
        }
    }
    assert!(keys > 10 && sections > 3, "{keys} keys in {sections} sections");
    let shared = ".TP\n\\fBring\\fR = \"64 MiB\"\n.TQ\n\\fBchunk\\fR = \"1 MiB\"\nThe ring of buffers";
    assert!(page.contains(shared), "{page}");
    assert!(
        page.contains("\\fBquarantine\\fR = \"7d\"\nHow long the old bytes"),
        "{page}"
    );
}

/// Whether a program can be found.
fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

#[test]
fn completion_scripts_can_be_read_by_their_shells() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = site.say(&["completion", shell]).exits(0).stdout;
        for (path, _) in commands() {
            let verb = path.rsplit(' ').next().unwrap();
            assert!(script.contains(verb), "{shell} is not told of {path}");
        }
        if !installed(shell) {
            println!("not run: {shell} is not installed, and did not read its script");
            continue;
        }
        fs::write(site.path(shell), script).unwrap();
        let read = std::process::Command::new(shell)
            .arg("-n")
            .arg(site.path(shell))
            .output()
            .unwrap();
        assert!(read.status.success() && read.stderr.is_empty(), "{shell}: {read:?}");
    }
}

#[test]
fn bash_is_offered_verbs_and_options() {
    let site = Site::new();
    fs::write(site.path("script"), site.say(&["completion", "bash"]).exits(0).stdout).unwrap();
    let offered = |typed: &[&str]| {
        let ask = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                   _respool respool \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                   echo \"${COMPREPLY[*]}\"";
        let mut bash = std::process::Command::new("bash");
        bash.args(["--norc", "-c", ask, "bash"])
            .arg(site.path("script"))
            .args(typed);
        let output = bash.output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(offered(&["respool", "rep"]), ["repack"]);
    assert_eq!(offered(&["respool", "medium", "check"]), ["check-erase"]);
    assert_eq!(offered(&["respool", "repack", "--keep"]), ["--keep-source"]);
    assert_eq!(offered(&["respool", "completion", "z"]), ["zsh"]);
    assert!(offered(&["respool", "job", ""]).contains(&"restore".to_owned()));
}

#[test]
fn fish_is_offered_verbs_and_options() {
    if !installed("fish") {
        return println!("not run: fish is not installed, and completed nothing");
    }
    let site = Site::new();
    fs::write(site.path("script"), site.say(&["completion", "fish"]).exits(0).stdout).unwrap();
    let offered = |typed: &str| {
        let ask = "source $argv[1]; complete --do-complete $argv[2]";
        let mut fish = std::process::Command::new("fish");
        fish.args(["--no-config", "-c", ask])
            .arg(site.path("script"))
            .arg(typed)
            .env("HOME", site.path("."));
        let output = fish.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // A word and, after a tab, what it does.
        let word = |line: &str| line.split('\t').next().unwrap().to_owned();
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(word)
            .collect::<Vec<_>>()
    };
    assert_eq!(offered("respool rep"), ["repack"]);
    assert_eq!(offered("respool medium check"), ["check-erase"]);
    assert_eq!(offered("respool repack --keep"), ["--keep-source"]);
    assert!(offered("respool job ").contains(&"restore".to_owned()));
}

/// Types to a zsh on a terminal of its own and presses tab; what stands there afterwards is looked for.
const ASK_ZSH: &str = r#"
zmodload zsh/zpty && zpty shell zsh -f -i || exit 9
zpty -w shell "PS1='> '; autoload -Uz compinit; compinit -u -D; source '$1'; print rea''dy"
zpty -r -m shell seen "*ready*" || exit 8
zpty -w -n shell "$2"$'\t'
zpty -r -m shell seen "*$3*" || exit 7
zpty -d shell
"#;

#[test]
fn zsh_is_offered_verbs_and_options() {
    if !installed("zsh") || !installed("timeout") {
        return println!("not run: zsh is not installed, and completed nothing");
    }
    let site = Site::new();
    fs::write(site.path("script"), site.say(&["completion", "zsh"]).exits(0).stdout).unwrap();
    for (typed, completed) in [
        ("respool rep", "respool repack "),
        ("respool medium check", "respool medium check-erase "),
        ("respool repack --keep", "respool repack --keep-source "),
    ] {
        let mut zsh = std::process::Command::new("timeout");
        zsh.args(["60", "zsh", "-f", "-c", ASK_ZSH, "zsh"])
            .arg(site.path("script"))
            .args([typed, completed])
            .env("HOME", site.path("."));
        let output = zsh.output().unwrap();
        assert!(output.status.success(), "{typed}: {output:?}");
    }
}

/// What a command prints on a terminal of 80 columns.
fn on_a_terminal(site: &Site, typed: &[&str]) -> String {
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = openpty(&size, None).unwrap();
    let mut command = site.command(typed);
    let screen = Stdio::from(terminal.slave.try_clone().unwrap());
    let mut child = command.stdout(screen).stderr(Stdio::null()).spawn().unwrap();
    // A terminal ends when nobody holds its other end any more.
    drop((command, terminal.slave));
    let mut said = Vec::new();
    // That end is told as an error.
    let _ = File::from(terminal.master).read_to_end(&mut said);
    assert!(child.wait().unwrap().success(), "{typed:?}");
    String::from_utf8(said).unwrap().replace('\r', "")
}

#[test]
fn tables_fit_a_terminal_of_80_columns_and_are_whole_lines_elsewhere() {
    let site = Site::new();
    let long = "a-medium-with-a-rather-long-name";
    fs::create_dir(site.path("a")).unwrap();
    let tags = "offsite,blue,somewhere-else,and-more-of-them,until-it-is-wide";
    site.run(&["dir", "add", long, &site.at("a"), "--tags", tags]).exits(0);
    site.add_dir("disk-b");
    let name = "reports/of/a/long/and/winding/road/that/leads/to/a/file.pdf";
    site.run(&["put", &site.file("f", 5000), name, "--tags", "blue"])
        .exits(0);
    site.add_dir("disk-c");
    site.run(&["repack", long, "--to", "disk-b", "--quarantine", "1d"])
        .exits(0);
    for typed in [
        &["medium", "list"][..],
        &["medium", "df"],
        &["medium", "counts"],
        &["medium", "extents", long],
        &["medium", "candidates"],
        &["job", "list"],
        &["repack", "disk-b", "--plan"],
        &["object", "list"],
        &["extent", "list"],
    ] {
        let screen = on_a_terminal(&site, typed);
        let wide = screen.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{typed:?}:\n{screen}");
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("").len();
        let lines = site.say(typed).exits(0).stdout;
        assert_eq!(
            squeezed(&screen),
            squeezed(&lines),
            "{typed:?}: something is missing:\n{screen}\n{lines}"
        );
        let rows = lines.lines().count();
        assert!(rows <= 4, "{typed:?}: a row is one line:\n{lines}");
    }
}
