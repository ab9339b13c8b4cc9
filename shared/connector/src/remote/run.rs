//! A request from its making to its verdict: session, turn, sending, waiting, trying again.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use millwright_core::WallTime;
use millwright_outbound::{
    FailureClass, OutboundError, OverCap, Request as Outgoing, Response, Url,
};
use tokio::{
    sync::SemaphorePermit,
    time::{sleep, timeout},
};

use super::{
    Remote, answer,
    auth::{Proof, Session},
    gate::Pass,
    rate,
    redact::Redaction,
    unfit,
};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::Row,
    manifest::{Auth, Meaning, Operation},
    template::Scope,
};

/// How often a request is made again that the system could not do just then, or asked to repeat.
const AGAIN_MAX: u32 = 2;
/// The wait before the first of these; doubled for the next.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// When to come again where all places are taken for longer than a call waits.
const SEAT_WAIT: Duration = Duration::from_secs(3);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A request to be made.
pub(in crate::remote) struct Job<'a> {
    /// What it is for.
    pub operation: Operation,
    /// Whether its value is the `result` of a JSON-RPC call.
    pub call: bool,
    /// Makes it from what templates may name. It may be made several times.
    pub build: &'a (dyn Fn(Scope) -> Result<Outgoing, String> + Send + Sync),
}

/// How long a request may still wait for its turn.
pub(in crate::remote) struct Turn {
    patience: Duration,
}

impl Turn {
    pub(in crate::remote) fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

/// What came of a request.
pub(in crate::remote) struct Reply {
    pub response: Response,
    /// The URL that was asked for.
    pub url: Url,
    /// What the answer is by the manifest's rules.
    pub verdict: Result<Row, SystemError>,
    /// Whether a rule says to take it as empty.
    pub ignored: bool,
    pub redaction: Redaction,
}

impl Remote {
    /// Makes a request, logging in first where that is needed. When the system has ended the session
    /// it is made anew, once. Boxed: whoever asks need not carry what goes on inside.
    pub(in crate::remote) fn run<'a>(
        &'a self,
        job: &'a Job<'a>,
    ) -> BoxFuture<'a, Result<Reply, SystemError>> {
        Box::pin(self.with_session(job))
    }

    async fn with_session(&self, job: &Job<'_>) -> Result<Reply, SystemError> {
        let mut turn = Turn::new(self.manifest.limits.patience());
        let session = self.session(None, &mut turn).await?;
        let reply = self.attempt(job, session.as_deref(), &mut turn).await?;
        match (&session, &reply.verdict) {
            (Some(dead), Err(error)) if self.renews(error) => {
                let fresh: Option<Arc<Session>> = self.session(Some(dead), &mut turn).await?;
                if fresh.as_ref().is_some_and(|fresh| Arc::ptr_eq(fresh, dead)) {
                    return Ok(reply);
                }
                self.attempt(job, fresh.as_deref(), &mut turn).await
            }
            _ => Ok(reply),
        }
    }

    fn renews(&self, error: &SystemError) -> bool {
        let auth = &self.manifest.auth;
        error.class == SystemErrorClass::Reauthorize
            && (auth.login().is_some() || auth.oauth().is_some())
    }

    /// Makes a request with a session, and again where a token has ended or the system asks to wait
    /// for a moment.
    pub(in crate::remote) async fn attempt(
        &self,
        job: &Job<'_>,
        session: Option<&Session>,
        turn: &mut Turn,
    ) -> Result<Reply, SystemError> {
        let (mut again, mut token_renewed) = (0, false);
        loop {
            let (outgoing, redaction, with_token) = self.prepared(job, session, turn).await?;
            let url = outgoing.url.clone();
            let response = self.send(outgoing, job.operation, turn).await?;
            if let Some(jar) = session.and_then(|session| session.jar.as_ref()) {
                jar.keep(&response.headers, &url);
            }
            if with_token && !token_renewed && self.refuses_token(job.operation, &response) {
                if let Some(session) = session {
                    *session.csrf.lock().await = None;
                }
                token_renewed = true;
                continue;
            }
            let judged = self.judge(job, &response, &redaction).await;
            if again < AGAIN_MAX
                && let Some(wait) = turn.waits(&judged, again)
            {
                sleep(wait).await;
                again += 1;
                continue;
            }
            let (verdict, ignored) = (judged.verdict, judged.meaning == Some(Meaning::Ignore));
            return Ok(Reply { response, url, verdict, ignored, redaction });
        }
    }

    /// What an answer means; what it says about waiting is taken note of for everybody.
    async fn judge(
        &self,
        job: &Job<'_>,
        response: &Response,
        redaction: &Redaction,
    ) -> answer::Judged {
        let limits = &self.manifest.limits;
        let now = self.clock().wall();
        let told = rate::told(limits, &response.headers, now);
        let rules = &self.manifest.errors;
        let mut judged = answer::judge(rules, job, response, told.wait, redaction);
        let limited = judged.class() == Some(SystemErrorClass::RateLimited);
        if let Some(until) = told.used_up_until.filter(|_| limited) {
            judged.wait_if_untold(until.since(now).min(rate::HOLD_MAX));
        }
        let wait = if limited { Some(judged.wait().unwrap_or(rate::UNTOLD)) } else { None };
        let until: Option<WallTime> = wait.map(|wait| now + wait).max(told.used_up_until);
        if let Some(until) = until
            && let Some(gate) = self.gates.first()
        {
            gate.hold(until.min(now + rate::HOLD_MAX)).await;
        }
        judged
    }

    /// A request that can be sent, what must not be said of it, and whether it carries a token against
    /// forged requests.
    async fn prepared(
        &self,
        job: &Job<'_>,
        session: Option<&Session>,
        turn: &mut Turn,
    ) -> Result<(Outgoing, Redaction, bool), SystemError> {
        let mut redaction = Redaction::of(&self.credentials);
        if let Some(session) = session {
            redaction.add_session(&session.values);
            // Held only while it is being fetched: then there is none to hide.
            if let Ok(token) = session.csrf.try_lock() {
                redaction.add(&token.iter().cloned().collect::<Vec<_>>());
            }
        }
        let mut outgoing =
            (job.build)(self.base(session)?).map_err(|why| unfit(&redaction.clean(&why)))?;
        let auth = &self.manifest.auth;
        let mut proofs: Vec<Proof> =
            vec![self.proof(auth, session)?, self.cookies(session, &outgoing)?];
        let token = auth
            .csrf()
            .filter(|_| job.operation != Operation::Login && outgoing.method != http::Method::GET);
        if let (Some(csrf), Some(session)) = (token, session) {
            proofs.push(self.csrf_proof(csrf, session, turn).await?);
            // Fetching it may have set cookies.
            proofs[1] = self.cookies(Some(session), &outgoing)?;
        }
        proofs.iter().for_each(|proof| proof.put_into(&mut outgoing));
        if let Some(hmac) = signed(auth) {
            proofs.push(self.sign(hmac, session, &mut outgoing)?);
        }
        proofs.iter().for_each(|proof| redaction.add(proof.secrets()));
        let limits = &self.manifest.limits;
        outgoing.timeout = limits.timeout();
        outgoing.body_cap = limits.body_cap_bytes;
        outgoing.over_cap = OverCap::Fail;
        Ok((outgoing, redaction, token.is_some()))
    }

    async fn send(
        &self,
        outgoing: Outgoing,
        operation: Operation,
        turn: &mut Turn,
    ) -> Result<Response, SystemError> {
        let _turn = self.own_turn(turn).await?;
        let passes = self.enter(turn).await?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let sent = match passes.first() {
            Some(pass) => pass.keep(self.outbound.send(outgoing)).await,
            None => self.outbound.send(outgoing).await,
        };
        for pass in passes {
            pass.leave().await;
        }
        sent.map_err(|error| unanswered(&error, operation))
    }

    /// A place among the calls of this process.
    async fn own_turn(&self, turn: &mut Turn) -> Result<SemaphorePermit<'_>, SystemError> {
        let asked = self.clock().wall();
        let Ok(place) = timeout(turn.patience, self.kept.turns.acquire()).await else {
            return Err(not_yet(SEAT_WAIT));
        };
        turn.patience = turn.patience.saturating_sub(self.clock().wall().since(asked));
        place.map_err(|_| {
            SystemError::new(SystemErrorClass::Unreachable, "the connection is closed")
        })
    }

    /// A turn at each gate.
    async fn enter(&self, turn: &mut Turn) -> Result<Vec<Pass>, SystemError> {
        let mut passes = Vec::with_capacity(self.gates.len());
        for gate in &self.gates {
            match gate.enter(&mut turn.patience).await {
                Ok(pass) => passes.push(pass),
                Err(wait) => {
                    for pass in passes {
                        pass.leave().await;
                    }
                    return Err(not_yet(wait));
                }
            }
        }
        Ok(passes)
    }
}

