//! Custom fields and jq.

use super::Check;
use crate::manifest::{EntityDef, Protocol};

impl Check<'_> {
    pub(super) fn custom_fields(&mut self, place: &str, def: &EntityDef) {
        self.asked_for(place, def);
        if self.manifest.time_zone.is_none() && def.needs_zone() {
            self.say(place, "takes the system's time zone, and there is no `time_zone`");
        }
        let Some(custom) = &def.custom_fields else { return };
        let place = format!("{place}.custom_fields");
        match &custom.discover {
            Some(_) if !custom.known.is_empty() => {
                self.say(&place, "are either discovered or `known`");
            }
            Some(_) if !matches!(self.manifest.protocol, Protocol::Http(_)) => {
                self.say(&place, "cannot be discovered without requests");
            }
            Some(discover) => self.request(&format!("{place}.discover"), &discover.request, &[]),
            None if custom.known.is_empty() => {
                self.say(&place, "need `discover`, or some that are `known`");
            }
            None => {}
        }
    }

    /// A system that gives only the fields it is asked for must be asked for what jq reads.
    fn asked_for(&mut self, place: &str, def: &EntityDef) {
        let requests = def.read.request.iter().chain(def.get.request());
        let mut named = requests.flat_map(|request| request.templates());
        let asks = named.any(|template| {
            template.placeholders().iter().any(|placeholder| placeholder.root == "fields")
        });
        if asks && def.uses_jq() && def.reads.is_empty() {
            self.say(place, "has jq and asks for `{fields}`: say in `reads` what jq reads");
        }
    }
}
