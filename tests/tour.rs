//! The README's tour, line by line, on the real program.

use std::path::Path;
use std::process::Command;

/// The lines of all blocks that are marked as part of the tour.
fn tour() -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut script = String::from("set -eux\n");
    for block in readme.split("<!-- tour -->").skip(1) {
        let code = block.split("```").nth(1).unwrap();
        script.push_str(code.strip_prefix("sh\n").unwrap());
    }
    script
}

#[test]
fn the_tour_of_the_readme_runs_as_it_stands() {
    let script = tour();
    assert!(script.matches("respool ").count() > 15, "the tour was found");
    let folder = tempfile::Builder::new().permissions(mode(0o711)).tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_respool")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let done = Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(folder.path())
        .env("PATH", path)
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .env_remove("RESPOOL_TESTING")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{}\n{said}",
        String::from_utf8_lossy(&done.stdout)
    );
}

fn mode(bits: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(bits)
}
