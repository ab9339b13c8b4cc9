//! Where the parts are: the repository, the built binaries, the Python parts.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The repository's folder.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A binary of the workspace, as cargo built it. The first call of a test run builds them all, so that
/// no test runs a stale one; `tests/run` has built them and says so by `MILLWRIGHT_TESTS_BUILT`.
///
/// # Panics
/// When they cannot be built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        if std::env::var_os("MILLWRIGHT_TESTS_BUILT").is_some() {
            return;
        }
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
        cargo.current_dir(repository()).args(["build", "--workspace", "--bins", "--quiet"]);
        assert!(cargo.status().expect("cargo can be run").success(), "the binaries do not build");
    });
    let path = test_folder().join(name);
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// The folder with the binaries: two above the test's own, which is in `deps`.
fn test_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    own.ancestors().nth(2).expect("a test lies in deps").to_owned()
}

/// The Python interpreter that has the parts' packages.
#[must_use]
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| prepare(&["python"]))
}

/// The one that has what Tryton needs for PostgreSQL, too.
#[must_use]
pub fn python_for_postgresql() -> PathBuf {
    prepare(&["postgresql"])
}

/// The Python interpreter that has the judge of the OpenAPI document.
#[must_use]
pub fn openapi_judge() -> PathBuf {
    prepare(&["openapi"])
}

/// The Python interpreter that has an OAuth client.
#[must_use]
pub fn oauth_python() -> PathBuf {
    prepare(&["oauth"])
}

/// The Python interpreter that has moto, which speaks S3.
#[must_use]
pub fn moto_python() -> PathBuf {
    prepare(&["moto"])
}

/// The path of a script for Node, whose packages are there.
#[must_use]
pub fn node_script(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| prepare(&["node"])).join(name)
}

/// The folder of the scripts for Node: one that lies there finds their packages.
#[must_use]
pub fn node() -> PathBuf {
    node_script("")
}

/// A ready Tryton database: `orders` or `parties`.
#[must_use]
pub fn company(size: &str) -> PathBuf {
    prepare(&["company", size])
}

/// The path of a Python part.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    repository().join("tests/python").join(name)
}

fn prepare(words: &[&str]) -> PathBuf {
    let mut command = Command::new("python3");
    let output = command.arg(script("prepare.py")).args(words).output();
    let output = output.expect("python3 is installed: tests/run says how");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?} could not be prepared:\n{told}");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
