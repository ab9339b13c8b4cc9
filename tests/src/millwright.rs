//! Millwright itself: the binary that `cargo run` starts.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use http::Method;

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
    /// Starts it in `folder` and waits until it answers. `options` are added to its command line.
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

    /// Moves the schedule clock forward (the option `--step-clock` allows it).
    pub async fn step(&self, by: Duration) {
        let seconds = by.as_secs();
        self.clock(&format!("?seconds={seconds}")).await;
    }

    /// Moves the schedule clock to the next time at which something is due.
    pub async fn step_to_next_due(&self) {
        self.clock("").await;
    }

    async fn clock(&self, query: &str) {
        let path = format!("/local/clock/step{query}");
        let answer = self.api().call(Method::POST, &path, None).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
    }

    /// Makes a workspace by the command line and answers with its first key.
    ///
    /// # Panics
    /// When the command fails or prints no key.
    pub async fn workspace(&self, name: &str) -> String {
        let mut command = command();
        command.args(["workspace", "create", name, "--environment", "test"]);
        let output = command.arg("--data").arg(&self.data).output().expect("the command runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        let words = told.split_whitespace();
        let key = words.into_iter().find(|word| word.starts_with("mw_sk_test_"));
        key.unwrap_or_else(|| panic!("no key in {told}")).to_owned()
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
    command.args(options);
    let log = data.with_extension("log");
    Process::start(&mut command, &log).expect("Millwright can be started")
}
