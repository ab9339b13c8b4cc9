//! `/docs`: Swagger UI over our own document, from files inside the program. It fetches nothing from
//! elsewhere, so it works without the internet.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, header};
use millwright_core::{Error, ErrorCode};
use utoipa_swagger_ui::Config;

use crate::{App, error::Answer};

/// Scripts from here alone; the page styles itself inline and its icons are `data:` images.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The document relative to the page, so that a path before both does no harm; no badge of an outside
/// validator.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(Config::from("openapi.json").validator_url("none").use_base_layout())
});

/// The page and its files.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/docs", get(page))
        .route("/docs/", get(async || axum::response::Redirect::permanent("../docs")))
        .route("/docs/{file}", get(file))
}

/// The page lies at `/docs`, so what it asks for lies below `docs/`.
async fn page() -> Answer<Response> {
    let page = asset("index.html")?;
    let page = String::from_utf8_lossy(&page.bytes).replace("\"./", "\"");
    let page = page.replace("href=\"", "href=\"docs/").replace("src=\"", "src=\"docs/");
    Ok(with_headers("text/html; charset=utf-8", "no-cache", page.into_response()))
}

async fn file(Path(name): Path<String>) -> Answer<Response> {
    let asset = asset(&name)?;
    let gzipped = asset.gzpipped;
    let body = asset.bytes.into_owned().into_response();
    let mut response = with_headers(&asset.content_type, "public, max-age=3600", body);
    if gzipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn asset(name: &str) -> Result<utoipa_swagger_ui::SwaggerFile<'static>, Error> {
    let found = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG));
    let found = found.map_err(|error| Error::internal(error.to_string()))?;
    found.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such path"))
}

fn with_headers(content_type: &str, caching: &'static str, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
