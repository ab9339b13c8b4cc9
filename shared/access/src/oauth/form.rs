//! The parameters of a request.

use std::collections::BTreeMap;

use super::{OauthCode, OauthError};
use crate::Scope;

/// Parameters, each given once (RFC 6749, 3.1 and 3.2). One without a value counts as not given, and
/// one that nobody knows is passed over.
#[derive(Clone)]
pub struct Form(BTreeMap<String, String>);

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values are secrets.
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Form {
    /// Reads a query, or a body of `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// `invalid_request` when a parameter is given twice.
    pub fn read(text: &[u8]) -> Result<Self, OauthError> {
        let mut form = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if form.insert(name.into_owned(), value.into_owned()).is_some() {
                let description = "a parameter is given twice";
                return Err(OauthError::refused(OauthCode::InvalidRequest, description));
            }
        }
        form.retain(|_, value| !value.is_empty());
        Ok(Self(form))
    }

    /// Reads parameters as far as they are given once: to find out where an error may be told.
    pub(crate) fn read_loosely(text: &[u8]) -> Self {
        let mut form: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            let value = value.into_owned();
            form.entry(name.into_owned())
                .and_modify(|before| *before = None)
                .or_insert(Some(value));
        }
        Self(form.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// A parameter's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request`, which says `missing`, when it is not.
    pub fn required(&self, name: &str, missing: &'static str) -> Result<&str, OauthError> {
        self.get(name).ok_or(OauthError::refused(OauthCode::InvalidRequest, missing))
    }
}

/// The scopes that are asked for: all of `own` when none is named. One that this server does not know
/// is passed over, as RFC 6749, 3.3, allows: many libraries ask for `openid` without being told to.
///
/// # Errors
/// `invalid_scope` for one that exists and is not among `own`.
pub(crate) fn asked_scopes(asked: Option<&str>, own: &[Scope]) -> Result<Vec<Scope>, OauthError> {
    let Some(asked) = asked else { return Ok(own.to_vec()) };
    let refused =
        || OauthError::refused(OauthCode::InvalidScope, "the application has no such scope");
    let mut scopes = Vec::new();
    for scope in asked.split(' ').filter_map(Scope::named) {
        if !own.contains(&scope) {
            return Err(refused());
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_given_once_and_an_empty_one_is_none() {
        let form = Form::read(b"a=1&b=&c=x+y%2B").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), None, Some("x y+")));
        let twice = Form::read(b"a=1&a=1").unwrap_err();
        assert_eq!(twice.code(), OauthCode::InvalidRequest);
        assert_eq!(Form::read_loosely(b"a=1&a=1&b=2").get("a"), None);
        assert_eq!(Form::read_loosely(b"a=1&a=1&b=2").get("b"), Some("2"));
    }

    #[test]
    fn values_are_not_printed() {
        let form = Form::read(b"client_secret=planted").unwrap();
        assert!(!format!("{form:?}").contains("planted"));
    }

    #[test]
    fn no_more_scopes_are_given_than_the_application_has() {
        let own = [Scope::Passthrough];
        assert_eq!(asked_scopes(None, &own).unwrap(), own);
        assert_eq!(asked_scopes(Some("passthrough passthrough"), &own).unwrap(), own);
        let refused = asked_scopes(Some("openid passthrough"), &[]).unwrap_err();
        assert_eq!(refused.code(), OauthCode::InvalidScope);
        assert!(asked_scopes(Some("openid admin"), &own).unwrap().is_empty());
    }
}
