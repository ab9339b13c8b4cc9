//! Roles: what a key may do.

use millwright_core::{Error, ErrorCode, Result};
use serde::{Deserialize, Serialize};

/// What a key may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read everything but secrets.
    Read,
    /// Also write data, start syncs and send deliveries again.
    Write,
    /// Everything.
    Admin,
}

impl Role {
    /// The role as it stands in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Passes when this role includes `needed`.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when it does not.
    pub fn require(self, needed: Self) -> Result<()> {
        if self >= needed {
            return Ok(());
        }
        let message = format!("this needs the role {}", needed.as_str());
        Err(Error::new(ErrorCode::PermissionDenied, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_lesser_ones_may() {
        let roles = [Role::Read, Role::Write, Role::Admin];
        for (i, role) in roles.iter().enumerate() {
            for (j, needed) in roles.iter().enumerate() {
                assert_eq!(role.require(*needed).is_ok(), i >= j, "{role:?} {needed:?}");
            }
        }
    }
}
