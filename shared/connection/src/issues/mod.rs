//! Issues: what is wrong with a connection, while it is. One is open for each problem, however often it
//! is met; it closes by itself when the problem is over.

mod all;
mod list;
mod model;
mod raise;

pub use all::{close_issues, forget_issues};
pub use list::{IssueFilter, IssuePlace, find_issue, list_issues, mute_issue};
pub use model::{Issue, IssueState, Problem, ProblemKind};
pub use raise::{IssueChanges, raise_issue, settle_issue};
