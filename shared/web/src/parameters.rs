//! The query parameters of every operation, held against the very document that publishes them: what
//! it does not name is refused, so that a parameter which asks for less than the request would do
//! (`dry_run=true`) is never passed over.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use millwright_core::{Error, ErrorCode, FieldError};
use utoipa::openapi::{
    OpenApi as Document, PathItem, RefOr,
    path::{Operation, ParameterIn, ParameterStyle},
};

use crate::{
    App,
    error::{ApiError, refused},
    extract::caller_of,
};

/// The query parameters that each operation takes.
#[derive(Clone, Debug)]
pub(crate) struct Known(Arc<HashMap<(Method, String), Names>>);

/// The names of an operation's query parameters.
#[derive(Debug, Default)]
struct Names {
    /// Those that are written so.
    plain: BTreeSet<String>,
    /// Those of objects, whose fields stand in brackets behind them (`filter[state]`). Which fields
    /// there are is the operation's to say.
    objects: BTreeSet<String>,
}

impl Names {
    fn take(&self, name: &str) -> bool {
        let object = name.strip_suffix(']').and_then(|name| name.split_once('['));
        self.plain.contains(name) || object.is_some_and(|(name, _)| self.objects.contains(name))
    }
}

impl Known {
    /// As the document says.
    pub(crate) fn of(document: &Document) -> Self {
        let of_path = |(path, item): (&String, &PathItem)| {
            let named = |(method, operation): (Method, Operation)| {
                ((method, path.clone()), names(&operation))
            };
            operations(item).into_iter().map(named).collect::<Vec<_>>()
        };
        Self(Arc::new(document.paths.paths.iter().flat_map(of_path).collect()))
    }

    /// The query's parameters that the operation does not take. None on a path or method that is no
    /// operation: the router refuses those.
    fn unknown(&self, method: &Method, path: &str, query: &str) -> BTreeSet<String> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        let Some(known) = self.0.get(&(method, path.to_owned())) else { return BTreeSet::new() };
        let given = url::form_urlencoded::parse(query.as_bytes());
        given.map(|(name, _)| name.into_owned()).filter(|name| !known.take(name)).collect()
    }
}

/// The operations of a path.
pub(crate) fn operations(item: &PathItem) -> Vec<(Method, Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, own)| Some((method, own.clone()?))).collect()
}

fn names(operation: &Operation) -> Names {
    let mut names = Names::default();
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(own) = parameter else { continue };
        if matches!(own.parameter_in, ParameterIn::Query) {
            let object = matches!(own.style, Some(ParameterStyle::DeepObject));
            let kind = if object { &mut names.objects } else { &mut names.plain };
            kind.insert(own.name.clone());
        }
    }
    names
}

/// Refuses a request with a query parameter that its operation does not take; under `/v1` only once
/// it is known who asks.
pub(crate) async fn parameters(
    State((app, known)): State<(App, Known)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if is_oauth(path) {
        return Ok(next.run(request).await);
    }
    let query = request.uri().query().unwrap_or_default();
    let unknown = known.unknown(request.method(), path, query);
    let Some(error) = refusal(&unknown) else { return Ok(next.run(request).await) };
    if path.starts_with("/v1/") {
        caller_of(&mut request.into_parts().0, &app).await?;
    }
    Err(error.into())
}

/// Whether a path is one of OAuth's, whose standards pass over unknown parameters (RFC 6749, 3.1 and
/// 3.2) and have their own form of errors.
fn is_oauth(path: &str) -> bool {
    ["/oauth/", "/.well-known/", "/link/authorize", "/auth/"]
        .iter()
        .any(|own| path.starts_with(own))
}

fn refusal(unknown: &BTreeSet<String>) -> Option<Error> {
    let says = "is not a known parameter";
    let field = |name: &String| FieldError::new(name, ErrorCode::InvalidRequest, says);
    let faults: Vec<FieldError> = unknown.iter().map(field).collect();
    (!faults.is_empty()).then(|| refused(faults))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    fn unknown(method: Method, path: &str, query: &str) -> Vec<String> {
        let known = Known::of(&routes::all().split_for_parts().1);
        known.unknown(&method, path, query).into_iter().collect()
    }

    #[test]
    fn a_write_does_not_pass_over_a_parameter() {
        let path = "/v1/purchase-orders";
        assert_eq!(unknown(Method::POST, path, "dryrun=true&limit=1"), ["dryrun", "limit"]);
        assert!(unknown(Method::POST, path, "dry_run=true").is_empty());
        assert_eq!(unknown(Method::DELETE, "/v1/connections/{id}", "x"), ["x"]);
        assert!(unknown(Method::POST, path, "").is_empty());
    }

    #[test]
    fn a_list_takes_the_parameters_of_its_document() {
        let path = "/v1/purchase-orders";
        for method in [Method::GET, Method::HEAD] {
            let query = "modified_after=x&cursor=&limit=1&filter[state:eq]=x&limti=2&sort[a]=b";
            assert_eq!(unknown(method, path, query), ["limti", "sort[a]"]);
        }
    }

    #[test]
    fn every_unknown_parameter_is_named_at_once() {
        let error = refusal(&["a".to_owned(), "b".to_owned()].into()).unwrap();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        let paths: Vec<&str> = error.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["a", "b"]);
    }
}
