//! What a message must have in it for an endpoint to get it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A filter on a message's body, as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyFilter(Map<String, Value>);
