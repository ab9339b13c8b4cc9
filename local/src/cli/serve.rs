//! `millwright`: everything, until it is told to stop.

use std::{io, net::Ipv4Addr};

use millwright_connection::ConnectionContext;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{Line, ServeOptions, told, welcome};
use crate::{
    Stack,
    bootstrap::{Welcome, bootstrap, check_given_key},
    data::DataFolder,
    host::{Functions, Host, Variables},
};

/// Allowed without being asked for: receivers and systems on this machine.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

pub(super) async fn serve(options: ServeOptions) -> Result<(), Line> {
    // First what may be refused: nothing has been touched then.
    check_key(&options)?;
    let listener = listen(options.port).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let data = DataFolder::open(&options.data.data)?;
    let stack = Stack::start(data, options.speed, options.durability).await?;
    tokio::spawn(stack.keep_clock());
    let variables = variables(&options, &stack, &url);
    let (host, made) = start(listener, &options, &stack, &variables).await?;
    welcome::print(&url, &made, &options, &stack)?;
    asked_to_stop().await?;
    tokio::spawn(async {
        let _ = asked_to_stop().await;
        std::process::exit(130);
    });
    tracing::info!("stopping");
    host.stop().await;
    Ok(stack.stop().await?)
}

fn check_key(options: &ServeOptions) -> Result<(), Line> {
    let Some(key) = &options.api_key else { return Ok(()) };
    check_given_key(key).map_err(|error| {
        let why = error.fields.into_iter().next().map_or(error.message, |field| field.message);
        Line(format!("--api-key: {why}"))
    })
}

async fn listen(port: u16) -> Result<TcpListener, Line> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Line(format!(
            "port {port} is in use; stop the program that uses it, or choose another with --port"
        )),
        _ => Line(format!("port {port} cannot be had: {error}")),
    })
}

fn variables(options: &ServeOptions, stack: &Stack, url: &str) -> Variables {
    let own = options.public_url.as_deref().unwrap_or(url).to_owned();
    let asked_for = options.allow_target.iter().map(ToString::to_string);
    let allowed = LOOPBACK.map(str::to_owned).into_iter().chain(asked_for).collect();
    stack.environment(own, allowed).variables()
}

async fn start(
    listener: TcpListener,
    options: &ServeOptions,
    stack: &Stack,
    variables: &Variables,
) -> Result<(Host, Welcome), Line> {
    let (sdk, clock) = (stack.sdk(), stack.clock());
    let functions = Functions::build(variables, clock, sdk, stack.intake_sdk()).await?;
    let context = ConnectionContext::from_source(variables, clock.clone(), sdk)?;
    let made = bootstrap(&context, options.api_key.clone()).await.map_err(told)?;
    let step = options.step_clock.then(|| stack.step_clock());
    let host = Host::start(listener, sdk, clock.clone(), functions, step).await?;
    Ok((host, made))
}

/// Until the process is interrupted or asked to end.
pub(super) async fn asked_to_stop() -> io::Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
