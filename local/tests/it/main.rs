//! The local stack through the real SDK clients.

mod allowance;
mod cli;
mod connector;
mod host;
mod sqs_contract;
mod sqs_ours;
mod store;
mod support;
