//! `/link/authorize`: an application's authorization request (RFC 6749, 4.1.1; RFC 7636).

use axum::{
    extract::{Query, RawQuery, State},
    response::Response,
};
use millwright_access::{
    Environment, get_workspace,
    oauth::{AuthorizationError, AuthorizationRequest, check_authorization},
};

use super::{
    Shown,
    brand::Brand,
    ends::{End, Ended},
    entry::{Opening, first_page},
    go_to,
    session::{NewSession, Purpose},
};
use crate::App;

/// Opens an authorization request.
pub(super) async fn open(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Query(opening): Query<Opening>,
) -> Shown {
    match check_authorization(&app.store, query.as_deref().unwrap_or_default()).await {
        Ok(request) => begin(&app, request, &opening).await,
        Err(error) => refused(&app, error),
    }
}

async fn begin(app: &App, request: AuthorizationRequest, opening: &Opening) -> Shown {
    let own = &request.application;
    let workspace = get_workspace(&app.store, &own.workspace).await?;
    let new = NewSession {
        workspace: own.workspace.clone(),
        brand: Brand::new(&own.name, own.logo_url.as_deref()),
        popup: opening.is_popup(),
        connectors: Vec::new(),
        sandbox: workspace.environment == Environment::Test,
        purpose: Purpose::Authorize(Box::new(request)),
    };
    first_page(app, new).await
}

/// Nobody is sent to an address that is not the application's own: then a page of ours tells
/// (RFC 6749, 4.1.2.1).
fn refused(app: &App, error: AuthorizationError) -> Result<Response, Ended> {
    let issuer = &app.settings.public_url;
    match (error.location(issuer), error) {
        (Some(location), _) => Ok(go_to(&location)),
        (None, AuthorizationError::Page(why)) => Err(Ended::from(End::BadRequest).saying(why)),
        (None, AuthorizationError::Internal(error)) => Err(error.into()),
        (None, AuthorizationError::Redirect { .. }) => Err(End::BadRequest.into()),
    }
}
