//! Whether values of the model can be put into a system's form at all: a codec that cannot write would
//! refuse every body.

use millwright_entities::{Entity, Field as Known, Kind};
use serde_json::Value;

use super::Check;
use crate::{codec::Codec, manifest::WriteValue};

impl Check<'_> {
    /// A value that is written, against what the model holds there.
    pub(super) fn written_value(
        &mut self,
        place: &str,
        slug: &str,
        (list, name): (Option<&str>, &str),
        value: &WriteValue,
    ) {
        let known = known(slug, list, name);
        if let Some(why) = unwritable(value, known) {
            self.say(&format!("{place}.codec"), why);
        }
    }
}

/// The model's field; nothing inside of objects, and where an action has a field of its own.
fn known(slug: &str, list: Option<&str>, name: &str) -> Option<&'static Known> {
    let entity = Entity::find(slug)?;
    match list {
        None => entity.field(name),
        Some(list) => entity.field(list)?.field(name),
    }
}

/// Why no value can be written, if none can.
fn unwritable(value: &WriteValue, known: Option<&Known>) -> Option<String> {
    let codec = value.codec;
    if codec == Codec::Html {
        return Some("cannot be written".to_owned());
    }
    let encodes = |text: &str| codec.needs_zone() || codec.encode(&Value::from(text)).is_ok();
    if value.references.is_some() {
        // The remote id behind the key, which is text.
        return (!encodes("1")).then(|| "cannot write an id".to_owned());
    }
    if let Some(words) = &value.words {
        let wrong = words.iter().find(|(_, word)| !encodes(word));
        return wrong.map(|(_, word)| format!("cannot write `{word}`"));
    }
    let (takes, holds) = (codec.kind(), known?.kind);
    let fits = takes == holds
        || codec == Codec::Json
        || takes == Kind::Text && matches!(holds, Kind::Choice | Kind::Key);
    let why = || format!("takes {}, and the field holds {}", takes.as_str(), holds.as_str());
    (!fits).then(why)
}
