//! Pages on which nothing can be done any more, and what they say.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::html;
use millwright_connection::link::LinkState;
use millwright_core::{Error, ErrorCode};

use super::{brand::Brand, session::NoVisit, shell::Page};

/// Why there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// No link has this address.
    Unknown,
    /// The link's time is up.
    Expired,
    /// The link has done its work.
    Spent,
    /// The workspace took the link back.
    Revoked,
    /// Another browser began it, or this one keeps no cookies.
    Foreign,
    /// It was begun too long ago.
    Over,
    /// A form without the token of its page.
    Forged,
    /// The same form is being tried just now.
    Busy,
    /// The same form has already succeeded.
    Repeated,
    /// The application asks in a way that cannot be answered.
    BadRequest,
    /// What was sent is too long.
    TooLarge,
    /// Systems of this kind cannot be connected here.
    NotOffered,
    /// It was our fault.
    Broken,
}

impl End {
    /// Status, title, what happened, and what to do.
    pub const fn text(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "This link is not known",
                "There is nothing at this address. Perhaps the link has done its work, or was not \
                 copied whole.",
                "Open the link again from where you got it, or ask for a new one.",
            ),
            Self::Expired => (
                StatusCode::GONE,
                "This link has expired",
                "A link can be used for a limited time only, and this one's is over.",
                "Ask whoever sent it to you for a new one.",
            ),
            Self::Spent => (
                StatusCode::GONE,
                "This link has been used",
                "The system was connected with it, so it has done its work. The connection stays.",
                "There is nothing more to do. You can close this window.",
            ),
            Self::Revoked => (
                StatusCode::GONE,
                "This link was withdrawn",
                "Whoever made it has taken it back.",
                "If you still want to connect a system, ask for a new one.",
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "This page belongs to another browser",
                "What was begun in one browser can only be finished there. Or this browser keeps \
                 no cookies, which this page needs.",
                "Open the link that you were given once more in this browser.",
            ),
            Self::Over => (
                StatusCode::GONE,
                "You were away for too long",
                "For your safety, what was begun is forgotten after two hours.",
                "Go back to where you came from, and begin again.",
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "This form was not sent from its page",
                "What was sent does not carry the mark of the page that it should come from, so \
                 nothing was done with it.",
                "Go back to the page, and send the form from there.",
            ),
            Self::Busy => (
                StatusCode::CONFLICT,
                "Your entries are being checked",
                "The form was sent twice. The first one is being tried at this moment.",
                "Wait a few seconds, then go on.",
            ),
            Self::Repeated => (
                StatusCode::CONFLICT,
                "This form was already sent",
                "It has succeeded before: the system is connected. Nothing was done a second time.",
                "Go on to see how far the first load is.",
            ),
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "The application's request cannot be answered",
                "The application that sent you here did not ask in the way it must.",
                "Tell the people who run it. There is nothing that you can do about it here.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "That was too much",
                "What was entered is longer than what can be taken.",
                "Go back, and enter less.",
            ),
            Self::NotOffered => (
                StatusCode::NOT_FOUND,
                "This system is not offered here",
                "It is not known, or it is not among the systems that can be connected here.",
                "Go back, and choose another one.",
            ),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on our side",
                "It was not your fault, and it has been noted.",
                "Try again in a moment.",
            ),
        }
    }
}

/// A page on which nothing can be done any more.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    end: End,
    brand: Option<Brand>,
    detail: Option<String>,
    /// Where one can go on, and what that is called.
    onward: Option<(String, &'static str)>,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self { end, brand: None, detail: None, onward: None }
    }
}

impl Ended {
    /// The same with a name above it.
    pub fn of(mut self, brand: &Brand) -> Self {
        self.brand = Some(brand.clone());
        self
    }

    /// The same with a sentence of detail.
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same with a way onward.
    pub fn onward(mut self, address: String, words: &'static str) -> Self {
        self.onward = Some((address, words));
        self
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        let end = match error.code {
            ErrorCode::NotFound => End::Unknown,
            ErrorCode::PayloadTooLarge => End::TooLarge,
            ErrorCode::InvalidRequest => End::BadRequest,
            _ => {
                tracing::error!(%error, "page failed");
                End::Broken
            }
        };
        end.into()
    }
}

impl From<millwright_store::StoreError> for Ended {
    fn from(error: millwright_store::StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<NoVisit> for Ended {
    fn from(none: NoVisit) -> Self {
        match none {
            NoVisit::Foreign => End::Foreign.into(),
            NoVisit::Over => End::Over.into(),
        }
    }
}

/// Why a link that was found opens nothing; nothing when it does.
pub(super) const fn of_link(state: LinkState) -> Option<End> {
    match state {
        LinkState::Open => None,
        LinkState::Spent => Some(End::Spent),
        LinkState::Expired => Some(End::Expired),
        LinkState::Revoked => Some(End::Revoked),
    }
}

impl IntoResponse for Ended {
    /// Travels in the response until it is shown where the pages' address is known.
    fn into_response(self) -> Response {
        let mut response = self.end.text().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl Ended {
    /// Its page.
    pub fn page(&self, base: &str) -> Response {
        let (status, title, what, remedy) = self.end.text();
        let body = html! {
            p.lead { (what) }
            @if let Some(detail) = &self.detail { p.detail { (detail) } }
            p { (remedy) }
            @if let Some((address, words)) = &self.onward {
                p.actions { a.button href=(address) { (words) } }
            }
        };
        Page::new(title, body).of(self.brand.as_ref()).status(status).respond(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_a_status_and_words_of_its_own() {
        let ends = [
            (End::Unknown, 404),
            (End::Expired, 410),
            (End::Spent, 410),
            (End::Revoked, 410),
            (End::Foreign, 403),
            (End::Over, 410),
            (End::Forged, 403),
            (End::Busy, 409),
            (End::Repeated, 409),
            (End::BadRequest, 400),
            (End::TooLarge, 413),
            (End::NotOffered, 404),
            (End::Broken, 500),
        ];
        let titles: std::collections::BTreeSet<&str> =
            ends.iter().map(|(end, _)| end.text().1).collect();
        assert_eq!(titles.len(), ends.len());
        for (end, status) in ends {
            assert_eq!(end.text().0.as_u16(), status, "{end:?}");
        }
    }

    #[test]
    fn our_own_faults_tell_nothing_of_their_cause() {
        let ended = Ended::from(Error::internal("password=hunter2"));
        assert_eq!((ended.end, ended.detail), (End::Broken, None));
    }
}
