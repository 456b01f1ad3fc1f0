//! Evidence and receipts are made only where the thing they attest happens.

use crate::source::{Source, sources};
use crate::{check_all, root};

/// The only callers of what makes evidence and receipts, tests aside.
const MAY_ATTEST: &[(&str, &str, &[&str])] = &[
    // A pending row is committed: only a catalogue knows.
    (
        "RecordReceipt",
        "after_commit",
        &["dss/src/pg", "dss/src/mem.rs", "dss/src/mem"],
    ),
    (
        "Recorded",
        "committed",
        &["dss/src/pg", "dss/src/mem.rs", "dss/src/mem"],
    ),
    // Digests are those of the bytes that pass the verifier.
    ("DigestReceipt", "of_stream", &["src/mover"]),
    ("Verified", "checked", &["src/mover"]),
    // A medium took the bytes: only its file system knows.
    ("WriteReceipt", "accepted", &["lrs/src/ldm/fs"]),
    ("Written", "accepted", &["src/mover"]),
    // A medium made them durable: only its file system knows.
    ("SyncReceipt", "durable", &["lrs/src/ldm/fs"]),
    ("Synced", "durable", &["src/mover"]),
    // Bytes were read back from the medium.
    ("ReadBack", "checked", &["src/mover"]),
    ("Digested", "checked", &["src/mover"]),
];

/// Where they are defined.
const EVIDENCE: &str = "dss/src/model/evidence.rs";

fn forged_evidence(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    if source.file == EVIDENCE {
        return complaints;
    }
    complaints.extend(other_names(source));
    for path in source.paths() {
        let name = path.parts.join("::");
        let evidence = |part: &String| MAY_ATTEST.iter().any(|(kind, ..)| part == kind);
        if path.renamed && path.parts.last().is_some_and(evidence) {
            complaints.push(format!("{}:{}: `{name}` keeps its own name", source.file, path.line));
        }
        let [.., kind, constructor] = &path.parts[..] else {
            continue;
        };
        let row = MAY_ATTEST.iter().find(|row| row.0 == kind && row.1 == constructor);
        if let Some((.., callers)) = row
            && !callers.iter().any(|place| source.is_in(place))
        {
            complaints.push(format!(
                "{}:{}: `{name}` is not this module's to attest",
                source.file, path.line
            ));
        }
    }
    complaints
}

/// Ways to a constructor that do not name it by its type: a type alias, and `<Synced>::durable`.
fn other_names(source: &Source) -> Vec<String> {
    let text = |at: usize| source.tokens.get(at).map_or("", |token| token.text.as_str());
    let mut complaints = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let line = token.line;
        if MAY_ATTEST.iter().any(|row| row.1 == token.text)
            && text(at.wrapping_sub(1)) == "::"
            && text(at.wrapping_sub(2)) == ">"
        {
            complaints.push(format!("{}:{line}: `>::{}` hides whose it is", source.file, token.text));
        }
        if token.text == "type" {
            let end = (at..source.tokens.len())
                .find(|at| text(*at) == ";")
                .unwrap_or(source.tokens.len());
            let kind = MAY_ATTEST.iter().find(|row| text(end - 1) == row.0);
            if let Some((kind, ..)) = kind {
                complaints.push(format!("{}:{line}: `{kind}` keeps its own name", source.file));
            }
        }
    }
    complaints
}

#[test]
fn evidence_is_made_only_where_the_thing_happens() {
    check_all(&["src", "lrs/src", "dss/src"], forged_evidence);
}

/// A constructor that is added to the evidence without a row here would have no guard.
#[test]
fn every_constructor_of_evidence_has_its_callers_listed() {
    let file = sources(root(), "dss/src/model")
        .into_iter()
        .find(|source| source.file == EVIDENCE);
    let file = file.expect("the evidence is where the guards look for it");
    assert_eq!(unlisted_constructors(&file), [""; 0]);
    let added = Source::new(
        EVIDENCE,
        "impl Synced { pub fn assumed(w: Written) -> Self { Self(w) } }",
    );
    assert_ne!(unlisted_constructors(&added), [""; 0]);
    let derived = Source::new(EVIDENCE, "#[derive(Debug, Clone, Default)] pub struct Synced(());");
    assert_ne!(unlisted_constructors(&derived), [""; 0]);
}

/// Public functions of an evidence type that take no `self`, and derives that make one from nothing.
fn unlisted_constructors(file: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut kind = "";
    for (at, token) in file.tokens.iter().enumerate() {
        let text = |offset: usize| file.tokens.get(at + offset).map_or("", |token| token.text.as_str());
        match token.text.as_str() {
            "impl" => kind = text(1),
            "Default" | "Deserialize" => found.push(format!("line {}: {}", token.line, token.text)),
            "pub" if text(1) == "fn" => {
                let name = text(2);
                let mut first = 3;
                while text(first) != "(" {
                    first += 1;
                }
                let takes_self = (first + 1..first + 4).any(|offset| text(offset) == "self");
                let listed = MAY_ATTEST.iter().any(|row| row.0 == kind && row.1 == name);
                if !takes_self && !listed {
                    found.push(format!("line {}: {kind}::{name}", token.line));
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn forged_evidence_is_noticed() {
    for (file, bad) in [
        (
            "src/engine.rs",
            "fn f(w: Written, r: &SyncReceipt) { Synced::durable(w, r); }",
        ),
        (
            "src/store/put.rs",
            "let r = dss::model::evidence::SyncReceipt::durable(m, g, t);",
        ),
        ("src/mover/copy.rs", "let r = SyncReceipt::durable(m, g, t);"),
        ("src/mover/copy.rs", "batch.map(WriteReceipt::accepted)"),
        ("src/mover/copy.rs", "use dss::model::SyncReceipt as R;"),
        ("dss/src/catalogue.rs", "RecordReceipt::after_commit()"),
        ("src/repack/machine.rs", "DigestReceipt::of_stream(digests)"),
        (
            "src/engine/settle.rs",
            "type Durable = dss::model::Synced; Durable::durable(w, r);",
        ),
        ("src/engine/settle.rs", "<dss::model::Synced>::durable(w, r)"),
    ] {
        assert_ne!(
            forged_evidence(&Source::new(file, bad)),
            [""; 0],
            "not noticed in {file}: {bad}"
        );
    }
    let tests = "#[cfg(test)] mod tests { fn f() { SyncReceipt::durable(m, g, t); } }";
    assert_eq!(forged_evidence(&Source::new("src/engine.rs", tests)), [""; 0]);
    assert_eq!(
        forged_evidence(&Source::new("src/mover/copy.rs", "Verified::checked(r, d)")),
        [""; 0]
    );
}
