//! Who may do what: applications, tokens, rate limits, over HTTP.

mod applications;
mod limits;
mod oauth;
pub mod scene;
mod sign_in;
mod tokens;
