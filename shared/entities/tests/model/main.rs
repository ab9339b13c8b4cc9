//! What the unified model promises.

mod schemas;
