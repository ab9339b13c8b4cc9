//! The program as a person runs it.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

const KEY: &str = "mw_sk_test_0123456789abcdefghijklmnop";

fn millwright(data: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millwright"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLWRIGHT_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").args(options).arg("--data").arg(data);
    command
}

/// Runs it to its end.
fn run(data: &Path, options: &[&str]) -> Output {
    millwright(data, options).output().unwrap()
}

/// What it said on standard error: one line.
fn sole_line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("millwright: "), "{text}");
    text
}

struct Server {
    child: Child,
    url: String,
    /// Standard output from the second line on.
    told: String,
}

impl Server {
    /// Starts it on a free port, and waits for what it prints.
    fn start(data: &Path, options: &[&str]) -> Self {
        // A first start prints commands to try.
        let more = if data.join("format").exists() { 1 } else { 6 };
        let mut command = millwright(data, options);
        command.args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it starts").unwrap();
        let url = first.split_whitespace().nth(3).unwrap().to_owned();
        let told: Vec<_> = lines.take(more).map_while(Result::ok).collect();
        Self { child, url, told: told.join("\n") }
    }

    fn signal(&mut self, name: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args([name, &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }

    /// What curl answers to arguments.
    fn curl(&self, path: &str, arguments: &[&str]) -> Value {
        let mut command = Command::new("curl");
        command.arg("-s").arg(format!("{}{path}", self.url)).args(arguments);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_first_start_prints_commands_that_work_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("made"), &[]);
    assert!(server.told.contains("API key, shown this once: mw_sk_test_"), "{}", server.told);
    assert_commands_work(&server);

    let server = Server::start(&folder.path().join("given"), &["--api-key", KEY]);
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    assert!(server.told.starts_with("API key: the one that was given\n"), "{}", server.told);
    assert_commands_work(&server);
}

fn assert_commands_work(server: &Server) {
    let commands: Vec<_> = server.told.lines().filter(|line| line.contains("curl")).collect();
    assert_eq!(commands.len(), 3, "{}", server.told);
    for command in commands {
        // The first load takes a moment.
        let answer = (0..100).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let output = Command::new("sh").args(["-c", command]).output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            (!answer["data"].as_array().expect("a list").is_empty()).then_some(answer)
        });
        assert!(answer.is_some(), "{command}");
    }
}

#[test]
fn what_was_made_outlives_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--api-key", KEY]);
    let authorized = format!("Authorization: Bearer {KEY}");
    let connections = |server: &Server| server.curl("/v1/connections", &["-H", &authorized]);
    let first = connections(&server)["data"][0]["id"].clone();
    assert!(first.is_string());
    server.signal("-KILL");
    let mut server = Server::start(folder.path(), &["--api-key", KEY]);
    let again = connections(&server);
    assert_eq!(again["data"].as_array().unwrap().len(), 1);
    assert_eq!(again["data"][0]["id"], first);
    assert_eq!(server.signal("-TERM"), Some(0));
    let mut server = Server::start(folder.path(), &["--api-key", KEY]);
    assert_eq!(connections(&server)["data"][0]["id"], first);
    assert_eq!(server.signal("-INT"), Some(0));
}

#[test]
fn a_second_process_is_told_in_one_line_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (used, unused) = (folder.path().join("used"), folder.path().join("unused"));
    let server = Server::start(&used, &["--api-key", KEY]);
    let port = server.url.rsplit(':').next().unwrap();
    let refused = run(&unused, &["--port", port]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(sole_line(&refused).contains(&format!("port {port} is in use")));
    assert!(!unused.exists());
    let commands: [&[&str]; 3] = [
        &["--port", "0"],
        &["key", "create"],
        &["workspace", "create", "Acme", "--environment", "live"],
    ];
    for command in commands {
        let refused = run(&used, command);
        assert_eq!(refused.status.code(), Some(1));
        let process = format!("process {}", server.child.id());
        assert!(sole_line(&refused).contains(&process), "{command:?}");
    }
}

