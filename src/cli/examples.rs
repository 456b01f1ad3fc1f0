//! What stands below the help of a verb: units, and examples that run as they stand.

mod objects;
mod tape;

use clap::Command;

const SIZES: &str = "Sizes are bytes, or have a unit: 500GB, 64GiB, 4TiB.";
const SPANS: &str = "Durations have a unit: 90s, 15m, 2h, 7d; 0 is none at all.";

/// A verb and its words. A line that begins with two blanks and `respool` is an example.
type Words = (&'static str, &'static [&'static str]);

/// Words by verb, but for those of objects, and of libraries, drives and tapes.
const TEXTS: &[Words] = &[
    (
        "",
        &[
            "Exit codes: 0 done; 1 done but for extents that are listed; 2 refused, nothing touched; 3 a medium, drive or \
             the catalogue is not available; 4 a digest or an invariant does not hold; 5 stopped early, resumable; 70 a bug",
            "`respool help VERB` tells more, with examples.",
        ],
    ),
    (
        "init",
        &[
            "Every other verb makes a normal catalogue by itself where there is none, and says on stderr in which folder.",
            "Examples:
  respool init
  respool --state rehearsal init --testing",
        ],
    ),
    (
        "stop",
        &["Example:
  respool stop"],
    ),
    (
        "demo",
        &["Examples:
  respool demo
  respool demo --from /usr/share/doc --files 500 --keep"],
    ),
    (
        "check",
        &[
            "Exit 0 when nothing is wrong, 4 when something is.",
            "Example:
  respool check --json",
        ],
    ),
    (
        "catalogue backup",
        &["Example:
  respool catalogue backup /mnt/usb/catalogue.bak"],
    ),
    (
        "catalogue restore",
        &["Example:
  respool catalogue restore /mnt/usb/catalogue.bak"],
    ),
    (
        "catalogue verify",
        &["Example:
  respool catalogue verify /mnt/usb/catalogue.bak"],
    ),
    (
        "clock accept",
        &["Example:
  respool clock accept"],
    ),
    (
        "drill steps",
        &["Example:
  respool drill steps"],
    ),
    (
        "dir add",
        &[
            SIZES,
            "Examples:
  respool dir add disk-a /mnt/disk-a
  respool dir add usb-1 /mnt/usb --dock usb --capacity 2TB --tags offsite",
        ],
    ),
    (
        "medium list",
        &["Example:
  respool medium list"],
    ),
    (
        "medium show",
        &["Example:
  respool medium show disk-a"],
    ),
    (
        "medium df",
        &["Example:
  respool medium df"],
    ),
    (
        "medium counts",
        &["Example:
  respool medium counts"],
    ),
    (
        "medium extents",
        &["Example:
  respool medium extents disk-a"],
    ),
    (
        "medium candidates",
        &[
            "Media that fail or are being given up come first, then those with the most bytes to be got back. What deleted \
             versions hold is live until their undelete window ends, and told apart. Room elsewhere is estimated; \
             `respool repack MEDIUM --plan` looks at every extent.",
            "Examples:
  respool medium candidates
  respool medium candidates --why-not disk-a",
        ],
    ),
    (
        "medium what-if-lost",
        &[
            "Asks, and changes nothing. Copies count as they can be put together of what can be read now; old bytes that are \
             held for a restore are none. The first 1,000 objects are named, those that would be lost before the rest.",
            "Examples:
  respool medium what-if-lost disk-a
  respool medium what-if-lost disk-a disk-b --json",
        ],
    ),
    (
        "medium set",
        &[
            SIZES,
            "Examples:
  respool medium set disk-a tags=offsite,blue capacity=4TiB
  respool medium set disk-a adm_state=read_only
  respool medium set disk-a path=/mnt/elsewhere",
        ],
    ),
    (
        "medium lock",
        &["Example:
  respool medium lock disk-a"],
    ),
    (
        "medium unlock",
        &["Example:
  respool medium unlock disk-a"],
    ),
    (
        "medium trust",
        &[
            "It takes back what the system noted: health is ok again, a full medium takes extents again, and whether it is \
             there is looked up at its path. It reads no data and proves nothing: what fails its digests is found by the \
             next read. It leaves locks, adm_state, objects and copies as they are.",
            "Example:
  respool medium trust disk-a",
        ],
    ),
    (
        "medium dead",
        &[
            "There is no way back. `respool medium what-if-lost MEDIUM` names first what would be lost.",
            "Example:
  respool medium dead disk-a --yes",
        ],
    ),
    (
        "medium check-erase",
        &[
            "Exit 0 when it may be erased, 2 when not.",
            "Example:
  respool medium check-erase disk-a",
        ],
    ),
    (
        "medium format",
        &["Example:
  respool medium format disk-a"],
    ),
    (
        "medium import",
        &["Examples:
  respool medium import /mnt/found --adopt
  respool medium import disk-a --reconcile"],
    ),
    (
        "extent list",
        &[
            "A row: id, state, medium, bytes, name@version.copy.index.",
            "Examples:
  respool extent list --medium disk-a --state orphan
  respool extent list --oid reports/2019.pdf",
        ],
    ),
    (
        "extent show",
        &["Example:
  respool extent show 01933f5e-0000-7000-8000-000000000001"],
    ),
    (
        "extent migrate",
        &["Example:
  respool extent migrate 01933f5e-0000-7000-8000-000000000001 --to disk-b"],
    ),
    (
        "extent release",
        &[
            "A copy is given up whole: with an extent go all others of the same copy, and the sweep removes their bytes. Only \
             when another copy remains whose every extent was read back, on media that stay, are in reach and trusted.",
            "Examples:
  respool extent release 01933f5e-0000-7000-8000-000000000001
  respool extent release 01933f5e-0000-7000-8000-000000000001 --yes",
        ],
    ),
    (
        "repack",
        &[
            "A plan shows the first 20 extents that are moved and the first 20 that are not; with --json all of them. \
             With --best it is the plan for the medium that --best would empty now.",
            SIZES,
            SPANS,
            "Examples:
  respool repack disk-a --plan
  respool repack disk-a --quarantine 7d
  respool repack disk-a disk-b --to-tags offsite --detach
  respool repack disk-a --to disk-c --limit-time 8h --limit-bytes 500GiB
  respool repack --best --plan
  respool repack --best --limit-time 4h",
        ],
    ),
    (
        "job list",
        &["Example:
  respool job list"],
    ),
    (
        "job show",
        &["Example:
  respool job show 3"],
    ),
    (
        "job report",
        &["Example:
  respool job report 3 --json"],
    ),
    (
        "job wait",
        &[
            "Ctrl-C ends this command; the job goes on.",
            "Example:
  respool job wait 3",
        ],
    ),
    (
        "job pause",
        &["Example:
  respool job pause 3"],
    ),
    (
        "job resume",
        &[
            "A job that failed or was cancelled is not resumed: `respool job show` tells the command that goes on with it.",
            "Example:
  respool job resume 3 --detach",
        ],
    ),
    (
        "job cancel",
        &["Example:
  respool job cancel 3"],
    ),
    (
        "job restore",
        &[
            "Entries that were deleted, overwritten or moved on since are listed, not touched. The copies that the job had \
             made are orphans then, which the sweep removes; its sources are read_only, and keep what they hold.",
            "Example:
  respool job restore 3",
        ],
    ),
    (
        "events",
        &[
            "A row: number, time, what happened, to what, and the rest as key=value. Without --after the newest are shown, in \
             the order in which they came; with --json all from the first one on, --limit of them at once.",
            "Examples:
  respool events --limit 20
  respool events --after 1500",
        ],
    ),
    (
        "completion",
        &["Examples:
  respool completion bash > /etc/bash_completion.d/respool
  respool completion zsh > /usr/share/zsh/site-functions/_respool"],
    ),
    (
        "man",
        &["Examples:
  respool man
  respool man --dir pages"],
    ),
];

fn texts() -> impl Iterator<Item = &'static Words> {
    TEXTS.iter().chain(objects::TEXTS).chain(tape::TEXTS)
}

/// Puts the words below the help of every verb.
pub fn explain(command: Command) -> Command {
    below(command, "")
}

fn below(mut command: Command, verb: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let sub = format!("{verb} {name}");
        command = command.mut_subcommand(name, |command| below(command, sub.trim_start()));
    }
    match texts().find(|(of, _)| *of == verb) {
        Some((_, words)) => command.after_help(words.join("\n\n")),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::texts;
    use std::collections::BTreeSet;

    fn verbs(command: &clap::Command, path: &str, all: &mut BTreeSet<String>) {
        for sub in command.get_subcommands() {
            verbs(sub, format!("{path} {}", sub.get_name()).trim_start(), all);
        }
        if !command.has_subcommands() {
            all.insert(path.to_owned());
        }
    }

    #[test]
    fn every_verb_has_its_words_and_no_words_are_left_over() {
        let mut all = BTreeSet::from([String::new()]);
        verbs(&crate::cli::command(), "", &mut all);
        let told: BTreeSet<String> = texts().map(|(verb, _)| (*verb).to_owned()).collect();
        assert_eq!(told, all);
        assert_eq!(told.len(), texts().count(), "no verb twice");
    }

    #[test]
    fn the_examples_are_commands_of_their_verbs() {
        for (verb, words) in texts() {
            let examples = words.iter().flat_map(|text| text.lines());
            for example in examples.filter(|line| line.starts_with("  respool")) {
                let typed = example.split('>').next().unwrap_or_default();
                let typed = crate::cli::extent::tell_states_apart(typed.split_whitespace().map(Into::into).collect());
                let parsed = crate::cli::command().try_get_matches_from(typed);
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
                assert!(example.contains(verb), "{example} is no example of {verb}");
                // Help is no wider: what it would break is not copied whole.
                assert!(example.chars().count() <= 80, "{example} goes on in the next line");
            }
        }
    }
}
