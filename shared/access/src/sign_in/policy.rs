//! Who may sign in, and as what.

use millwright_core::{Error, ErrorCode, Result};

use super::Identity;
use crate::Role;

/// Who may sign in: rules of which the one that may do most decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInPolicy(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    who: Who,
    role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// Everybody with an address of this domain.
    Domain(String),
    /// Whoever has this address.
    Email(String),
    /// The one with this subject.
    Subject(String),
}

impl SignInPolicy {
    /// Reads rules with commas between: `@acme.example=read, ann@acme.example=admin, sub:7=write`.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn read(text: &str) -> Result<Self, String> {
        let rules: Result<Vec<Rule>, String> =
            text.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(rule).collect();
        rules.and_then(|rules| match rules.is_empty() {
            true => Err("it lets nobody in".to_owned()),
            false => Ok(Self(rules)),
        })
    }

    /// The role of somebody who signed in.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for who may not come in.
    pub fn role_of(&self, identity: &Identity) -> Result<Role> {
        let fitting = self.0.iter().filter(|rule| rule.who.is(identity));
        fitting.map(|rule| rule.role).max().ok_or_else(|| {
            let message = "this account may not sign in here";
            Error::new(ErrorCode::PermissionDenied, message)
        })
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    let (who, role) = text.rsplit_once('=').ok_or_else(|| format!("{text} names no role"))?;
    let role = match role.trim() {
        "read" => Role::Read,
        "write" => Role::Write,
        "admin" => Role::Admin,
        other => return Err(format!("{other} is no role: read, write, admin")),
    };
    let who = who.trim();
    let who = match (who.strip_prefix("sub:"), who.split_once('@')) {
        (Some(subject), _) if !subject.is_empty() => Who::Subject(subject.to_owned()),
        (None, Some(("", domain))) if !domain.is_empty() => Who::Domain(domain.to_lowercase()),
        (None, Some((name, domain))) if !name.is_empty() && !domain.is_empty() => {
            Who::Email(who.to_lowercase())
        }
        _ => return Err(format!("{who} is no @domain, address or sub:subject")),
    };
    Ok(Rule { who, role })
}

impl Who {
    fn is(&self, identity: &Identity) -> bool {
        let email = identity.email.as_deref().map(str::to_lowercase);
        match self {
            Self::Subject(subject) => *subject == identity.subject,
            Self::Email(own) => email.as_ref() == Some(own),
            Self::Domain(own) => {
                let domain = email.as_deref().and_then(|email| email.rsplit_once('@'));
                domain.is_some_and(|(_, domain)| domain == own)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(policy: &str, subject: &str, email: Option<&str>) -> Option<Role> {
        let identity =
            Identity { subject: subject.to_owned(), email: email.map(str::to_owned), name: None };
        SignInPolicy::read(policy).unwrap().role_of(&identity).ok()
    }

    #[test]
    fn the_rule_that_may_do_most_decides() {
        let policy = "@acme.example=read, ann@acme.example=admin, sub:7=write";
        assert_eq!(role(policy, "1", Some("bob@acme.example")), Some(Role::Read));
        assert_eq!(role(policy, "1", Some("Ann@ACME.example")), Some(Role::Admin));
        assert_eq!(role(policy, "7", None), Some(Role::Write));
        for stranger in [None, Some("ann@acme.example.evil"), Some("x@sub.acme.example"), Some("7")]
        {
            assert_eq!(role(policy, "1", stranger), None, "{stranger:?}");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_meant_is_refused() {
        for wrong in
            ["", " , ", "ann@acme.example", "@=read", "x=read", "sub:=read", "@a=owner", "@a="]
        {
            assert!(SignInPolicy::read(wrong).is_err(), "{wrong}");
        }
    }
}
