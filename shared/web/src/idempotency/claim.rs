//! Claiming a key's row, keeping the answer in it, giving the answer again.

use bytes::Bytes;
use millwright_access::{Caller, Need};
use millwright_core::{ConnectionId, Error, ErrorCode, ExposeSecret, Result, SecretString};
use millwright_store::{Expect, Row, Write};
use millwright_vault::Sealed;

use super::record::{Decision, Head, Record, State, Twice, record_key};
use crate::App;

/// How often a claim is begun again when others write the row at the same time.
const TRIES: usize = 4;
/// The largest sealed body kept in the row: an item holds 400 KB (DynamoDB quotas).
const ROW_BODY_MAX: usize = 300 * 1024;

/// A key in use.
pub(super) struct Slot<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    /// SHA-256 of the key.
    pub(super) hash: &'a str,
    pub(super) fingerprint: &'a str,
    /// What running the request twice would do.
    pub(super) twice: Twice,
    /// The connection that the request is about.
    pub(super) connection: Option<ConnectionId>,
}

/// What came of a claim.
pub(super) enum Claim {
    /// The request may run; its row is this.
    Run(Row<Record>),
    /// It was answered before.
    Replay(Head, Bytes),
}

impl Slot<'_> {
    /// Claims the key, or finds the answer that it stands for.
    ///
    /// # Errors
    /// As [`Record::decide`]; when the table fails.
    pub(super) async fn claim(&self) -> Result<Claim> {
        let key = record_key(&self.caller.workspace, self.hash);
        for _ in 0..TRIES {
            let now = self.app.clock().wall();
            let claim = Record::claim(self.fingerprint, self.caller.role, self.twice, now);
            let claim = Record { connection: self.connection.clone(), ..claim };
            let Some(mut row) = self.app.store.get::<Record>(&key).await? else {
                let write = Write::put(&key, &claim, Expect::Absent)?;
                match self.app.store.write(write).await {
                    Ok(version) => {
                        return Ok(Claim::Run(Row { key, doc: claim, body: None, version }));
                    }
                    Err(error) if error.is_conflict() => continue,
                    Err(error) => return Err(error.into()),
                }
            };
            match row.doc.decide(self.fingerprint, self.caller, now)? {
                Decision::Replay(head) => {
                    let body = self.kept_body(&head, row.body).await?;
                    return Ok(Claim::Replay(head, body));
                }
                // It began when the first one did.
                Decision::Run => row.doc = Record { until: row.doc.until, ..claim },
            }
            match self.app.store.write(Write::replace(&row)?).await {
                Ok(version) => return Ok(Claim::Run(Row { version, ..row })),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorCode::IdempotencyInProgress, "this idempotency key is in use"))
    }

    /// Keeps the answer for those who may do what it needed, unless the claim was lost meanwhile.
    ///
    /// # Errors
    /// When the vault, the blob store or the table fails.
    pub(super) async fn keep(
        &self,
        mut row: Row<Record>,
        needed: Option<Need>,
        mut head: Head,
        body: &[u8],
    ) -> Result<()> {
        let sealed = self.seal(body).await?;
        if sealed.len() > ROW_BODY_MAX {
            head.in_blob = true;
            self.app.blob.put(&self.blob_path(), Bytes::from(sealed)).await?;
        } else {
            row.body = Some(sealed);
        }
        if let Some(need) = needed {
            row.doc.set_need(need);
        }
        row.doc.connection = row.doc.connection.or_else(|| made_in(body));
        row.doc.state = State::Answered(head);
        self.written(Write::replace(&row)?).await
    }

    /// Gives the claim back: the key may be used again.
    ///
    /// # Errors
    /// When the table fails.
    pub(super) async fn give_back(&self, row: &Row<Record>) -> Result<()> {
        self.written(Write::delete(&row.key, Expect::Version(row.version))).await
    }

    /// Leaves the claim as that of a request that broke off: what it has done by then is found by the next
    /// one with its key. What is sent on as it is, and cannot be found, is as if it had not been.
    ///
    /// # Errors
    /// When the table fails.
    pub(super) async fn abandon(&self, mut row: Row<Record>) -> Result<()> {
        if self.twice == Twice::Unknown {
            return self.give_back(&row).await;
        }
        row.doc.state = State::Running(self.app.clock().wall());
        self.written(Write::replace(&row)?).await
    }

    async fn written(&self, write: Write) -> Result<()> {
        match self.app.store.write(write).await {
            // Another request took the claim over: what it does with the row stands.
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn seal(&self, body: &[u8]) -> Result<String> {
        let text = String::from_utf8(body.to_vec()).map_err(Error::internal)?;
        let text = SecretString::from(text);
        let vault = &self.app.vault;
        let sealed = vault.seal(&self.caller.workspace, &self.context(), &text).await?;
        serde_json::to_string(&sealed).map_err(Error::internal)
    }

    async fn kept_body(&self, head: &Head, in_row: Option<String>) -> Result<Bytes> {
        let gone = || Error::internal("the answer kept for an idempotency key is gone");
        let sealed = if head.in_blob {
            self.app.blob.get(&self.blob_path()).await?.ok_or_else(gone)?
        } else {
            Bytes::from(in_row.ok_or_else(gone)?)
        };
        let sealed: Sealed = serde_json::from_slice(&sealed).map_err(Error::internal)?;
        let vault = &self.app.vault;
        let body = vault.open(&self.caller.workspace, &self.context(), &sealed).await?;
        Ok(Bytes::copy_from_slice(body.expose_secret().as_bytes()))
    }

    /// What the body is sealed for: this key alone.
    fn context(&self) -> String {
        format!("idempotency#{}", self.hash)
    }

    fn blob_path(&self) -> String {
        format!("{}/idempotency/{}", self.caller.workspace, self.hash)
    }
}

/// The connection that an answer has made.
fn made_in(body: &[u8]) -> Option<ConnectionId> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let named = |field: &str| answer.get(field)?.as_str()?.parse().ok();
    named("id").or_else(|| named("connection_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_that_was_made_is_found_in_its_answer() {
        let id = ConnectionId::new_at(1);
        let found = |text: String| made_in(text.as_bytes());
        assert_eq!(found(format!(r#"{{"id":"{id}"}}"#)), Some(id.clone()));
        assert_eq!(found(format!(r#"{{"id":"link_1","connection_id":"{id}"}}"#)), Some(id));
        assert_eq!(found(r#"{"id":"key_1"}"#.to_owned()), None);
        assert_eq!(found("not JSON".to_owned()), None);
    }
}
