//! Conditions, webhooks of the system's own, permissions, passthrough.

use millwright_entities::Entity;

use super::Check;
use crate::{
    manifest::{Condition, EntityDef, HookSignature, HookVerify, WebhooksIn},
    template::Template,
};

impl Check<'_> {
    pub(super) fn webhooks_in(&mut self) {
        let Some(hooks) = &self.manifest.webhooks_in else { return };
        match &hooks.verify {
            HookVerify::Hmac(signature) => self.hook_signature(signature),
            HookVerify::Token(token) => {
                self.secret("webhooks_in.verify.token.value", &token.value);
            }
        }
        self.hook_events(hooks);
    }

    fn hook_signature(&mut self, signature: &HookSignature) {
        let place = "webhooks_in.verify.hmac";
        self.secret(&format!("{place}.key"), &signature.key);
        let Some(text) = &signature.text else {
            if signature.timestamp.is_some() {
                self.say(place, "has a `timestamp` that is not part of a `text`");
            }
            return;
        };
        let here = format!("{place}.text");
        self.template(&here, text, &["body", "timestamp", "headers"]);
        let names = |root: &str| text.placeholders().iter().any(|one| one.root == root);
        if !names("body") {
            self.say(&here, "does not name {body}");
        }
        if names("timestamp") != signature.timestamp.is_some() {
            self.say(&here, "names {timestamp} and `timestamp` is given, or neither");
        }
    }

    fn hook_events(&mut self, hooks: &WebhooksIn) {
        if hooks.events.is_empty() {
            self.say("webhooks_in.events", "tell of nothing");
        }
        for (position, event) in hooks.events.iter().enumerate() {
            let place = format!("webhooks_in.events[{position}]");
            if self.manifest.entity(&event.entity).is_none() {
                self.say(&place, format!("`{}` is not among the entities", event.entity));
            }
            self.condition(&format!("{place}.when"), &event.when);
            if !event.when.status.is_empty() || event.when.during.is_some() {
                self.say(&format!("{place}.when"), "has no status, and is not during anything");
            }
        }
    }

    /// Without a value of the customer's own anybody could make it.
    fn secret(&mut self, place: &str, template: &Template) {
        self.template(place, template, &["credentials"]);
        if template.placeholders().is_empty() {
            self.say(place, "is out of the credentials or settings");
        }
    }

    pub(super) fn permissions(&mut self, place: &str, entity: &Entity, def: &EntityDef) {
        for (position, probe) in def.permissions.iter().enumerate() {
            let place = format!("{place}.permissions[{position}]");
            self.request(&place, &probe.request, &[]);
            if probe.granted.is_empty() {
                self.say(&place, "says nothing of any operation");
            }
            for (operation, condition) in probe.granted.iter() {
                let place = format!("{place}.granted.{operation}");
                let known = ["read", "create", "update", "delete"].contains(&operation)
                    || operation.strip_prefix("actions.").is_some_and(|name| !name.is_empty());
                if !known {
                    self.say(&place, format!("is no operation on {}", entity.slug));
                }
                self.condition(&place, condition);
            }
        }
    }

    /// A condition that says nothing would hold for everything.
    pub(super) fn condition(&mut self, place: &str, condition: &Condition) {
        let Condition { status, during, header, path, equals, one_of, contains, matches } =
            condition;
        let tests_text = contains.is_some() || matches.is_some();
        let tests_value = equals.is_some() || !one_of.is_empty();
        let about = !status.is_empty() || during.is_some() || header.is_some() || path.is_some();
        if !about && !tests_text {
            self.say(place, "says nothing");
        }
        if tests_value && path.is_none() {
            self.say(place, "has `equals` or `one_of` without a `path`");
        }
    }
}
