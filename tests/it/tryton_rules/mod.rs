//! The write rules of the Tryton connector against a live server: every example of them is played, and
//! what the server refuses beyond them is found.

mod examples;
mod forgotten;
mod isolated;
pub mod past;
pub mod world;
