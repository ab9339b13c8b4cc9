//! `millwright connector`, as the guide says it.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const GUIDE: &str = include_str!("../../../docs/connectors.md");

/// The blocks of a language in the guide's section on writing a connector.
fn blocks(language: &str) -> Vec<&'static str> {
    let section = GUIDE.split_once("\n## Write a connector\n").unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    let fence = format!("```{language}\n");
    section.split(&fence).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

/// Runs a line of a shell block in a folder.
fn run(folder: &Path, line: &str) -> Output {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("millwright"), "{line}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_millwright"));
    command.current_dir(folder).args(words).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn with_file(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.yaml"), text).unwrap();
    folder
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let folder = with_file(blocks("yaml")[0]);
    let lines: Vec<&str> = blocks("sh").into_iter().flat_map(str::lines).collect();
    assert!(lines.len() >= 3);
    for line in lines {
        let output = run(folder.path(), line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
    assert_eq!(out(&run(folder.path(), "millwright connector check acme.yaml")), "");
    let told = out(&run(folder.path(), "millwright connector test acme.yaml"));
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(told.lines().all(|line| line.starts_with("ok     ")), "{told}");
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_file_line_and_column() {
    let text = blocks("yaml")[0];
    for (what, instead, column, said) in [
        ("rows: items", "rowz: items", 7, "rowz"),
        ("name: name\n", "nmae: name\n", 7, "entities.vendors.fields.nmae: is not a field"),
    ] {
        let folder = with_file(&text.replacen(what, instead, 1));
        let line = 1 + text.lines().position(|line| line.contains(what.trim())).unwrap();
        let output = run(folder.path(), "millwright connector check acme.yaml");
        assert_eq!(output.status.code(), Some(1));
        let told = out(&output);
        let begins = format!("acme.yaml:{line}:{column}: ");
        assert!(told.starts_with(&begins) && told.contains(said), "{told}");
        let output = run(folder.path(), "millwright connector check --json acme.yaml");
        let told: Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(told["problems"][0]["line"], line);
        assert_eq!(told["problems"][0]["column"], column);
    }
}

#[test]
fn what_cannot_be_read_or_tested_is_one_json_document_where_that_was_asked_for() {
    let folder = with_file("format: [\n");
    for (file, said) in [("acme.yaml", ""), ("missing.yaml", "cannot be read")] {
        for command in ["check", "test"] {
            let line = format!("millwright connector {command} --json {file}");
            let output = run(folder.path(), &line);
            assert_eq!(output.status.code(), Some(1), "{line}");
            let told: Value = serde_json::from_str(&out(&output)).expect(&line);
            let problem = &told["problems"][0];
            assert_eq!(problem["file"], file, "{told}");
            assert!(problem["message"].as_str().unwrap().contains(said), "{told}");
        }
    }
}

#[test]
fn a_failed_test_is_told_with_what_differs() {
    let text = blocks("yaml")[0];
    let beside = "rows: { vendors: [{ row: { id: 1 }, record: { remoteId: \"1\" } }] }\n";
    let folder = with_file(text);
    std::fs::write(folder.path().join("acme.tests.yaml"), beside).unwrap();
    let output = run(folder.path(), "millwright connector test acme.yaml");
    assert_eq!(output.status.code(), Some(1));
    let told = out(&output);
    let wrong =
        "FAILED tests.rows.vendors[1]\n         currencyCode: nothing expected, and \"EUR\" came";
    assert!(told.contains(wrong), "{told}");
}

#[test]
fn the_schema_that_is_printed_is_the_published_one() {
    let folder = tempfile::tempdir().unwrap();
    let told = out(&run(folder.path(), "millwright connector schema"));
    assert_eq!(told, include_str!("../../../docs/connector.schema.json"));
}
