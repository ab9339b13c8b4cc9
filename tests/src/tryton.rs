//! A real ERP.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    parts,
    process::{Process, free_port},
    wait,
};

/// A running Tryton with a company of its own.
#[derive(Debug)]
pub struct Tryton {
    port: u16,
    folder: PathBuf,
    company: PathBuf,
    process: Process,
}

/// How long a server takes to answer.
const READY: Duration = Duration::from_secs(60);
/// How long a server takes that makes its company first.
const FIRST_TIME: Duration = Duration::from_secs(600);

impl Tryton {
    /// Starts a copy of a ready company (`orders` or `parties`) in `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(folder: &Path, size: &str) -> Self {
        let (port, company) = (free_port(), parts::company(size));
        let folder = folder.join("tryton");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let process = serve(&folder, port, &company);
        let tryton = Self { port, folder, company, process };
        tryton.wait_until_ready(READY).await;
        tryton
    }

    /// Makes a company without orders on a PostgreSQL of its own in `folder`, and starts it. It cannot
    /// be started again.
    ///
    /// # Panics
    /// When it does not start: PostgreSQL must be installed.
    pub async fn start_on_postgresql(folder: &Path) -> Self {
        let (port, company) = (free_port(), PathBuf::new());
        let folder = folder.join("tryton");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let mut command = Command::new(parts::python_for_postgresql());
        command.arg(parts::script("tryton/postgresql.py")).arg(&folder).arg(port.to_string());
        let process = Process::start(&mut command, &folder.join("tryton.log"));
        let process = process.expect("Tryton can be started");
        let tryton = Self { port, folder, company, process };
        tryton.wait_until_ready(FIRST_TIME).await;
        tryton
    }

    /// The server's address. Its database is called `company`.
    #[must_use]
    pub fn server(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The administrator's name and password.
    #[must_use]
    pub fn credentials(&self) -> (&'static str, &'static str) {
        ("admin", "adminpw")
    }

    /// Ends it at once, as a crash would.
    pub fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Starts it again on the same port with the same data.
    pub async fn restart(&mut self) {
        self.process.kill_9();
        self.process = serve(&self.folder, self.port, &self.company);
        self.wait_until_ready(READY).await;
    }

    /// Does something in it, as a person would: see `tests/python/tryton/client.py`.
    ///
    /// # Panics
    /// When Tryton refuses.
    pub fn does(&self, words: &[&str]) -> Value {
        self.told("client.py", words)
    }

    /// The same as somebody who has another password than the usual one.
    ///
    /// # Panics
    /// When Tryton refuses.
    pub fn does_with(&self, password: &str, words: &[&str]) -> Value {
        let mut client = self.client("client.py", words);
        self.told_by(client.env("TRYTON_PASSWORD", password), words)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it does and what it refuses, tried one by one: see `tests/python/tryton/refusals.py`.
    ///
    /// # Panics
    /// When a try cannot be made.
    pub fn refusals(&self) -> Value {
        self.told("refusals.py", &[])
    }

    fn told(&self, script: &str, words: &[&str]) -> Value {
        self.told_by(&mut self.client(script, words), words)
    }

    fn told_by(&self, client: &mut Command, words: &[&str]) -> Value {
        let output = client.output().expect("python can be run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}\n{}", self.process.last_words());
        serde_json::from_slice(&output.stdout).expect("the client prints JSON")
    }

    fn client(&self, script: &str, words: &[&str]) -> Command {
        let mut command = Command::new(parts::python());
        command
            .arg(parts::script(&format!("tryton/{script}")))
            .arg(format!("{}/company", self.server()))
            .args(words);
        command
    }

    async fn wait_until_ready(&self, limit: Duration) {
        wait::until("Tryton answers", limit, async || {
            let output = self.client("client.py", &["ready"]).output().ok()?;
            output.status.success().then_some(())
        })
        .await;
    }
}

fn serve(folder: &Path, port: u16, company: &Path) -> Process {
    let mut command = Command::new(parts::python());
    command.arg(parts::script("tryton/serve.py")).arg(folder).arg(port.to_string()).arg(company);
    Process::start(&mut command, &folder.join("tryton.log")).expect("Tryton can be started")
}
