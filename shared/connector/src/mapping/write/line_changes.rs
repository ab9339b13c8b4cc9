//! What can be done with lines of a record that is there.

use crate::manifest::{Each, LineForm, Step};

/// What can be done with lines of a record that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineChanges {
    pub add: bool,
    pub change: bool,
    pub remove: bool,
}

impl LineChanges {
    /// By the form in which the lines of a list go, or by steps of their own.
    pub(crate) fn of(list: &str, form: &LineForm, steps: &[Step]) -> Self {
        let step = |each| steps.iter().any(|step| step.each == Some(each) && step.lines == list);
        let by_form = match form {
            LineForm::Plain => Self { add: false, change: false, remove: false },
            LineForm::Replace(replace) => {
                Self { add: true, change: replace.id.is_some(), remove: true }
            }
            LineForm::ById(by_id) => {
                Self { add: true, change: true, remove: by_id.removed.is_some() }
            }
            LineForm::Commands(commands) => Self {
                add: commands.create.is_some(),
                change: commands.change.is_some(),
                remove: commands.remove.is_some(),
            },
        };
        Self {
            add: by_form.add || step(Each::CreatedLine),
            change: by_form.change || step(Each::ChangedLine),
            remove: by_form.remove || step(Each::RemovedLine),
        }
    }
}
