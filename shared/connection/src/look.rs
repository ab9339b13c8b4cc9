//! Looking whether a system answers.

use std::time::Duration;

use millwright_connector::System;
use millwright_core::{Error, ErrorCode, Result};
use tokio::time::timeout;

use crate::{
    Admin, Connection, ConnectionContext, Health, Observation, open_system, probe_verdict,
};

/// How long each of the two tries may take while a caller waits.
const TRY_WITHIN: Duration = Duration::from_secs(9);
/// The wait between the two.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(1);

/// Asks a connection's system whether it is well, for a caller who waits: as [`look_within`].
///
/// # Errors
/// When its credentials are gone, or Millwright fails.
pub async fn look(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<Option<Observation>> {
    look_within(context, connection, TRY_WITHIN).await
}

/// Asks a connection's system whether it is well, with so long for each try. A bad answer counts when a
/// second one agrees, or when it is known already: what refuses the credentials is not asked more often
/// than it must. Nothing when it answers with what says nothing of its health, such as that it is asked
/// too often.
///
/// # Errors
/// When its credentials are gone, or Millwright fails.
pub async fn look_within(
    context: &ConnectionContext,
    connection: &Connection,
    within: Duration,
) -> Result<Option<Observation>> {
    let system = open_system(context, connection).await?;
    let first = ask(&system, within).await;
    let known = match &first {
        Some(Observation::Unreachable(_)) => Health::Unreachable,
        Some(Observation::Refused(_)) => Health::Refused,
        _ => return Ok(first),
    };
    if connection.facts.health == known {
        return Ok(first);
    }
    tokio::time::sleep(SECOND_TRY_AFTER).await;
    let second = ask(&system, within).await;
    if known == Health::Refused || !matches!(second, Some(Observation::Refused(_))) {
        return Ok(second);
    }
    // One refusal is none.
    tokio::time::sleep(SECOND_TRY_AFTER).await;
    Ok(ask(&system, within).await)
}

async fn ask(system: &System, within: Duration) -> Option<Observation> {
    match timeout(within, system.probe()).await {
        Ok(Ok(_)) => Some(Observation::Answered),
        Ok(Err(error)) => probe_verdict(&error),
        Err(_) => {
            let message = format!("the system did not answer within {} seconds", within.as_secs());
            Some(Observation::Unreachable(message))
        }
    }
}

impl Connection {
    /// Whether its system may be called just now.
    ///
    /// # Errors
    /// `CONNECTION_PENDING`, `CONNECTION_INACTIVE` or `CONNECTION_DISCONNECTED`.
    pub fn require_enabled(&self) -> Result<()> {
        let message = match self.facts.admin {
            Admin::Enabled => return Ok(()),
            Admin::Pending | Admin::Removed => return self.status().allow_information(),
            Admin::Paused => "the connection is paused: resume it first",
            Admin::NoCredits => {
                "the workspace has no credits for the connection: raise its limit and resume"
            }
        };
        Err(Error::new(ErrorCode::ConnectionInactive, message))
    }
}
