//! Failing on purpose.

use millwright_store::{Document, StoreError};
use serde::{Deserialize, Serialize};

use super::overlay::Overlay;
use crate::error::{SystemError, SystemErrorClass};

/// How the sandbox behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// As it should.
    #[default]
    Ok,
    /// Every call fails as if nobody answered.
    Outage,
    /// Every call is refused as if the credentials had expired.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ScenarioDoc {
    name: Scenario,
}

impl Document for ScenarioDoc {}

const SORT_KEY: &str = "scenario";

pub(super) async fn read(overlay: &Overlay) -> Result<Scenario, StoreError> {
    let row = overlay.doc::<ScenarioDoc>(SORT_KEY).await?;
    Ok(row.map_or(Scenario::Ok, |doc| doc.name))
}

pub(super) async fn write(overlay: &Overlay, name: Scenario) -> Result<(), StoreError> {
    overlay.put_doc(SORT_KEY, &ScenarioDoc { name }).await
}

impl Scenario {
    /// Lets a call pass or fail.
    pub(super) fn pass(self) -> Result<(), SystemError> {
        match self {
            Self::Ok => Ok(()),
            Self::Outage => Err(unreachable()),
            Self::Expired => Err(refused("the sandbox plays expired credentials")),
        }
    }
}

/// Lets a login pass or fail: the names are documented in the sandbox' form.
pub(super) fn login(name: &str) -> Result<(), SystemError> {
    match name {
        "ok" => Ok(()),
        "down" => Err(unreachable()),
        "expired" => Err(refused("the sandbox plays expired credentials")),
        "denied" => Err(refused("the sandbox plays refused credentials")),
        _ => Err(refused("the sandbox does not know this user name: try `ok`")),
    }
}

fn unreachable() -> SystemError {
    let message = "the sandbox plays an outage: no connection could be made";
    SystemError::new(SystemErrorClass::Unreachable, message)
}

fn refused(message: &str) -> SystemError {
    let mut error = SystemError::new(SystemErrorClass::Reauthorize, message);
    error.upstream.status = Some(401);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_login_and_scenario_fails_in_its_own_way() {
        use SystemErrorClass::{Reauthorize, Unreachable};
        assert!(login("ok").is_ok() && Scenario::Ok.pass().is_ok());
        for (name, class) in [
            ("down", Unreachable),
            ("expired", Reauthorize),
            ("denied", Reauthorize),
            ("", Reauthorize),
        ] {
            assert_eq!(login(name).unwrap_err().class, class, "{name}");
        }
        assert_eq!(Scenario::Outage.pass().unwrap_err().class, Unreachable);
        assert_eq!(Scenario::Expired.pass().unwrap_err().class, Reauthorize);
    }
}
