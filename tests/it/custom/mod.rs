//! What one connection has for itself: custom fields, field mappings.

mod fields;
mod mappings;
