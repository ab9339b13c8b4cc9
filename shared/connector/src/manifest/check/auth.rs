//! Logging in, and the probe.

use super::Check;
use crate::{
    manifest::{Auth, Login},
    table::Table,
    template::Template,
};

impl Check<'_> {
    pub(super) fn auth(&mut self) {
        match &self.manifest.auth {
            Auth::None => {}
            Auth::Basic(basic) => {
                for template in [&basic.username, &basic.password] {
                    self.template("auth.basic", template, &["credentials"]);
                }
            }
            Auth::Headers(headers) => self.headers("auth.headers", headers),
            Auth::Login(login) => self.login(login),
        }
    }

    fn login(&mut self, login: &Login) {
        for (position, step) in login.steps.iter().enumerate() {
            let place = format!("auth.login.steps[{position}]");
            self.request(&place, &step.request, &["credentials"]);
            for (name, template) in step.keep.iter() {
                let place = format!("{place}.keep.{name}");
                self.template(&place, template, &["credentials", "answer"]);
            }
        }
        self.headers("auth.login.headers", &login.headers);
    }

    fn headers(&mut self, place: &str, headers: &Table<Template>) {
        for (name, template) in headers.iter() {
            self.template(&format!("{place}.{name}"), template, &["credentials"]);
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
