//! How the system is spoken to, and requests.

use super::Check;
use crate::{
    manifest::{FieldKind, Protocol, Request},
    template::Template,
};

impl Check<'_> {
    pub(super) fn protocol(&mut self) {
        if let Some(zone) = &self.manifest.time_zone {
            if zone.placeholders().iter().any(|placeholder| placeholder.root != "settings") {
                self.say("time_zone", "may only name settings");
            }
            self.template("time_zone", zone, &[]);
        }
        let Protocol::Http(http) = &self.manifest.protocol else { return };
        self.base_url(&http.base_url);
        for (name, header) in http.headers.iter() {
            let place = format!("protocol.http.headers.{name}");
            self.header_name(&place, name);
            self.template(&place, header, &[]);
        }
        if let Some(path) = &http.json_rpc {
            self.template("protocol.http.json_rpc", path, &[]);
        }
        if self.manifest.probe.is_none() {
            self.say("probe", "is missing");
        }
    }

    /// It begins with a scheme, or with a setting that is an address.
    fn base_url(&mut self, url: &Template) {
        let place = "protocol.http.base_url";
        self.only_settings(place, url);
        self.template(place, url, &[]);
        let written = url
            .literal_start()
            .map(|start| start.starts_with("https://") || start.starts_with("http://"));
        let begins = written.unwrap_or_else(|| self.begins_with_address(url));
        if !begins {
            self.say(place, "begins with https:// or with a setting of type `url`");
        }
    }

    /// Whether it begins with a setting that is an address itself.
    pub(super) fn begins_with_address(&self, url: &Template) -> bool {
        let first = url.placeholders().first().and_then(|first| first.path.keys().next());
        let fields = self.manifest.settings.fields();
        fields
            .iter()
            .any(|field| Some(field.name.as_str()) == first && field.kind == FieldKind::Url)
    }

    pub(super) fn only_settings(&mut self, place: &str, template: &Template) {
        if template.placeholders().iter().any(|placeholder| placeholder.root != "settings") {
            self.say(place, "may only name settings");
        }
    }

    pub(super) fn request(&mut self, place: &str, request: &Request, roots: &[&str]) {
        if let Request::Call(_) = request {
            let rpc = match &self.manifest.protocol {
                Protocol::Http(http) => http.json_rpc.is_some(),
                Protocol::Sandbox => false,
            };
            if !rpc {
                self.say(place, "is a call, and the protocol has no `json_rpc`");
            }
        }
        if let Request::Http(http) = request {
            for name in http.headers.names() {
                self.header_name(&format!("{place}.headers.{name}"), name);
            }
        }
        for template in request.templates() {
            self.template(place, template, roots);
        }
    }

    pub(super) fn probe(&mut self) {
        let Some(probe) = &self.manifest.probe else { return };
        self.request("probe.request", &probe.request, &[]);
        if probe.instance.id.is_empty() {
            self.say("probe.instance.id", "names nothing");
        }
    }
}
