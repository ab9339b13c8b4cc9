//! Logging in, and finding out which instance answers.

use serde::Deserialize;

use super::Request;
use crate::{mapping::Field, table::Table, template::Template};

/// How requests are made known to be the customer's. Only here may templates name `{credentials}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// They are not.
    #[default]
    None,
    /// HTTP basic authentication (RFC 7617).
    Basic(Basic),
    /// Headers with a key.
    Headers(Table<Template>),
    /// A login whose session is used until the system ends it.
    Login(Login),
}

/// User name and password of basic authentication.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name.
    pub username: Template,
    /// The password.
    pub password: Template,
}

/// A login: requests made in order, and what is kept of their answers as `{session.name}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The requests.
    pub steps: Vec<LoginStep>,
    /// The headers that carry the session; sent with every request after the first step.
    pub headers: Table<Template>,
}

/// One request of a login.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginStep {
    /// The request.
    pub request: Request,
    /// What is kept, from `{answer}` and the rest of what templates may name here.
    #[serde(default)]
    pub keep: Table<Template>,
}

/// How to find out that the system answers and which instance it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The request.
    pub request: Request,
    /// What identifies the instance.
    pub instance: InstanceRule,
}

/// What identifies an instance, found in the answer to the probe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceRule {
    /// What never changes for one instance and differs between instances.
    pub id: Vec<Field>,
    /// What people call it.
    pub name: Option<Field>,
    /// What to say when the answer does not hold it.
    pub none: Option<String>,
}
