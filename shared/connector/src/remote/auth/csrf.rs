//! The token against forged requests.

use millwright_outbound::Response;

use super::{Proof, Session};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::Row,
    manifest::{Csrf, Operation, Seen, TokenPlace},
    remote::{
        Remote, build,
        run::{Job, Turn},
    },
};

impl Remote {
    /// The token and what carries it, fetched when there is none.
    pub(in crate::remote) async fn csrf_proof(
        &self,
        csrf: &Csrf,
        session: &Session,
        turn: &mut Turn,
    ) -> Result<Proof, SystemError> {
        let mut kept = session.csrf.lock().await;
        let token = match &*kept {
            Some(token) => token.clone(),
            None => kept.insert(self.fetch_token(csrf, session, turn).await?).clone(),
        };
        let value = serde_json::json!({"token": token});
        self.carried(&csrf.headers, &csrf.query, Some(session), Some(("csrf", value)))
    }

    async fn fetch_token(
        &self,
        csrf: &Csrf,
        session: &Session,
        turn: &mut Turn,
    ) -> Result<String, SystemError> {
        let job = Job {
            operation: Operation::Login,
            call: false,
            build: &|scope| build::request(&self.http, &csrf.fetch, &scope),
        };
        let reply = Box::pin(self.attempt(&job, Some(session), turn)).await?;
        let found = match &csrf.token {
            TokenPlace::Header(header) => reply.response.headers.get(&header.0),
            TokenPlace::Path(path) => {
                let token = path.text(reply.verdict?.json()).map(std::borrow::Cow::into_owned);
                return token.ok_or_else(no_token);
            }
        };
        let found = found.and_then(|value| value.to_str().ok()).map(str::to_owned);
        match (found, reply.verdict) {
            (Some(token), _) if !token.is_empty() => Ok(token),
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => Err(no_token()),
        }
    }

    /// Whether an answer says that the token is no longer good.
    pub(in crate::remote) fn refuses_token(
        &self,
        operation: Operation,
        response: &Response,
    ) -> bool {
        let Some(csrf) = self.manifest.auth.csrf() else { return false };
        let body = Row::parse(&*response.body).unwrap_or_default();
        csrf.refused.holds(&Seen {
            operation: Some(operation),
            status: response.status.as_u16(),
            headers: &response.headers,
            body: body.json(),
            raw: &response.body,
        })
    }
}

fn no_token() -> SystemError {
    let message = "the system gives no token for writing";
    SystemError::new(SystemErrorClass::Malformed, message)
}
