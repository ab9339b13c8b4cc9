//! Logging in, or taking a token, and keeping the session.

use std::{sync::Arc, time::Duration};

use millwright_core::{ExposeSecret, SecretString, WallTime};
use serde_json::{Map, Value, json};

use super::{Jar, Proof, proof::text};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Auth, Login, Operation, TokenRules},
    remote::{
        Remote, build,
        run::{Job, Turn},
        unfit,
    },
    template::Scope,
};

/// A session is made anew so long before its end, or a tenth of its life.
const EARLY: Duration = Duration::from_secs(60);

/// What a login has left us with, or what else is kept between requests. It cannot be printed.
pub(crate) struct Session {
    pub(in crate::remote) values: Value,
    pub(in crate::remote) proof: Proof,
    pub(in crate::remote) jar: Option<Jar>,
    /// The token against forged requests.
    pub(in crate::remote) csrf: tokio::sync::Mutex<Option<String>>,
    /// The OAuth token that it carries.
    token: Option<SecretString>,
    ends_at: Option<WallTime>,
}

impl Session {
    fn new(auth: &Auth) -> Self {
        let cookies = auth.csrf().is_some() || auth.login().is_some_and(|login| login.cookies);
        Self {
            values: Value::Object(Map::new()),
            proof: Proof::default(),
            jar: cookies.then(Jar::default),
            csrf: tokio::sync::Mutex::default(),
            token: None,
            ends_at: None,
        }
    }

    /// Whether nothing has been kept or sent with it yet.
    fn has_ended(&self, now: WallTime) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

impl Remote {
    /// The session, for the kinds of authentication that have one: made when there is none, when it is
    /// about to end, or when the one there is has turned out to be `dead`. Of several requests that
    /// need one, one logs in and the others wait for it. The dead one comes back where there is no other.
    pub(in crate::remote) async fn session(
        &self,
        dead: Option<&Arc<Session>>,
        turn: &mut Turn,
    ) -> Result<Option<Arc<Session>>, SystemError> {
        let auth = &self.manifest.auth;
        if auth.login().is_none() && auth.csrf().is_none() && auth.oauth().is_none() {
            return Ok(None);
        }
        let waits_since = self.clock().wall();
        let mut kept = self.kept.session.lock().await;
        let now = self.clock().wall();
        if let Some(session) = &*kept
            && !session.has_ended(now)
            && dead.is_none_or(|dead| !Arc::ptr_eq(dead, session))
        {
            return Ok(Some(session.clone()));
        }
        if let Some(old) = kept.take()
            && dead.is_none()
        {
            self.end(&old, turn).await;
        }
        let made = match auth.oauth() {
            Some(rules) => self.take_token(rules, dead).await?,
            // Systems count refused logins and lock accounts: those who waited for one ask no more.
            None => match self.kept.refused_since(waits_since) {
                Some(refused) => return Err(refused),
                None => {
                    Some(self.log_in(turn).await.inspect_err(|error| self.note_refused(error))?)
                }
            },
        };
        let session = match (made, dead) {
            (Some(made), _) => Arc::new(made),
            (None, Some(dead)) => dead.clone(),
            (None, None) => return Err(no_token()),
        };
        Ok(Some(kept.insert(session).clone()))
    }

    fn note_refused(&self, error: &SystemError) {
        if error.class == SystemErrorClass::Reauthorize {
            self.kept.note_refused(self.clock().wall(), error.clone());
        }
    }

    /// A session with a token; nothing when there is no other than the `dead` one.
    async fn take_token(
        &self,
        rules: &TokenRules,
        dead: Option<&Arc<Session>>,
    ) -> Result<Option<Session>, SystemError> {
        let source = self.tokens.as_ref().ok_or_else(no_token)?;
        let dead = dead.and_then(|dead| dead.token.as_ref());
        let Some(tokens) = source.tokens(dead).await? else { return Ok(None) };
        let mut session = Session::new(&self.manifest.auth);
        session.ends_at = tokens.renew_at(rules);
        session.values = Value::Object(tokens.kept);
        let named = json!({"access_token": tokens.access_token.expose_secret()});
        session.proof = self.carried(
            &rules.send.headers,
            &rules.send.query,
            Some(&session),
            Some(("oauth", named)),
        )?;
        session.token = Some(tokens.access_token);
        Ok(Some(session))
    }

    async fn log_in(&self, turn: &mut Turn) -> Result<Session, SystemError> {
        let mut session = Session::new(&self.manifest.auth);
        let Some(login) = self.manifest.auth.login() else { return Ok(session) };
        let mut last = Value::Null;
        for step in &login.steps {
            let credentials = self.exposed();
            let job = Job {
                operation: Operation::Login,
                call: step.request.is_call(),
                build: &|scope| {
                    let scope = scope.with("credentials", credentials.clone());
                    build::request(&self.http, &step.request, &scope)
                },
            };
            last = self.attempt(&job, Some(&session), turn).await?.verdict?.to_value();
            let scope = self.secret_scope(Some(&session))?.with("answer", last.clone());
            let Value::Object(values) = &mut session.values else { continue };
            for (name, template) in step.keep.iter() {
                let value = template.render(&scope).map_err(|why| unfit(&why))?;
                values.insert(name.to_owned(), value);
            }
            session.proof = self.carried(&login.headers, &login.query, Some(&session), None)?;
        }
        session.ends_at = self.end_of(login, &session, last)?;
        Ok(session)
    }

    fn end_of(
        &self,
        login: &Login,
        session: &Session,
        answer: Value,
    ) -> Result<Option<WallTime>, SystemError> {
        let Some(template) = &login.life_seconds else { return Ok(None) };
        let scope: Scope = self.secret_scope(Some(session))?.with("answer", answer);
        let seconds = text(template, &scope)?;
        let Some(seconds) = seconds.split('.').next().and_then(|whole| whole.parse().ok()) else {
            return Err(unfit("the life of the session is no number of seconds"));
        };
        let life = Duration::from_secs(seconds);
        Ok(Some(self.clock().wall() + life.saturating_sub(EARLY.min(life / 10))))
    }

    /// Logs out, where a session is kept and the manifest says how. That it fails is no harm.
    pub(crate) async fn log_out(&self) {
        let Some(session) = self.kept.session.lock().await.take() else { return };
        self.end(&session, &mut Turn::new(self.manifest.limits.patience())).await;
    }

    async fn end(&self, session: &Session, turn: &mut Turn) {
        let login = self.manifest.auth.login();
        let Some(request) = login.and_then(|login| login.log_out.as_ref()) else { return };
        let credentials = self.exposed();
        let job = Job {
            operation: Operation::Login,
            call: request.is_call(),
            build: &|scope| {
                let scope = scope.with("credentials", credentials.clone());
                build::request(&self.http, request, &scope)
            },
        };
        let ended = self.attempt(&job, Some(session), turn).await;
        if let Err(error) = ended.and_then(|reply| reply.verdict) {
            tracing::debug!(class = ?error.class, "log-out failed");
        }
    }

    pub(in crate::remote) fn exposed(&self) -> Value {
        let exposed = self.credentials.iter();
        let exposed =
            exposed.map(|(name, secret)| (name.clone(), Value::from(secret.expose_secret())));
        Value::Object(exposed.collect())
    }
}

fn no_token() -> SystemError {
    SystemError::new(SystemErrorClass::Reauthorize, "there is no token for the system")
}
