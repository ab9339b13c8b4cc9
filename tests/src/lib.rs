//! What the tests of the whole share: the fault layer, and the real parts that Millwright is tried on.

pub mod faults;
