//! Changing what a connection is called and how it is set: a JSON merge patch (RFC 7396).

use millwright_connection::{
    Connection, ConnectionContext, Customer, Now, Observation, Occasion, Trigger, credits_of,
    find_connection, take_note, try_settings,
};
use millwright_core::{ConnectionId, Error, ErrorCode, FieldError, Result, WorkspaceId};
use serde_json::{Map, Value};

use crate::{
    reconnect::unchanged,
    wake::{Sleepers, revise_and_wake},
};

/// The most bytes of JSON that a connection's own notes may have.
pub const METADATA_MAX: usize = 16 * 1024;

/// What is to be changed of a connection; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ConnectionPatch {
    /// Its name.
    pub name: Option<String>,
    /// The members of its customer; null for none.
    pub customer: Option<Value>,
    /// The workspace's own notes; null for none.
    pub metadata: Option<Value>,
    /// The connector's settings; null for those that count when nothing is filled in.
    pub settings: Option<Value>,
}

/// Changes a connection. Other settings are tried first: they must lead to the same instance.
///
/// # Errors
/// `NOT_FOUND`; the faulty fields. For settings also: `CONNECTION_PENDING`, `CONNECTION_INACTIVE` and
/// `CONNECTION_DISCONNECTED`, for its system is asked; `CREDENTIALS_REFUSED` and `SYSTEM_UNREACHABLE` for what the system says;
/// `DIFFERENT_SYSTEM`; `CREDITS_EXHAUSTED` where they make it cost more; `STATE_CONFLICT` when others
/// change them at the same time. Nothing has changed then.
pub async fn update_connection(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    patch: &ConnectionPatch,
) -> Result<Connection> {
    let known = find_connection(&context.store, workspace, id).await?.doc;
    let mut wanted = known.clone();
    apply(&mut wanted, patch)?;
    let tried = wanted.settings != known.settings;
    let mut credits = known.credits;
    if tried {
        known.require_enabled()?;
        must_not_lead_elsewhere(context, &known, &wanted)?;
        try_settings(context, &wanted).await?;
        let manifest = context.engine.catalog().get(known.connector()?);
        credits = manifest.map_or(credits, |manifest| credits_of(manifest, &wanted.settings));
    }
    let decide = |own: &mut Connection, now: Now| {
        let before = own.clone();
        apply(own, patch)?;
        if tried {
            unchanged(&known, &before)?;
            own.credits = credits;
            own.renewed += 1;
            take_note(context, own, &Observation::Answered, now);
        } else {
            own.settings = before.settings.clone();
        }
        let occasion = Occasion::new(Trigger::Workspace, "its settings were changed");
        Ok((*own != before).then_some((occasion, Vec::new())))
    };
    let sleepers = if tried { Sleepers::Failed } else { Sleepers::None };
    revise_and_wake(context, workspace, id, decide, sleepers).await
}

/// The credentials that are kept are sent nowhere but where they were given for: an address that
/// changes needs them anew.
fn must_not_lead_elsewhere(
    context: &ConnectionContext,
    known: &Connection,
    wanted: &Connection,
) -> Result<()> {
    let Some(manifest) = context.engine.catalog().get(known.connector()?) else { return Ok(()) };
    let names = known.settings.keys().chain(wanted.settings.keys());
    let changed = names.filter(|name| known.settings.get(*name) != wanted.settings.get(*name));
    let mut faults: Vec<FieldError> = changed
        .filter(|name| manifest.leads_elsewhere(name))
        .map(|name| {
            let message = "decides where the credentials are sent: give them again with it, to \
                           POST /v1/connections/{id}/reconnect";
            FieldError::new(format!("settings.{name}"), ErrorCode::ValidationFailed, message)
        })
        .collect();
    faults.dedup_by(|one, other| one.path == other.path);
    Error::from_fields(faults).map_or(Ok(()), Err)
}

fn apply(connection: &mut Connection, patch: &ConnectionPatch) -> Result<()> {
    if let Some(name) = &patch.name {
        connection.name.clone_from(name);
    }
    if let Some(customer) = &patch.customer {
        connection.customer = patched_customer(connection.customer.as_ref(), customer)?;
    }
    if let Some(metadata) = &patch.metadata {
        connection.metadata = patched(&connection.metadata, metadata);
        if serde_json::to_string(&connection.metadata).map_err(Error::internal)?.len()
            > METADATA_MAX
        {
            return Err(fault(
                "metadata",
                ErrorCode::ValidationFailed,
                "must have at most 16 KB as JSON",
            ));
        }
    }
    if let Some(settings) = &patch.settings {
        connection.settings = patched(&connection.settings, settings);
    }
    Ok(())
}

fn patched_customer(own: Option<&Customer>, patch: &Value) -> Result<Option<Customer>> {
    let own = own.and_then(|own| serde_json::to_value(own).ok()).unwrap_or(Value::Null);
    let mut customer = own;
    merge(&mut customer, patch);
    if customer.is_null() {
        return Ok(None);
    }
    if customer["id"].as_str().is_none_or(str::is_empty) {
        return Err(fault("customer.id", ErrorCode::FieldRequired, "is required"));
    }
    serde_json::from_value(customer)
        .map(Some)
        .map_err(|_| fault("customer", ErrorCode::ValidationFailed, "must be an id and a name"))
}

fn fault(path: &str, code: ErrorCode, message: &str) -> Error {
    let mut error = Error::new(code, format!("{path}: {message}"));
    error.fields = vec![FieldError::new(path, code, message)];
    error
}

fn patched(own: &Map<String, Value>, patch: &Value) -> Map<String, Value> {
    let mut merged = Value::Object(own.clone());
    merge(&mut merged, patch);
    match merged {
        Value::Object(merged) => merged,
        _ => Map::new(),
    }
}

/// RFC 7396, 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_as_the_examples_of_its_standard() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, expected, "{target} with {patch}");
        }
    }

    #[test]
    fn a_customer_keeps_what_is_not_named_and_needs_an_id() {
        let own = Customer { id: "7".to_owned(), name: Some("Acme".to_owned()) };
        let renamed = patched_customer(Some(&own), &json!({"name": "Norton"})).unwrap().unwrap();
        assert_eq!((renamed.id.as_str(), renamed.name.as_deref()), ("7", Some("Norton")));
        assert_eq!(patched_customer(Some(&own), &json!(null)).unwrap(), None);
        let nameless = patched_customer(Some(&own), &json!({"name": null})).unwrap().unwrap();
        assert_eq!(nameless.name, None);
        let missing = patched_customer(None, &json!({"name": "Norton"})).unwrap_err();
        assert_eq!(
            (missing.code, missing.fields[0].path.as_str()),
            (ErrorCode::FieldRequired, "customer.id")
        );
    }
}
