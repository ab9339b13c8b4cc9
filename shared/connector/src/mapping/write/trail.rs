//! Which rules a body met, and which it broke.

use std::{collections::BTreeSet, fmt};

use millwright_core::{Error, ErrorCode, FieldError};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// The record's state allows the operation.
    State,
    /// The field must be given with a new record.
    Required,
    /// The field must be given with every update.
    RequiredOnUpdate,
    /// The field cannot be emptied.
    Kept,
    /// The field can be given with a new record only, or with an update only.
    Written,
    /// The field can be changed in some states of the record only.
    Changeable,
    /// The key leads to a record.
    Reference,
    /// One of a few words.
    OneOf,
    /// The form of the unified model.
    Form,
    /// The length of a text.
    Length,
    /// The look of a text.
    Pattern,
    /// How small or large a decimal may be.
    Bounds,
    /// How many values or lines.
    Items,
    /// Lines can be added, changed or removed.
    LineChange,
    /// The field is not one that can be given.
    Known,
    /// The custom field can be written.
    Custom,
}

/// A rule of a manifest: where it stands below `write`, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Where: `fields.lineItems.quantity`, `actions.quote`, `delete`.
    pub place: String,
    /// What it is about.
    pub kind: RuleKind,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RuleKind::State => "states",
            RuleKind::Required => "required",
            RuleKind::RequiredOnUpdate => "required on update",
            RuleKind::Kept => "cannot be emptied",
            RuleKind::Written => "writable",
            RuleKind::Changeable => "writable_when and immutable_when",
            RuleKind::Reference => "references",
            RuleKind::OneOf => "enum",
            RuleKind::Form => "codec",
            RuleKind::Length => "min_length and max_length",
            RuleKind::Pattern => "pattern",
            RuleKind::Bounds => "min, above, max, below",
            RuleKind::Items => "max_items",
            RuleKind::LineChange => "adding, changing and removing lines",
            RuleKind::Known => "fields",
            RuleKind::Custom => "custom_fields",
        };
        write!(f, "{} ({kind})", self.place)
    }
}

/// What came of a check.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    passed: BTreeSet<Rule>,
    broken: BTreeSet<Rule>,
    faults: Vec<FieldError>,
    conflict: Option<String>,
}

impl Trail {
    /// Notes that a rule is met.
    pub(super) fn pass(&mut self, place: &str, kind: RuleKind) {
        self.passed.insert(Rule { place: place.to_owned(), kind });
    }

    /// Notes that a rule is broken, and by which field.
    pub(super) fn fault(
        &mut self,
        place: &str,
        kind: RuleKind,
        path: &str,
        code: ErrorCode,
        message: impl Into<String>,
    ) {
        self.broken.insert(Rule { place: place.to_owned(), kind });
        let fault = FieldError::new(path, code, message);
        // Several values may come from one row that is not there.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Notes whether the record's state allows the operation.
    pub(super) fn state(&mut self, place: &str, conflict: Option<String>) {
        let rule = Rule { place: place.to_owned(), kind: RuleKind::State };
        match conflict {
            None => drop(self.passed.insert(rule)),
            Some(message) => {
                self.broken.insert(rule);
                self.conflict.get_or_insert(message);
            }
        }
    }

    /// The rules that were met.
    pub(super) fn passed(&self) -> &BTreeSet<Rule> {
        &self.passed
    }

    /// The rules that were broken.
    pub(super) fn broken(&self) -> &BTreeSet<Rule> {
        &self.broken
    }

    /// The faulty fields, and whether the record's state forbids it all.
    pub(super) fn found(&self) -> (&[FieldError], bool) {
        (&self.faults, self.conflict.is_some())
    }

    /// The contract's error, when there is anything wrong. What the record's state forbids goes before
    /// what is wrong with the fields, and names those too.
    pub(crate) fn into_error(self) -> Option<Error> {
        match self.conflict {
            None => Error::from_fields(self.faults),
            Some(message) => {
                let mut error = Error::new(ErrorCode::StateConflict, message);
                error.fields = self.faults;
                Some(error)
            }
        }
    }
}
