//! What every page has around it: title, header, styles, and the headers that keep it safe.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use super::brand::Brand;

/// How often a page that shows progress is asked for again where no script runs.
const REFRESH_SECONDS: u32 = 5;

/// A page to be shown.
pub(super) struct Page<'a> {
    title: String,
    body: Markup,
    brand: Option<&'a Brand>,
    status: StatusCode,
    step: Option<Step>,
    script: bool,
    refresh: bool,
    styles: Option<String>,
}

/// The steps of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Which kind of system.
    Choose,
    /// Where it is, and how to log in.
    Enter,
    /// It is connected.
    Done,
}

impl Step {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Choose, "Choose"), (Self::Enter, "Log in"), (Self::Done, "Connected")];
}

impl<'a> Page<'a> {
    /// A page with a title, which is its heading too.
    pub fn new(title: impl Into<String>, body: Markup) -> Self {
        Self {
            title: title.into(),
            body,
            brand: None,
            status: StatusCode::OK,
            step: None,
            script: false,
            refresh: false,
            styles: None,
        }
    }

    /// The same with a name and a logo above it.
    pub fn of(mut self, brand: Option<&'a Brand>) -> Self {
        self.brand = brand;
        self
    }

    /// The same with another status.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same as one of the steps.
    pub fn step(mut self, step: Step) -> Self {
        self.step = Some(step);
        self
    }

    /// The same with our script, which it must do without as well.
    pub fn with_script(mut self) -> Self {
        self.script = true;
        self
    }

    /// The same, asked for again every few seconds where no script runs.
    pub fn refreshed(mut self) -> Self {
        self.refresh = true;
        self
    }

    /// The same with more styles, from this path under `/link`.
    pub fn styled(mut self, path: String) -> Self {
        self.styles = Some(path);
        self
    }

    /// The answer. `base` is the path under which all pages are.
    pub fn respond(self, base: &str) -> Response {
        let policy = self.policy();
        let html = self.document(base).into_string();
        let mut response = (self.status, html).into_response();
        let headers = response.headers_mut();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, html);
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
        // The origin of a logo is the only thing in it that is not ours, and origins are ASCII.
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }

    /// What the browser may load and do (Content Security Policy, level 3). Forms go to ourselves, and
    /// nothing that leaves us follows a form: Chromium holds redirects after one against `form-action`.
    fn policy(&self) -> String {
        let logo = self.brand.and_then(Brand::logo_origin);
        let images = logo.map(|origin| format!("; img-src {origin}")).unwrap_or_default();
        let script = if self.script { "; script-src 'self'; connect-src 'self'" } else { "" };
        format!(
            "default-src 'none'; style-src 'self'{script}{images}; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'"
        )
    }

    fn document(&self, base: &str) -> Markup {
        let title = match self.brand {
            Some(brand) => format!("{} – {}", self.title, brand.name),
            None => self.title.clone(),
        };
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    link rel="stylesheet" href={ (base) "/assets/link.css" };
                    @if let Some(path) = &self.styles {
                        link rel="stylesheet" href={ (base) (path) };
                    }
                    @if self.script { script src={ (base) "/assets/link.js" } defer {} }
                    @if self.refresh {
                        noscript { meta http-equiv="refresh" content=(REFRESH_SECONDS); }
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (self.header())
                    main #content tabindex="-1" {
                        @if let Some(step) = self.step { (steps(step)) }
                        h1 { (self.title) }
                        (self.body)
                    }
                    @if self.step.is_some() {
                        footer {
                            p { "What you enter is kept encrypted, and is used for this connection only." }
                        }
                    }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header {
                @match self.brand {
                    Some(brand) => {
                        @if let Some(logo) = &brand.logo {
                            img.logo src=(logo) alt="" referrerpolicy="no-referrer";
                        }
                        p.brand { (brand.name) }
                    }
                    None => p.brand { "Millwright" },
                }
            }
        }
    }
}

/// Where one is.
fn steps(now: Step) -> Markup {
    html! {
        ol.steps aria-label="Steps" {
            @for (step, name) in Step::ALL {
                @let current = (step == now).then_some("step");
                li.done[step < now] aria-current=[current] {
                    (name)
                    @if step < now { span.hidden { " (done)" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(page: Page<'_>) -> String {
        let response = page.respond("/link");
        response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_page_runs_no_script_and_shows_no_image_unless_it_needs_to() {
        let plain = policy(Page::new("x", html! {}));
        assert!(plain.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"));
        assert!(!plain.contains("script-src") && !plain.contains("img-src"), "{plain}");
        let brand = Brand::new("Acme", Some("https://cdn.acme.example/logo.png"));
        let branded = policy(Page::new("x", html! {}).of(Some(&brand)).with_script());
        assert!(branded.contains("img-src https://cdn.acme.example;"), "{branded}");
        assert!(branded.contains("script-src 'self';"), "{branded}");
    }

    #[test]
    fn a_name_is_shown_as_text_whatever_it_holds() {
        let brand = Brand::new("<script>alert(1)</script>", None);
        let page = Page::new("<b>", html! {}).of(Some(&brand)).document("/link").into_string();
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }
}
