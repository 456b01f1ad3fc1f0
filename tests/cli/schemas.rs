//! What `--json` prints is a contract: every verb runs in the real program, and what it prints is valid against its part
//! of the schema that is kept in `src/api/schema`.

use crate::hold::Hold;
use jsonschema::Validator;
use respool_test_support::Site;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/schema/results.json")
}

#[test]
fn the_kept_schema_is_that_of_the_types_that_are_printed() {
    let made = serde_json::to_string_pretty(&respool::cli::results_schema()).unwrap() + "\n";
    if std::env::var_os("RESPOOL_BLESS").is_some() {
        fs::create_dir_all(kept().parent().unwrap()).unwrap();
        fs::write(kept(), &made).unwrap();
    }
    assert!(!made.contains("\"additionalProperties\": false"), "keys may be added");
    let kept = fs::read_to_string(kept()).unwrap_or_default();
    assert!(
        kept == made,
        "results.json is not what the types say; RESPOOL_BLESS=1 writes it anew"
    );
}

/// Every verb of the command line, words parted by blanks.
fn verbs(command: &clap::Command, path: &str, all: &mut BTreeSet<String>) {
    for sub in command.get_subcommands() {
        verbs(sub, format!("{path} {}", sub.get_name()).trim_start(), all);
    }
    if !command.has_subcommands() {
        all.insert(path.to_owned());
    }
}

/// The command line, walked: a verb that is added later is among them.
pub fn all_verbs() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    verbs(&respool::cli::command(), "", &mut all);
    all
}

#[test]
fn every_verb_has_a_schema_and_every_schema_a_verb() {
    let mut wanted = all_verbs();
    wanted.insert("error".to_owned());
    let schema = respool::cli::results_schema();
    let results = schema["results"].as_object().unwrap();
    assert_eq!(results.keys().cloned().collect::<BTreeSet<_>>(), wanted);
}

/// Validators of the kept schema by verb, and which verbs printed a result.
pub struct Contract {
    schema: Value,
    validators: BTreeMap<String, Validator>,
    printed: BTreeSet<String>,
}

impl Contract {
    /// Of the kept file.
    pub fn new() -> Self {
        Self {
            schema: serde_json::from_str(&fs::read_to_string(kept()).unwrap()).unwrap(),
            validators: BTreeMap::new(),
            printed: BTreeSet::new(),
        }
    }

