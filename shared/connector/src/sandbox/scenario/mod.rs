//! How a sandbox behaves: by one of a few names, or by rules.

mod counts;
mod request;
mod rule;
mod rule_check;
mod slug;
mod told;

pub(super) use self::{counts::Counted, told::ToldDoc};
pub use self::{
    request::ScenarioRequest,
    rule::{Match, Respond, Rule},
    slug::Scenario,
    told::{Named, Told, Window},
};
