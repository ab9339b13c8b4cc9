//! `millwright connector`: files of connectors, without a server and without a data folder.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use millwright_connector::{Checked, Manifest, ManifestError, Problem, Tests, run_tests};
use serde_json::json;

use super::Line;

/// What can be done with files of connectors.
#[derive(Debug, Subcommand)]
pub(super) enum ConnectorCommand {
    /// Read manifests and say what is wrong with them, each fault as FILE:LINE:COLUMN: what
    Check {
        /// The manifests, and files of tests
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Hold a manifest to its golden tests and to the examples of its write rules
    Test {
        /// The manifest; its tests are in it, or beside it in NAME.tests.yaml
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the format
    Schema,
}

/// Does what was asked.
pub(super) fn run(command: ConnectorCommand) -> Result<(), Line> {
    match command {
        ConnectorCommand::Check { files, json } => check(&files, json),
        ConnectorCommand::Test { file, json } => test(&file, json),
        ConnectorCommand::Schema => print(&serde_json::to_string_pretty(&Manifest::json_schema())?),
    }
}

/// A manifest and the tests beside it; or what is wrong, by file.
type Read = Result<(Manifest, Tests), Vec<(PathBuf, Problem)>>;

fn check(files: &[PathBuf], as_json: bool) -> Result<(), Line> {
    let faults: Vec<(PathBuf, Problem)> = files.iter().flat_map(|file| faults_of(file)).collect();
    tell(&faults, as_json)
}

/// Prints what is wrong with files; it ends well when that is nothing.
fn tell(faults: &[(PathBuf, Problem)], as_json: bool) -> Result<(), Line> {
    if as_json {
        let problems: Vec<_> = faults.iter().map(fault_json).collect();
        print(&json!({ "problems": problems }).to_string())?;
    } else {
        faults.iter().try_for_each(|(file, problem)| print(&place(file, problem)))?;
    }
    ended(faults.len(), "problem")
}

fn test(file: &Path, as_json: bool) -> Result<(), Line> {
    let (manifest, tests) = match read(file) {
        Ok(read) => read,
        Err(faults) => return tell(&faults, as_json),
    };
    let all = run_tests(&manifest, &tests);
    if as_json {
        print(&serde_json::to_string(&json!({ "tests": all }))?)?;
    } else {
        all.iter().try_for_each(|one| print(&words(one)))?;
    }
    ended(all.iter().filter(|one| !one.passed()).count(), "failed test")
}

/// A line for the test, and one for each thing that is wrong.
fn words(one: &Checked) -> String {
    let word = if one.passed() { "ok    " } else { "FAILED" };
    let faults = one.faults.iter().map(|fault| format!("\n         {fault}"));
    format!("{word} {}{}", one.name, faults.collect::<String>())
}

/// A file of tests is one of its own here, so that a whole folder can be named.
fn faults_of(file: &Path) -> Vec<(PathBuf, Problem)> {
    if file.to_string_lossy().ends_with(".tests.yaml") {
        return read_as(file, Tests::read).err().unwrap_or_default();
    }
    read_as(file, Manifest::read).err().unwrap_or_default()
}

fn read(file: &Path) -> Read {
    let beside = file.with_extension("tests.yaml");
    let manifest = read_as(file, Manifest::read);
    let tests = if beside.exists() { read_as(&beside, Tests::read) } else { Ok(Tests::default()) };
    match (manifest, tests) {
        (Ok(manifest), Ok(tests)) => Ok((manifest, tests)),
        (manifest, tests) => {
            let faults = manifest.err().into_iter().chain(tests.err());
            Err(faults.flatten().collect())
        }
    }
}

fn read_as<T>(
    file: &Path,
    read: impl Fn(&str) -> Result<T, ManifestError>,
) -> Result<T, Vec<(PathBuf, Problem)>> {
    let of = |problem| (file.to_owned(), problem);
    let text = std::fs::read_to_string(file)
        .map_err(|why| vec![of(Problem::new(format!("cannot be read: {why}")))])?;
    read(&text).map_err(|error| error.problems.into_iter().map(of).collect())
}

fn place(file: &Path, problem: &Problem) -> String {
    let file = file.display();
    match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {}", problem.message),
        _ => format!("{file}: {}", problem.message),
    }
}

fn fault_json((file, problem): &(PathBuf, Problem)) -> serde_json::Value {
    let Problem { line, column, message } = problem;
    json!({ "file": file.display().to_string(), "line": line, "column": column, "message": message })
}

/// A reader that goes away, as `head` does, is no fault.
fn print(text: &str) -> Result<(), Line> {
    match writeln!(io::stdout(), "{text}") {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(why.into()),
        _ => Ok(()),
    }
}

fn ended(faults: usize, what: &str) -> Result<(), Line> {
    match faults {
        0 => Ok(()),
        1 => Err(Line(format!("1 {what}"))),
        many => Err(Line(format!("{many} {what}s"))),
    }
}
