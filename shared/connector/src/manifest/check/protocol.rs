//! How the system is spoken to, and requests.

use super::Check;
use crate::manifest::{Protocol, Request};

impl Check<'_> {
    pub(super) fn protocol(&mut self) {
        let Protocol::Http(http) = &self.manifest.protocol else { return };
        for placeholder in http.base_url.placeholders() {
            if placeholder.root != "settings" {
                self.say("protocol.http.base_url", "may only name settings");
            }
        }
        self.template("protocol.http.base_url", &http.base_url, &[]);
        for (name, header) in http.headers.iter() {
            self.template(&format!("protocol.http.headers.{name}"), header, &[]);
        }
        if let Some(path) = &http.json_rpc {
            self.template("protocol.http.json_rpc", path, &[]);
        }
        if self.manifest.probe.is_none() {
            self.say("probe", "is missing");
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
        for template in request.templates() {
            self.template(place, template, roots);
        }
    }
}
