//! Filters: conditions on the fields of records, evaluated on each record that a list comes by.

mod condition;
mod field;
mod value;

pub use condition::{Condition, Filters, Operator};
pub use field::{FilterField, fills, filter_fields, sortable_fields};
pub(crate) use value::is_record_key;
pub use value::sortable_time;
