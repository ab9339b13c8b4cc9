//! Millwright itself: the binary that `cargo run` starts.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use http::Method;
use millwright_core::from_iso;
use serde_json::json;

use crate::{
    api::Api,
    parts,
    process::{Process, free_port},
};

/// The first key of every test's Millwright.
pub const API_KEY: &str = "mw_sk_test_0123456789abcdefghijklmnopqrstuvwxyzABCD";

/// A running Millwright on a data folder of its own.
#[derive(Debug)]
pub struct Millwright {
    port: u16,
    data: PathBuf,
    options: Vec<String>,
    process: Process,
}

impl Millwright {
    /// Starts it in `folder` and waits until it answers. `options` are added to its command line;
    /// those of the form `NAME=value` are variables.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(folder: &Path, options: &[&str]) -> Self {
        let (port, data) = (free_port(), folder.join("data"));
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let process = run(port, &data, &options);
        let mut millwright = Self { port, data, options, process };
        millwright.wait_until_healthy().await;
        millwright
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A caller with the first key.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&self.url(), Some(API_KEY))
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Ends it at once.
    pub fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Starts it again on the same data and port.
    pub async fn restart(&mut self) {
        self.process.kill_9();
        self.process = run(self.port, &self.data, &self.options);
        self.wait_until_healthy().await;
    }

    /// The process.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    async fn wait_until_healthy(&mut self) {
        let api = Api::new(&self.url(), None);
        for _ in 0..1200 {
            let answer = api.try_raw(Method::GET, "/health", None).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                return;
            }
            let words = self.process.last_words();
            assert!(self.process.ended().is_none(), "Millwright ended:\n{words}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Millwright is not healthy after a minute:\n{}", self.process.last_words());
    }

    /// Moves the schedule clock forward (the option `--step-clock` allows it); answers with its reading
    /// in milliseconds.
    ///
    /// # Panics
    /// When it is not allowed.
    pub async fn step(&self, by: Duration) -> i64 {
        let step = json!({ "advance_seconds": by.as_secs() });
        let answer = self.api().post("/local/clock", &step, 200).await;
        from_iso(answer["now"].as_str().unwrap_or_default()).expect("a time")
    }

    /// Moves the schedule clock to a time, rounded up to whole seconds from now.
    pub async fn step_to(&self, at_ms: i64) {
        let now = self.step(Duration::ZERO).await;
        let wait = Duration::from_millis(u64::try_from(at_ms - now).unwrap_or(0));
        self.step(Duration::from_secs(wait.as_millis().div_ceil(1000) as u64)).await;
    }

    /// Makes another workspace, as its operator would: stops, uses the command line, starts again.
    /// Answers with an admin key of it.
    pub async fn another_workspace(&mut self, name: &str) -> String {
        self.process.kill_9();
        let workspace = ["workspace", "create", name, "--environment", "test"];
        let id = self.says(&workspace);
        let key = self.says(&["key", "create", "--workspace", &id]);
        self.restart().await;
        key
    }

    /// What a command prints.
    fn says(&self, words: &[&str]) -> String {
        let output = command().args(words).arg("--data").arg(&self.data).output();
        let output = output.expect("the command runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// The command line of the binary.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(parts::binary("millwright"));
    // Nothing from the developer's own environment may decide a test.
    for (name, _) in std::env::vars() {
        if name.starts_with("MILLWRIGHT_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(port: u16, data: &Path, options: &[String]) -> Process {
    let mut command = command();
    command.args(["--port", &port.to_string(), "--api-key", API_KEY]).arg("--data").arg(data);
    for option in options {
        match option.split_once('=').filter(|(name, _)| !name.starts_with('-')) {
            Some((name, value)) => command.env(name, value),
            None => command.arg(option),
        };
    }
    let log = data.with_extension("log");
    Process::start(&mut command, &log).expect("Millwright can be started")
}
