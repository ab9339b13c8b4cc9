//! A turn that somebody has.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Gate, TERM};

/// A turn. Dropping it ends it too, only without giving anything back to others before its time.
pub(crate) struct Pass {
    gate: Option<Arc<Gate>>,
}

impl Pass {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate: Some(gate) }
    }

    /// Does the work, and renews the turn while it lasts.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(renew_every()) => {}
            }
            if let Some(gate) = self.gate.as_ref().filter(|gate| gate.bounds.seats.is_some()) {
                gate.renew().await;
            }
        }
    }

    /// Ends the turn.
    pub(crate) async fn leave(mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave().await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.local().leave(gate.clock.wall(), false);
        }
    }
}

const fn renew_every() -> Duration {
    Duration::from_millis(TERM.as_millis() as u64 / 2)
}
