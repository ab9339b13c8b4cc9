//! Who calls, and what they may do.

use millwright_core::{
    ApiKeyId, ApplicationId, ConnectionId, Error, ErrorCode, Result, TokenFamilyId, WallTime,
    WorkspaceId,
};
use serde::{Deserialize, Serialize};

use crate::{Environment, Role};

/// What somebody came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An API key.
    ApiKey(ApiKeyId),
    /// An application, with a workspace token.
    Application(ApplicationId),
    /// The holder of a connection token.
    ConnectionToken(TokenHolder),
}

/// The holder of a connection token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHolder {
    /// The only connection they can reach.
    pub connection: ConnectionId,
    /// The grant that the token came of.
    pub family: TokenFamilyId,
    /// When the grant was made: one from before the connection was last disconnected is worth nothing.
    pub granted_at: WallTime,
    /// The application it was given to; none for a token that somebody of the workspace asked for.
    pub application: Option<ApplicationId>,
}

impl Actor {
    /// What is limited and logged as one: the id of the key, the application, or the grant.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::ApiKey(id) => id.as_str(),
            Self::Application(id) => id.as_str(),
            Self::ConnectionToken(holder) => holder.family.as_str(),
        }
    }
}

/// A right beside the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Native calls of a connected system.
    Passthrough,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 1] = [Self::Passthrough];

    /// The scope as it stands in answers and in OAuth's `scope`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
        }
    }

    /// The scope of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// This role, or one that may do more.
    Role(Role),
    /// The right to call a connected system natively: the role `admin`, or the scope `passthrough`.
    Passthrough,
}

/// Who is calling, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The only workspace they can reach.
    pub workspace: WorkspaceId,
    /// That workspace's environment.
    pub environment: Environment,
    /// What they came with.
    pub actor: Actor,
    /// What they may do.
    pub role: Role,
    /// What else they may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// The only connection they can reach, if they came with a connection token.
    #[must_use]
    pub fn token_holder(&self) -> Option<&TokenHolder> {
        match &self.actor {
            Actor::ConnectionToken(holder) => Some(holder),
            Actor::ApiKey(_) | Actor::Application(_) => None,
        }
    }

    /// Passes when they may do what is asked.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when they may not.
    pub fn require(&self, need: Need) -> Result<()> {
        match need {
            Need::Role(role) => self.role.require(role),
            Need::Passthrough if self.scopes.contains(&Scope::Passthrough) => Ok(()),
            Need::Passthrough if self.role == Role::Admin => Ok(()),
            Need::Passthrough => {
                let message = "this needs the role admin or the scope passthrough";
                Err(Error::new(ErrorCode::PermissionDenied, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, scopes: &[Scope]) -> Caller {
        Caller {
            workspace: WorkspaceId::new_at(1),
            environment: Environment::Test,
            actor: Actor::ApiKey(ApiKeyId::new_at(1)),
            role,
            scopes: scopes.to_vec(),
        }
    }

    #[test]
    fn native_calls_need_the_role_admin_or_their_scope() {
        for (role, scopes, may) in [
            (Role::Read, &[][..], false),
            (Role::Write, &[], false),
            (Role::Admin, &[], true),
            (Role::Read, &[Scope::Passthrough], true),
        ] {
            assert_eq!(caller(role, scopes).require(Need::Passthrough).is_ok(), may, "{role:?}");
        }
    }

    #[test]
    fn a_scope_is_no_role() {
        let caller = caller(Role::Read, &[Scope::Passthrough]);
        assert!(caller.require(Need::Role(Role::Write)).is_err());
    }

    #[test]
    fn an_actor_survives_its_row() {
        let holder = TokenHolder {
            connection: ConnectionId::new_at(1),
            family: TokenFamilyId::new_at(2),
            granted_at: WallTime::from_millis(3),
            application: None,
        };
        for actor in [
            Actor::ApiKey(ApiKeyId::new_at(4)),
            Actor::Application(ApplicationId::new_at(5)),
            Actor::ConnectionToken(holder),
        ] {
            let text = serde_json::to_string(&actor).unwrap();
            assert_eq!(serde_json::from_str::<Actor>(&text).unwrap(), actor);
        }
    }
}
