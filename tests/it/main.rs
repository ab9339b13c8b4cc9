//! The tests of the whole: one binary, so that the large dependencies are linked once.

mod faults;
mod functions;
mod template;
