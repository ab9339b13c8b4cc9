//! Between a system's rows and the unified model, as a table of fields says.

mod field;
mod read;
mod write;

pub use field::{Conditions, EachField, Field, ValueField};
pub use read::{Mapper, RowFault};
pub use write::{Lookups, Reference, References, Writer};
