//! The whole bundle on one machine: DynamoDB and SQS in process, and a host that does what AWS does
//! around the functions. Only for one machine; nothing here is deployed.

pub mod bootstrap;
pub mod cli;
pub mod data;
pub mod dynamo;
pub mod host;
pub mod sdk;
pub mod sqs;

mod durability;
mod near;
mod stack;

pub use durability::Durability;
pub use stack::{Stack, StackError};
