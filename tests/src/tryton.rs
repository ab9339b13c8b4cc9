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
        tryton.wait_until_ready().await;
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
        self.wait_until_ready().await;
    }

    /// Does something in it, as a person would: see `tests/python/tryton/client.py`.
    ///
    /// # Panics
    /// When Tryton refuses.
    pub fn does(&self, words: &[&str]) -> Value {
        let output = self.client(words).output().expect("python can be run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}\n{}", self.process.last_words());
        serde_json::from_slice(&output.stdout).expect("the client prints JSON")
    }

    fn client(&self, words: &[&str]) -> Command {
        let mut command = Command::new(parts::python());
        command
            .arg(parts::script("tryton/client.py"))
            .arg(format!("{}/company", self.server()))
            .args(words);
        command
    }

    async fn wait_until_ready(&self) {
        wait::until("Tryton answers", Duration::from_secs(60), async || {
            let output = self.client(&["ready"]).output().ok()?;
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