#[test]
fn keys_and_workspaces_are_made_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let stdout = |output: Output| String::from_utf8(output.stdout).unwrap().trim().to_owned();
    drop(Server::start(folder.path(), &["--api-key", KEY]));
    let made = run(folder.path(), &["workspace", "create", "Acme", "--environment", "live"]);
    let workspace = stdout(made);
    assert!(workspace.starts_with("ws_"), "{workspace}");
    let key = run(folder.path(), &["key", "create", "--workspace", &workspace, "--role", "read"]);
    let key = stdout(key);
    assert!(key.starts_with("mw_sk_live_"), "{key}");
    let of_the_first = stdout(run(folder.path(), &["key", "create"]));
    assert!(of_the_first.starts_with("mw_sk_test_"), "{of_the_first}");
    let unknown =
        run(folder.path(), &["key", "create", "--workspace", &workspace.replace("ws_0", "ws_1")]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(sole_line(&unknown).contains("no such workspace"));

    let server = Server::start(folder.path(), &["--api-key", KEY]);
    let listed = |key: &str| {
        server.curl("/v1/connections", &["-H", &format!("Authorization: Bearer {key}")])
    };
    assert_eq!(listed(&key)["data"].as_array().unwrap().len(), 0);
    assert_eq!(listed(&of_the_first)["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_wrong_command_line_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (option, value) in [
        ("--allow-target", "10.0.0/8"),
        ("--speed", "0"),
        ("--port", "x"),
        ("--public-url", "millwright.example"),
    ] {
        let refused = run(&data, &[option, value]);
        assert_eq!(refused.status.code(), Some(2), "{option}");
        assert!(sole_line(&refused).contains(option));
    }
    assert!(!data.exists());
}

#[test]
fn a_given_key_that_cannot_be_one_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for key in ["short-and-secret", "mw_sk_live_0123456789abcdefghijklmnop", ""] {
        let refused = run(&data, &["--port", "0", "--api-key", key]);
        assert_eq!(refused.status.code(), Some(1), "{key}");
        let line = sole_line(&refused);
        assert!(line.contains("--api-key: a chosen key must be mw_sk_test_"), "{line}");
        assert!(key.is_empty() || !line.contains(key), "{line}");
    }
    assert!(!data.exists());
}

#[test]
fn commands_on_a_folder_without_data_make_none() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let commands: [&[&str]; 2] =
        [&["key", "create"], &["workspace", "create", "Acme", "--environment", "live"]];
    for data in [folder.path(), &missing] {
        for command in commands {
            let refused = run(data, command);
            assert_eq!(refused.status.code(), Some(1), "{command:?}");
            let line = sole_line(&refused);
            assert!(line.contains(&format!("no millwright data in {}", data.display())), "{line}");
            assert!(refused.stdout.is_empty());
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_data_folder_that_cannot_be_used_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer");
    std::fs::create_dir(&newer).unwrap();
    std::fs::write(newer.join("format"), "99\n").unwrap();
    let refused = run(&newer, &["--port", "0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(sole_line(&refused).contains("newer millwright"));
    assert_eq!(std::fs::read_dir(&newer).unwrap().count(), 1);

    let damaged = folder.path().join("damaged");
    drop(Server::start(&damaged, &["--api-key", KEY]));
    std::fs::write(damaged.join("vault.key"), "x").unwrap();
    let refused = run(&damaged, &["--port", "0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(sole_line(&refused).contains("vault.key"));
}

#[test]
fn an_admin_can_step_the_schedule_clock_when_that_is_turned_on() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path(), &["--api-key", KEY]));
    let reader = run(folder.path(), &["key", "create", "--role", "read"]);
    let reader = String::from_utf8(reader.stdout).unwrap();
    let step = |server: &Server, key: &str, body: &str| {
        let authorized = format!("Authorization: Bearer {}", key.trim());
        server.curl("/local/clock", &["-H", &authorized, "-d", body])
    };
    let server = Server::start(folder.path(), &["--api-key", KEY]);
    let hour = r#"{"advance_seconds": 3600}"#;
    assert_eq!(step(&server, KEY, hour)["error"]["code"], "NOT_FOUND");
    drop(server);

    let server = Server::start(folder.path(), &["--api-key", KEY, "--step-clock"]);
    let before = step(&server, KEY, r#"{"advance_seconds": 0}"#)["now"].clone();
    let after = step(&server, KEY, hour)["now"].clone();
    let time = |value: &Value| millwright_core::from_iso(value.as_str().unwrap()).unwrap();
    assert!(time(&after) - time(&before) >= 3_600_000);
    assert!(step(&server, &reader, hour)["message"].as_str().unwrap().contains("admin"));
    assert!(step(&server, "nonsense", hour)["message"].is_string());
    // The sandbox's next sync is within a quarter of an hour.
    let next = step(&server, KEY, r#"{"to": "next_due"}"#)["advanced_ms"].clone();
    assert!(next.as_u64().unwrap() <= 900_000, "{next}");
    drop(server);

    // A kill does not set it back.
    let server = Server::start(folder.path(), &["--api-key", KEY, "--step-clock"]);
    let later = step(&server, KEY, r#"{"advance_seconds": 0}"#)["now"].clone();
    assert!(time(&later) > time(&after));
}

#[test]
fn the_endpoints_are_told_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = millwright(folder.path(), &["--port", "0", "--verbose", "--api-key", KEY]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut text = [0; 256];
    let mut told = String::new();
    let mut stdout = child.stdout.take().unwrap();
    while !told.contains("AWS_ENDPOINT_URL_SQS=http://127.0.0.1:") {
        let read = stdout.read(&mut text).unwrap();
        assert!(read > 0, "{told}");
        told.push_str(std::str::from_utf8(&text[..read]).unwrap());
    }
    assert!(told.contains("AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:"));
    child.kill().unwrap();
    child.wait().unwrap();
}
