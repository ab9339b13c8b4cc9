//! Enabling, pausing and disabling endpoints.

use millwright_core::{EndpointId, Error, ErrorCode, Result, ScheduleTime, WorkspaceId};

use crate::{
    Webhooks,
    endpoint::{DisabledReason, Endpoint, EndpointStatus},
    health::Health,
    keys::endpoint_key,
    lasting::disabled,
};

/// What is to become of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Deliveries are made, whatever was before. What has been held against it is forgotten.
    Enable,
    /// What was paused goes on; what is disabled must be enabled.
    Resume,
    /// Deliveries are held until it goes on.
    Pause,
    /// Deliveries are held until somebody asks for them.
    Disable(DisabledReason),
}

impl Webhooks {
    /// Changes whether deliveries are made; answers the endpoint as it was and as it is. One that is
    /// so already stays as it is, its reason included. That it is disabled is told
    /// (`endpoint.disabled`). What was held while it was paused has then yet to be released.
    ///
    /// # Errors
    /// `NOT_FOUND`; `STATE_CONFLICT` for pausing or resuming one that is disabled.
    pub async fn set_status(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        change: StatusChange,
    ) -> Result<(Endpoint, Endpoint)> {
        if let StatusChange::Disable(reason) = change {
            return self.disable(workspace, id, reason).await;
        }
        let now = self.clock().schedule();
        let key = endpoint_key(workspace, id);
        let changed = self
            .store
            .modify(&key, |endpoint: &mut Endpoint| {
                let before = endpoint.clone();
                endpoint.change_status(change, now)?;
                Ok(before)
            })
            .await?;
        let (row, before) = changed.ok_or_else(|| Error::not_found("webhook endpoint"))?;
        Ok((before, row.doc))
    }

    async fn disable(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        reason: DisabledReason,
    ) -> Result<(Endpoint, Endpoint)> {
        let before = self.get_endpoint(workspace, id).await?;
        let now = self.clock().schedule();
        let decide = |row: &mut Endpoint| disabled(row, reason, now);
        let after = match self.change_and_tell(&before, decide).await? {
            Some(after) => after,
            None => self.get_endpoint(workspace, id).await?,
        };
        Ok((before, after))
    }
}

impl Endpoint {
    /// Whether deliveries are made.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.status == EndpointStatus::Enabled
    }

    pub(crate) fn change_status(&mut self, change: StatusChange, now: ScheduleTime) -> Result<()> {
        let disabled = matches!(self.status, EndpointStatus::Disabled { .. });
        match change {
            StatusChange::Enable if self.is_enabled() => {}
            StatusChange::Enable => self.enable(),
            StatusChange::Pause | StatusChange::Resume if disabled => {
                let message = "this webhook endpoint is disabled: enable it";
                return Err(Error::new(ErrorCode::StateConflict, message));
            }
            StatusChange::Resume if self.is_enabled() => {}
            StatusChange::Resume => {
                self.status = EndpointStatus::Enabled;
                self.health.left_alone();
            }
            StatusChange::Pause if self.is_enabled() => {
                self.status = EndpointStatus::Paused { since: now };
            }
            StatusChange::Disable(reason) if !disabled => {
                self.status = EndpointStatus::Disabled { since: now, reason };
            }
            StatusChange::Pause | StatusChange::Disable(_) => {}
        }
        Ok(())
    }

    fn enable(&mut self) {
        self.status = EndpointStatus::Enabled;
        self.health = Health::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::examples::{NOW, endpoint};

    #[test]
    fn a_paused_endpoint_goes_on_and_a_disabled_one_must_be_enabled() {
        let mut endpoint = endpoint();
        endpoint.change_status(StatusChange::Pause, NOW).unwrap();
        assert_eq!(endpoint.status, EndpointStatus::Paused { since: NOW });
        endpoint.change_status(StatusChange::Resume, NOW).unwrap();
        assert!(endpoint.is_enabled());
        let by_hand = StatusChange::Disable(DisabledReason::ByHand);
        endpoint.change_status(by_hand, NOW).unwrap();
        for change in [StatusChange::Pause, StatusChange::Resume] {
            let refused = endpoint.change_status(change, NOW).unwrap_err();
            assert_eq!(refused.code, ErrorCode::StateConflict);
        }
        endpoint.change_status(StatusChange::Enable, NOW).unwrap();
        assert!(endpoint.is_enabled());
    }

    #[test]
    fn what_is_so_already_keeps_its_time_and_reason() {
        let mut endpoint = endpoint();
        let later = NOW + Duration::from_secs(60);
        endpoint.change_status(StatusChange::Pause, NOW).unwrap();
        endpoint.change_status(StatusChange::Pause, later).unwrap();
        assert_eq!(endpoint.status, EndpointStatus::Paused { since: NOW });
        endpoint.change_status(StatusChange::Disable(DisabledReason::ByHand), NOW).unwrap();
        let before = endpoint.clone();
        endpoint.change_status(StatusChange::Disable(DisabledReason::Failing), later).unwrap();
        assert_eq!(endpoint, before);
    }

    #[test]
    fn enabling_forgets_what_was_held_against_it() {
        let mut endpoint = endpoint();
        endpoint.health.failing_since = Some(NOW);
        endpoint.change_status(StatusChange::Disable(DisabledReason::Failing), NOW).unwrap();
        endpoint.change_status(StatusChange::Enable, NOW).unwrap();
        assert_eq!(endpoint.health, Health::default());
    }
}
