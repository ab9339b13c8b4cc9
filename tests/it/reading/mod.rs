//! Reading records through the API: lists, filters, sorts, what is gone, live, raw, stale.

mod catalogue;
mod conditions;
mod live;
mod orders;
mod pages;
mod refusals;
pub mod scene;
