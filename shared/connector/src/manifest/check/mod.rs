//! Whether the parts of a manifest fit together. One file per topic.

mod auth;
mod custom;
mod entity;
mod fields;
mod hooks;
mod identity;
mod limits;
mod oauth;
mod protocol;
mod reading;
mod write_codec;
mod writing;

use super::Manifest;
use crate::template::Template;

/// Everything that is wrong, each with its place in the file.
pub(super) fn problems(manifest: &Manifest) -> Vec<String> {
    let mut check = Check { manifest, found: Vec::new() };
    check.identity();
    check.protocol();
    check.auth();
    check.errors();
    check.limits();
    check.webhooks_in();
    for (name, snippet) in manifest.snippets.iter() {
        check.template(&format!("snippets.{name}"), snippet, &[]);
    }
    check.probe();
    for (slug, def) in manifest.entities.iter() {
        check.entity(slug, def);
    }
    check.found
}

struct Check<'a> {
    manifest: &'a Manifest,
    found: Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, place: &str, what: impl AsRef<str>) {
        self.found.push(format!("{place}: {}", what.as_ref()));
    }

    /// `roots` may be named beside what may be named anywhere: settings, session and snippets.
    fn template(&mut self, place: &str, template: &Template, roots: &[&str]) {
        for placeholder in template.placeholders() {
            let root = placeholder.root.as_str();
            let name = placeholder.path.keys().next().unwrap_or_default();
            if placeholder.needs_zone() && self.manifest.time_zone.is_none() {
                self.say(place, "takes the system's time zone, and there is no `time_zone`");
            }
            let known = match root {
                "settings" => self.manifest.settings.has(name),
                "credentials" => {
                    roots.contains(&"credentials") && self.manifest.credentials.has(name)
                }
                "session" => self.manifest.auth.keeps(name),
                "snippets" => {
                    !place.starts_with("snippets.") && self.manifest.snippets.get(name).is_some()
                }
                other => roots.contains(&other),
            };
            if !known {
                let dot = if name.is_empty() { "" } else { "." };
                self.say(place, format!("`{{{root}{dot}{name}}}` cannot be named here"));
            }
        }
    }

    /// Of `root`, only these may be named.
    fn members(&mut self, place: &str, template: &Template, root: &str, names: &[&str]) {
        for placeholder in template.placeholders() {
            let name = placeholder.path.as_str();
            if placeholder.root == root && !names.contains(&name) {
                self.say(place, format!("there is no `{{{root}.{name}}}`"));
            }
        }
    }
}

fn is_slug(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(fine)
}
