//! A call, as scenarios see it.

use crate::manifest;

/// Something that the sandbox is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// About which entity; a probe is about none.
    pub entity: Option<&'a str>,
    /// To do what.
    pub operation: Operation<'a>,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    /// Asks who answers.
    Probe,
    /// Reads a page, of rows or of ids.
    List,
    /// Reads rows by their ids.
    Get,
    /// Makes a row.
    Create,
    /// Changes a row.
    Update,
    /// Deletes a row.
    Delete,
    /// Takes a step of a row's workflow.
    Action(&'a str),
}

/// The words that rules know operations by, beside the names of actions.
pub(super) const OPERATIONS: [&str; 9] =
    ["probe", "read", "list", "get", "write", "create", "update", "delete", "action"];

impl<'a> Call<'a> {
    pub(super) fn probe() -> Self {
        Self { entity: None, operation: Operation::Probe }
    }

    pub(super) fn of(entity: &'a str, operation: Operation<'a>) -> Self {
        Self { entity: Some(entity), operation }
    }

    pub(super) fn is_probe(&self) -> bool {
        self.operation == Operation::Probe
    }

    pub(super) fn is_write(&self) -> bool {
        self.operation.kind() == manifest::Operation::Write
    }
}

impl Operation<'_> {
    /// Whether a rule means it by this word.
    pub(super) fn is_called(&self, word: &str) -> bool {
        let own = match self {
            Self::Probe => return word == "probe",
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Action(name) => return ["write", "action", name].contains(&word),
        };
        let kind = if self.kind() == manifest::Operation::Write { "write" } else { "read" };
        word == own || word == kind
    }

    /// What an error rule of the manifest takes it for.
    pub(super) fn kind(&self) -> manifest::Operation {
        match self {
            Self::Probe | Self::List | Self::Get => manifest::Operation::Read,
            Self::Create | Self::Update | Self::Delete | Self::Action(_) => {
                manifest::Operation::Write
            }
        }
    }
}
