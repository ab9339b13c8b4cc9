//! What one connection has for itself: custom fields, field mappings, calls and webhooks of its
//! system's own.

mod fields;
mod hooks;
mod mappings;
mod native;
mod system;