impl Turn {
    /// How long to wait before the same request is made again; nothing when it should not be. What a
    /// rate limit asks for is waited out at the gate.
    fn waits(&self, judged: &answer::Judged, again: u32) -> Option<Duration> {
        if judged.meaning == Some(Meaning::Retry) {
            return Some(AGAIN_AFTER * 2_u32.pow(again)).filter(|wait| *wait <= self.patience);
        }
        let limited = judged.class() == Some(SystemErrorClass::RateLimited);
        let wait = judged.wait().filter(|wait| limited && *wait <= self.patience);
        wait.map(|_| Duration::ZERO)
    }
}

fn signed(auth: &Auth) -> Option<&crate::manifest::HmacAuth> {
    match auth {
        Auth::Hmac(hmac) => Some(hmac),
        Auth::Csrf(csrf) => signed(&csrf.over),
        _ => None,
    }
}

fn not_yet(wait: Duration) -> SystemError {
    let message = "the system may not be asked again yet: its limit is used up";
    let mut error = SystemError::new(SystemErrorClass::RateLimited, message);
    error.retry_after = Some(wait);
    error
}

pub(crate) fn unanswered(error: &OutboundError, operation: Operation) -> SystemError {
    tracing::debug!(class = error.class.as_str(), detail = error.detail(), "no usable answer");
    let class = match error.class {
        FailureClass::TooLarge | FailureClass::Malformed => SystemErrorClass::Malformed,
        _ => SystemErrorClass::Unreachable,
    };
    let mut system_error = SystemError::new(class, error.to_string());
    system_error.failure = Some(error.class);
    system_error.sent = operation == Operation::Write && error.sent();
    system_error
}
