//! Between a system's rows and the unified model, as a table of fields says.

mod field;
mod fits;
mod naming;
mod read;
mod write;

pub use field::{Conditions, EachField, Element, Field, Origin, ValueField};
pub use fits::{model_field, unfit};
pub use naming::Naming;
pub use read::{Mapper, RowFault};
pub use write::{Case, Reference, References, Rule, RuleKind, check_examples};
pub(crate) use write::{
    LineChanges, Lookups, Plan, Writer, by_key, check_examples_one_by_one, unified_name,
};
