//! Webhooks of a system's own, and what they tell of.

use super::{Checked, Run, answer::headers, named, row::exact};
use crate::{
    manifest::{HookTest, HookTold},
    remote::{Hint, played},
};

impl Run<'_> {
    pub(super) fn hooks(&self) -> Vec<Checked> {
        let one = |(position, test): (usize, &HookTest)| {
            let faults = self.hook(test).unwrap_or_else(|why| vec![why]);
            named(&format!("tests.hooks[{position}]"), test.name.clone(), faults)
        };
        self.tests.hooks.iter().enumerate().map(one).collect()
    }

    fn hook(&self, test: &HookTest) -> Result<Vec<String>, String> {
        let hooks = self.manifest.webhooks_in.as_ref();
        let hooks = hooks.ok_or("the manifest has no `webhooks_in`")?;
        let headers = headers(&test.headers)?;
        let body = exact(&test.body)?.unwrap_or_else(|| test.body.clone()).to_string();
        let told = played::told(hooks, &headers, body.as_bytes()).map_err(|why| why.message)?;
        let told: Vec<HookTold> = told.into_iter().map(HookTold::from).collect();
        let same = told == test.tells;
        Ok(if same { Vec::new() } else { vec![format!("it tells of {told:?}")] })
    }
}

impl From<Hint> for HookTold {
    fn from(hint: Hint) -> Self {
        Self { entity: hint.entity, id: hint.remote_id, action: hint.action }
    }
}
