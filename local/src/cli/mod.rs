//! The command line. Whatever goes wrong is told in one line on standard error, with exit code 1, or 2
//! when the command line itself is wrong.

mod commands;
mod connector;
mod listen;
mod serve;
mod welcome;

use std::{collections::HashMap, fmt, net::IpAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use ipnet::IpNet;
use millwright_access::{Environment, Role};
use millwright_core::{Error, ErrorCode, PublicUrl, SecretString, WorkspaceId};

use crate::Durability;

/// One API for industrial systems, whole on this machine.
#[derive(Debug, Parser)]
#[command(name = "millwright", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: ServeOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the data is.
#[derive(Args, Debug)]
struct DataOption {
    /// The folder that everything is kept in
    #[arg(long, value_name = "DIR", env = "MILLWRIGHT_DATA", default_value = "./millwright-data")]
    data: PathBuf,
}

#[derive(Args, Debug)]
struct ServeOptions {
    #[command(flatten)]
    data: DataOption,
    /// The port of 127.0.0.1 to listen on
    #[arg(long, default_value_t = 8700)]
    port: u16,
    /// An admin key of the workspace "default"; made on the first start when it is not given
    #[arg(long, value_name = "KEY", env = "MILLWRIGHT_API_KEY", hide_env_values = true)]
    api_key: Option<SecretString>,
    /// How many times as fast waiting goes: schedules, delays, retries; never signatures or timeouts
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    /// What a commit outlives: a loss of power, or only the end of the process
    #[arg(long, value_enum, default_value = "flush")]
    durability: Durability,
    /// An address range that may be called though it is not public; may be repeated. Loopback always
    /// may, link-local never
    #[arg(long, value_name = "CIDR", value_parser = range)]
    allow_target: Vec<IpNet>,
    /// Where callers reach this service [default: http://127.0.0.1:PORT]
    #[arg(long, value_name = "URL", value_parser = public_url)]
    public_url: Option<String>,
    /// Let an admin key step the schedule clock: POST /local/clock {"advance_seconds": N} or {"to":
    /// "next_due"}
    #[arg(long)]
    step_clock: bool,
    /// Also tell where the DynamoDB and SQS endpoints are
    #[arg(long)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Workspaces
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// The keys of the stored secrets
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Files of connectors: check and test them
    #[command(subcommand)]
    Connector(connector::ConnectorCommand),
    /// Receive a workspace's webhooks on this machine, print them, and send them on
    Listen(listen::ListenOptions),
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and show it, once
    Create {
        #[command(flatten)]
        data: DataOption,
        /// The workspace [default: the one of the first start]
        #[arg(long, value_name = "ID")]
        workspace: Option<WorkspaceId>,
        /// What the key may do
        #[arg(long, value_enum, default_value = "admin")]
        role: RoleOption,
        /// What people call the key
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum WorkspaceCommand {
    /// Make a workspace
    Create {
        #[command(flatten)]
        data: DataOption,
        /// What people call it
        name: String,
        /// What its data is worth
        #[arg(long, value_enum)]
        environment: EnvironmentOption,
    },
}

#[derive(Debug, Subcommand)]
enum VaultCommand {
    /// Put a new master key before those that there are. A running server takes it by itself
    AddKey {
        #[command(flatten)]
        data: DataOption,
    },
    /// Ask for every secret of a workspace to be sealed anew; the server does it when it runs again
    Rotate {
        #[command(flatten)]
        data: DataOption,
        /// The workspace [default: the one of the first start]
        #[arg(long, value_name = "ID")]
        workspace: Option<WorkspaceId>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleOption {
    Admin,
    Write,
    Read,
}

impl From<RoleOption> for Role {
    fn from(role: RoleOption) -> Self {
        match role {
            RoleOption::Admin => Self::Admin,
            RoleOption::Write => Self::Write,
            RoleOption::Read => Self::Read,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EnvironmentOption {
    Test,
    Live,
}

impl From<EnvironmentOption> for Environment {
    fn from(environment: EnvironmentOption) -> Self {
        match environment {
            EnvironmentOption::Test => Self::Test,
            EnvironmentOption::Live => Self::Live,
        }
    }
}

fn speed(text: &str) -> Result<f64, &'static str> {
    let speed: f64 = text.parse().map_err(|_| "it is not a number")?;
    let range = 1.0..=1_000_000.0;
    if range.contains(&speed) { Ok(speed) } else { Err("it must be from 1 to 1000000") }
}

/// The same rule as the API's own variable, told without its name.
fn public_url(text: &str) -> Result<String, &'static str> {
    let variables = HashMap::from([("MILLWRIGHT_PUBLIC_URL", text)]);
    let url = PublicUrl::from_source(&variables);
    let why = "it must be http:// or https:// and a host, without a query";
    url.map(|url| url.as_str().to_owned()).map_err(|_| why)
}

/// A range of addresses; one address is a range too.
fn range(text: &str) -> Result<IpNet, &'static str> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| "it is not a range such as 10.0.0.0/8")
}

/// What went wrong, as one line.
struct Line(String);

/// What the API would have said; the cause only when the fault is ours.
fn told(error: Error) -> Line {
    match error.code {
        ErrorCode::InternalError => error.into(),
        _ => Line(error.message),
    }
}

impl<E: std::error::Error> From<E> for Line {
    fn from(error: E) -> Self {
        Self(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // The table on this machine warns of every condition that did not hold: that is everyday work.
    millwright_telemetry::init_with("local", "dynoxide=error");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    // On one of the runtime's own threads: what the start leaves behind in its heap is used again there,
    // and this thread never works again.
    let done = runtime.block_on(runtime.spawn(run(cli)));
    // What still runs is work that comes again at the next start.
    runtime.shutdown_background();
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(line)) => fail(&line),
        // The panic has been printed where it happened.
        Err(_) => ExitCode::FAILURE,
    }
}

async fn run(cli: Cli) -> Result<(), Line> {
    match cli.command {
        Some(Command::Connector(command)) => connector::run(command),
        Some(Command::Listen(options)) => listen::listen(options).await,
        None => serve::serve(cli.serve).await,
        Some(Command::Key(KeyCommand::Create { data, workspace, role, name })) => {
            commands::create_key(data.data, workspace, role.into(), &name).await
        }
        Some(Command::Vault(VaultCommand::AddKey { data })) => commands::add_key(&data.data),
        Some(Command::Vault(VaultCommand::Rotate { data, workspace })) => {
            commands::rotate(data.data, workspace).await
        }
        Some(Command::Workspace(WorkspaceCommand::Create { data, name, environment })) => {
            commands::create_workspace(data.data, &name, environment.into()).await
        }
    }
}

fn fail(line: &Line) -> ExitCode {
    eprintln!("millwright: {line}");
    ExitCode::FAILURE
}

/// A wrong value is told in one line; help, version and wrong usage as everywhere.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let line = text.lines().next().unwrap_or_default();
            eprintln!("millwright: {}", line.trim_start_matches("error: "));
        }
        _ => error.print().unwrap_or_default(),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_target_is_a_range_or_an_address() {
        assert_eq!(range("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(range("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(range("::1").unwrap().to_string(), "::1/128");
        assert!(["", "10.0.0/8", "10.0.0.0/33", "localhost"].iter().all(|t| range(t).is_err()));
    }

    #[test]
    fn a_public_url_is_complete() {
        assert_eq!(public_url("https://mw.example/x/").unwrap(), "https://mw.example/x");
        assert!(
            ["", "mw.example", "ftp://x", "https://x/?a=1"].iter().all(|t| public_url(t).is_err())
        );
    }

    #[test]
    fn speeds_below_one_are_refused() {
        assert_eq!(speed("60"), Ok(60.0));
        assert_eq!(speed("1.5"), Ok(1.5));
        assert!(["0.5", "0", "-1", "NaN", "inf", "fast"].iter().all(|text| speed(text).is_err()));
    }
}
