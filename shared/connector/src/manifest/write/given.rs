//! When a field must be given, and when it can be.

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// Whether a field must be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Required {
    /// Never (`false`).
    #[default]
    No,
    /// With a new record, and it can never be emptied (`true`).
    Always,
    /// With a new record (`create`); it can be emptied later.
    Create,
    /// With every update (`update`).
    Update,
    /// With a new record and with every update (`each`).
    Each,
    /// Never, but what is there cannot be emptied (`kept`).
    Kept,
}

impl Required {
    /// Whether a new record must have it.
    #[must_use]
    pub fn on_create(self) -> bool {
        matches!(self, Self::Always | Self::Create | Self::Each)
    }

    /// Whether every update must give it.
    #[must_use]
    pub fn on_update(self) -> bool {
        matches!(self, Self::Update | Self::Each)
    }

    /// Whether an update cannot empty it.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Always | Self::Update | Self::Each | Self::Kept)
    }
}

impl<'de> Deserialize<'de> for Required {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagOrWord;

        impl Visitor<'_> for FlagOrWord {
            type Value = Required;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, create, update, each or kept")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Required, E> {
                Ok(if flag { Required::Always } else { Required::No })
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Required, E> {
                match word {
                    "create" => Ok(Required::Create),
                    "update" => Ok(Required::Update),
                    "each" => Ok(Required::Each),
                    "kept" => Ok(Required::Kept),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(FlagOrWord)
    }
}

/// When a field can be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// With a new record and with an update.
    #[default]
    Both,
    /// With a new record only.
    Create,
    /// With an update only.
    Update,
}

impl Written {
    /// Whether a new record can have it.
    #[must_use]
    pub fn on_create(self) -> bool {
        self != Self::Update
    }

    /// Whether an update can change it.
    #[must_use]
    pub fn on_update(self) -> bool {
        self != Self::Create
    }
}