    /// What is wrong with what a verb printed.
    pub fn complaints(&mut self, verb: &str, value: &Value) -> Vec<String> {
        let schema = &self.schema;
        let validator = self.validators.entry(verb.to_owned()).or_insert_with(|| {
            let mut document = schema["results"][verb].clone();
            document["$defs"] = schema["$defs"].clone();
            jsonschema::options()
                .should_validate_formats(true)
                .build(&document)
                .unwrap()
        });
        validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// What a verb printed, a result or a failure, is as its schema says.
    #[track_caller]
    fn holds(&mut self, verb: &str, value: &Value) {
        let failed = value.get("error").is_some_and(Value::is_object) && value.get("job").is_none();
        let schema = if failed { "error" } else { verb };
        let complaints = self.complaints(schema, value);
        assert_eq!(complaints, [""; 0], "{verb} printed {value:#}");
        if !failed {
            self.printed.insert(verb.to_owned());
        }
    }
}

#[test]
fn what_every_verb_prints_as_json_is_as_its_schema_says() {
    let site = Site::new(RESPOOL);
    let mut contract = Contract::new();
    fs::write(site.root().join("file"), "bytes").unwrap();
    for folder in ["a", "b", "c", "d", "e", "f", "folder", "demo"] {
        fs::create_dir(site.root().join(folder)).unwrap();
    }
    for number in 0..4 {
        fs::write(site.root().join(format!("folder/{number}")), "bytes").unwrap();
    }
    std::os::unix::fs::symlink("0", site.root().join("folder/link")).unwrap();
    let mut run = |verb: &str, rest: &str, code: i32| {
        let words: Vec<&str> = verb.split(' ').chain(rest.split_whitespace()).collect();
        let value = site.run(&words).expect(code);
        contract.holds(verb, &value);
        value
    };
    run("init", "--testing", 0);
    run("dir add", "a a --capacity 1GiB --tags a,blue --dock d", 0);
    run("dir add", "b b --tags b", 0);
    run("dir add", "a missing", 2);
    run("put", "file one --tags a --meta colour=red --grouping g", 0);
    run("put", "file one", 2);
    run("put", "folder f --recursive --tags a", 0);
    run("put", "folder f --recursive --tags a", 2);
    run("get", "one copy", 0);
    run("get", "nothing copy2", 2);
    run("get", "--recursive f got", 0);
    run("get", "--recursive f got", 2);
    run("object list", "", 0);
    run("object show", "one", 0);
    run("delete", "one", 0);
    run("object list", "--deleted", 0);
    run("undelete", "one", 0);
    run("delete", "f/0 f/1", 0);
    run("undelete", "f/0", 0);
    run("undelete", "f/1", 0);
    run("medium list", "", 0);
    run("medium df", "", 0);
    run("medium counts", "", 0);
    run("medium show", "a", 0);
    run("medium set", "a tags=a,red class=cold", 0);
    run("medium lock", "a", 0);
    run("medium unlock", "a", 0);
    run("medium trust", "a", 0);
    run("medium extents", "a", 0);
    run("medium check-erase", "a", 2);
    run("medium candidates", "--why-not a", 0);
    run("medium candidates", "--why-not missing", 2);
    run("repack", "--best", 0);
    run("repack", "--best --limit-time 4h --to b", 0);
    run("repack", "--best --to missing", 2);
    run("medium what-if-lost", "a b", 0);
    run("medium what-if-lost", "a missing", 2);
    run("medium import", "a", 0);
    let extents = run("extent list", "--medium a", 0);
    let extent = extents["extents"][0]["id"].as_str().unwrap().to_owned();
    run("extent list", "--state never", 2);
    run("extent show", &extent, 0);
    run("repack", "a --plan", 0);
    run("repack", "a --limit-bytes 1", 5);
    run("job show", "1", 0);
    run("job pause", "1", 2);
    let held = Hold::of(&site, "b");
    run("job resume", "1 --detach", 0);
    Hold::stops(&site, 1);
    // The request to pause comes while the job stands still.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Hold::stops(&site, 2);
            held.release();
        });
        run("job pause", "1", 0);
    });
    run("job wait", "1", 5);
    run("job cancel", "1", 0);
    run("job report", "1", 0);
    run("repack", "a --to b", 0);
    run("job list", "", 0);
    run("job restore", "2", 0);
    let extents = run("extent list", "--medium a --state sync", 0);
    let extent = extents["extents"][0]["id"].as_str().unwrap().to_owned();
    run("extent migrate", &format!("{extent} --to b"), 0);
    run("dir add", "c c", 0);
    run("medium format", "c", 0);
    run("medium dead", "c", 2);
    run("medium dead", "c --yes", 0);
    for disk in ["d", "e", "f"] {
        run("dir add", &format!("{disk} {disk} --tags x"), 0);
    }
    run("put", "file double --copies 2 --tags x", 0);
    let rows = run("extent list", "--oid double", 0);
    let [moved, other] = [0, 1].map(|at| rows["extents"][at].clone());
    let used = [&moved["medium"], &other["medium"]];
    let free = ["d", "e", "f"]
        .into_iter()
        .find(|disk| !used.contains(&&json!(disk)))
        .unwrap();
    let [moved, other] = [&moved["id"], &other["id"]].map(|id| id.as_str().unwrap());
    run("extent migrate", &format!("{moved} --to {free}"), 0);
    run("extent release", other, 2);
    run("extent release", &format!("{other} --yes"), 0);
    run("events", "--limit 20", 0);
    run("clock accept", "", 0);
    run("check", "", 0);
    run("drill steps", "", 0);
    run("catalogue backup", "backup", 0);
    run("catalogue verify", "backup", 0);
    run("catalogue restore", "backup", 0);
    run("check", "", 0);
    run(
        "library add virtual",
        "lib0 lib0 --drives 2 --slots 4 --cartridges 3",
        0,
    );
    run("library add virtual", "lib0 lib0", 2);
    run("library add scsi", "lib1 file", 2);
    run("library list", "", 0);
    run("library scan", "lib0", 0);
    run("library scan", "lib9", 2);
    run("tape list", "", 0);
    run("tape check", "RSP000L9", 2);
    run("tape add", "RSP000L9 --name t --tags tape", 0);
    run("tape format", "RSP001L9 --name u --tags tape", 0);
    run("put", "file on-tape --tags tape", 0);
    run("tape check", "t", 0);
    run("tape import", "t", 0);
    run("tape compact", "t --onto u", 0);
    run("tape unload", "t", 0);
    run("medium show", "t", 0);
    run("drive list", "", 0);
    run("drive status", "", 0);
    run("drive lock", "drv1 --why grinding", 0);
    run("drive unlock", "drv1", 0);
    run("drive lock", "drv9", 2);
    run("library insert", "lib0 lib0/cartridges/RSP002L9 --barcode NEW001L9", 0);
    run("library forget", "lib0", 2);
    run("library add virtual", "lib9 lib9", 0);
    run("library forget", "lib9", 0);
    run("check", "", 0);
    run("stop", "", 0);
    run("stop", "", 0);
    run("completion", "bash", 0);
    run("man", "", 0);
    run("man", "--dir pages", 0);
    run("man", "--dir file/pages", 3);
    let mut demo = site.command(&["demo", "--files", "20", "--from", env!("CARGO_MANIFEST_DIR")]);
    demo.env("RESPOOL_STATE", site.root().join("demo/state"));
    for variable in ["RESPOOL_TESTING", "RESPOOL_FAULTS"] {
        demo.env_remove(variable);
    }
    let output = demo.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    contract.holds("demo", &serde_json::from_slice(&output.stdout).unwrap());
    // No host of a test has a changer. What its library would print is what one in a folder prints.
    let library_of = |kind: &str| contract.schema["results"][format!("library add {kind}")].clone();
    assert_eq!(library_of("scsi"), library_of("virtual"));
    contract.printed.insert("library add scsi".to_owned());
    assert_eq!(contract.printed, all_verbs(), "these printed a result");
}

#[test]
fn a_result_that_is_not_as_its_schema_says_is_noticed() {
    let mut contract = Contract::new();
    let good = json!({ "error": {
        "code": "c", "blame": "us", "subject": "s", "message": "m", "next": "n", "exit": 2, "more": [] } });
    assert_eq!(contract.complaints("error", &good), [""; 0]);
    let mut bad = good.clone();
    bad["error"]["exit"] = json!("2");
    assert_eq!(contract.complaints("error", &bad).len(), 1);
    let mut bad = good;
    bad["error"].as_object_mut().unwrap().remove("next");
    assert_eq!(contract.complaints("error", &bad).len(), 1);
    assert_ne!(
        contract.complaints("job list", &json!({ "jobs": [{ "job": 1 }] })),
        [""; 0]
    );
}

/// A schema that takes anything would never be broken.
#[test]
fn no_verb_has_a_schema_that_takes_anything() {
    let mut contract = Contract::new();
    for verb in all_verbs() {
        for nothing in [json!({}), json!([]), json!("text"), json!({ "error": "text" })] {
            assert_ne!(contract.complaints(&verb, &nothing), [""; 0], "{verb} takes {nothing}");
        }
    }
}
