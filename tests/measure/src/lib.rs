//! What measuring programs share: a Millwright of their own, started from its binary.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

/// Whatever went wrong: a measuring program ends with it.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

const KEY: &str = "mw_sk_test_measure-webhooks-on-one-machine";

/// The value that this share of sorted ones does not exceed; nothing without any.
#[must_use]
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get((sorted.len() as f64 * share) as usize).copied()
}

/// A running Millwright on an empty folder. It ends with this.
#[derive(Debug)]
pub struct Own {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Own {
    /// Starts the binary and waits until it answers. What is acknowledged outlives what `durability`
    /// says: `flush` or `process`.
    ///
    /// # Errors
    /// When it does not start: what it said.
    pub async fn start(binary: &str, folder: &Path, durability: &str) -> Result<Self, Fault> {
        let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = fs::File::create(folder.join("log"))?;
        let child = Command::new(binary)
            .args(["--port", &port.to_string(), "--api-key", KEY, "--durability", durability])
            .arg("--data")
            .arg(folder.join("data"))
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let own = Self { child, url: format!("http://127.0.0.1:{port}"), client };
        for _ in 0..200 {
            if own.client.get(format!("{}/v1/health", own.url)).send().await.is_ok() {
                return Ok(own);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("it does not start: {}", fs::read_to_string(folder.join("log"))?).into())
    }

    /// Posts to the API with an admin key; answers what it answered.
    ///
    /// # Errors
    /// When that is no 2xx.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let call = self.client.post(format!("{}{path}", self.url)).bearer_auth(KEY);
        let answer = call.json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// What the process has used so far (proc(5), `stat`, fields 14 and 15, of 1/100 s each).
    ///
    /// # Errors
    /// When there is no such process any more.
    pub fn cpu_seconds(&self) -> Result<f64, Fault> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
    }

    /// The most memory the process has had, in MB (proc(5), `status`, `VmHWM`).
    ///
    /// # Errors
    /// When there is no such process any more.
    pub fn peak_memory(&self) -> Result<f64, Fault> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).unwrap_or("0");
        Ok(kilobytes.parse::<f64>()? / 1024.0)
    }
}
