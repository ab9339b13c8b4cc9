//! Looking whether a system answers, because somebody asks.

use std::time::Duration;

use millwright_connector::{System, SystemError, SystemErrorClass};
use millwright_core::{Error, ErrorCode, Result};
use tokio::time::timeout;

use crate::{Admin, Connection, ConnectionContext, Observation, open_system};

/// How long each of the two tries may take: the caller waits.
const TRY_WITHIN: Duration = Duration::from_secs(9);
/// The wait between the two.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(1);

/// Asks a connection's system whether it is well; a bad answer counts when a second one is the same.
/// Nothing when it answers with what says nothing of its health, such as that it is asked too often.
///
/// # Errors
/// When its credentials are gone, or Millwright fails.
pub async fn look(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<Option<Observation>> {
    let system = open_system(context, connection).await?;
    let Err(first) = ask(&system).await else { return Ok(Some(Observation::Answered)) };
    if observed(first).is_none() {
        return Ok(None);
    }
    tokio::time::sleep(SECOND_TRY_AFTER).await;
    Ok(match ask(&system).await {
        Ok(()) => Some(Observation::Answered),
        Err(second) => observed(second),
    })
}

async fn ask(system: &System) -> Result<(), SystemError> {
    match timeout(TRY_WITHIN, system.probe()).await {
        Ok(answer) => answer.map(drop),
        Err(_) => {
            let message =
                format!("the system did not answer within {} seconds", TRY_WITHIN.as_secs());
            Err(SystemError::new(SystemErrorClass::Unreachable, message))
        }
    }
}

fn observed(error: SystemError) -> Option<Observation> {
    match error.class {
        SystemErrorClass::Unreachable => Some(Observation::Unreachable(error.message)),
        SystemErrorClass::Reauthorize => Some(Observation::Refused(error.message)),
        _ => None,
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
