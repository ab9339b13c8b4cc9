//! What the unified model promises.

mod examples;
mod markers;
mod reference;
mod schemas;
