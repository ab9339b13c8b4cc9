//! The fields of a connector's form.

use maud::{Markup, html};
use millwright_connector::manifest::{FieldKind, Form, FormField};
use millwright_core::FieldError;
use serde_json::{Map, Value};

use super::assets::only_where;

/// A part of a form as it is shown.
pub(super) struct Part<'a> {
    /// `settings` or `credentials`.
    pub prefix: &'static str,
    /// Its fields.
    pub form: &'a Form,
    /// The settings' form.
    pub beside: &'a Form,
    /// What stands in them.
    pub filled: &'a Map<String, Value>,
    /// What is wrong with them.
    pub faults: &'a [FieldError],
}

impl Part<'_> {
    /// All of its fields.
    pub fn fields(&self) -> Markup {
        html! {
            @for field in self.form.fields() {
                div.field data-field={ (self.prefix) "." (field.name) } {
                    (self.field(field))
                }
            }
        }
    }

    fn field(&self, field: &FormField) -> Markup {
        let id = id_of(self.prefix, &field.name);
        let fault = self.fault(field);
        let help = field.help.as_deref();
        let range = range_of(field);
        let described = [
            (help.is_some(), "help"),
            (field.example.is_some(), "example"),
            (range.is_some(), "range"),
            (fault.is_some(), "error"),
        ];
        let described: Vec<String> = described
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, what)| format!("{id}-{what}"))
            .collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        let input = self.input(field, &id, described.as_deref(), fault.is_some());
        html! {
            @if field.kind == FieldKind::Boolean {
                div.tick { (input) label for=(id) { (field.title) } }
            } @else {
                label for=(id) {
                    (field.title)
                    @if field.required { span.required { " (required)" } }
                    @else { span.optional { " (optional)" } }
                }
            }
            @if let Some(words) = only_where(self.form, self.beside, field) { p.hint.only { (words) } }
            @if let Some(help) = help { (steps_of(help, &format!("{id}-help"))) }
            @if let Some(fault) = fault {
                p.error id={ (id) "-error" } { span.hidden { "Error: " } (fault) }
            }
            @if field.kind != FieldKind::Boolean { (input) }
            @if let Some(range) = range { p.hint id={ (id) "-range" } { (range) } }
            @if let Some(example) = &field.example {
                p.hint id={ (id) "-example" } { "For example: " code { (example) } }
            }
        }
    }

    fn input(&self, field: &FormField, id: &str, described: Option<&str>, faulty: bool) -> Markup {
        let name = format!("{}.{}", self.prefix, field.name);
        let value = self.filled.get(&field.name).or(field.default.as_ref());
        let text = value.map(text_of).unwrap_or_default();
        let invalid = faulty.then_some("true");
        let (kind, mode, autocomplete) = kinds(field);
        // Browsers keep what is entered as a secret neither in the form nor in their store.
        let text = if field.kind == FieldKind::Secret { String::new() } else { text };
        html! {
            @match field.kind {
                FieldKind::Boolean => {
                    input id=(id) name=(name) type="checkbox" value="true"
                        checked[value == Some(&Value::Bool(true))]
                        aria-describedby=[described] aria-invalid=[invalid];
                }
                FieldKind::Enum => {
                    select id=(id) name=(name) required[field.required] autocomplete="off"
                        aria-describedby=[described] aria-invalid=[invalid] {
                        @if text.is_empty() { option value="" { "Choose one" } }
                        @for option in &field.options {
                            option value=(option) selected[*option == text] { (option) }
                        }
                    }
                }
                _ => {
                    input id=(id) name=(name) type=(kind) inputmode=[mode] value=(text)
                        required[field.required] autocomplete=(autocomplete) autocapitalize="none"
                        spellcheck="false" maxlength="4000"
                        aria-describedby=[described] aria-invalid=[invalid];
                }
            }
        }
    }

    /// What is wrong with a field.
    fn fault(&self, field: &FormField) -> Option<String> {
        let path = format!("{}.{}", self.prefix, field.name);
        let found = self.faults.iter().find(|fault| fault.path == path)?;
        Some(format!("{} {}", field.title, found.message))
    }

    /// The faults with the ids of their fields, in the form's order.
    pub fn summary(&self) -> Vec<(String, String)> {
        let of = |field: &FormField| Some((id_of(self.prefix, &field.name), self.fault(field)?));
        self.form.fields().iter().filter_map(of).collect()
    }
}

fn id_of(prefix: &str, name: &str) -> String {
    format!("{prefix}-{name}")
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An input's type, the keyboard that a phone shows, and what browsers may fill in by themselves.
fn kinds(field: &FormField) -> (&'static str, Option<&'static str>, &'static str) {
    match field.kind {
        FieldKind::Url => ("url", Some("url"), "url"),
        FieldKind::Secret => ("password", None, "off"),
        FieldKind::Integer => ("text", Some("numeric"), "off"),
        _ if field.name.contains("user") => ("text", None, "username"),
        _ => ("text", None, "off"),
    }
}

fn range_of(field: &FormField) -> Option<String> {
    match (field.kind, field.minimum, field.maximum) {
        (FieldKind::Integer, Some(least), Some(most)) => Some(format!("From {least} to {most}.")),
        _ => None,
    }
}

/// Help of several lines is a list of steps.
fn steps_of(help: &str, id: &str) -> Markup {
    let lines: Vec<&str> = help.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    html! {
        @match lines.as_slice() {
            [] => {}
            [one] => p.hint id=(id) { (marked(one)) },
            several => ol.hint id=(id) { @for line in several { li { (marked(line)) } } },
        }
    }
}

/// Text in which what stands between backticks is to be typed as it is.
fn marked(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use millwright_connector::Catalog;
    use millwright_core::ErrorCode;
    use serde_json::json;

    use super::*;

    fn shown(connector: &str, filled: Value, faults: &[FieldError]) -> String {
        let manifest = Catalog::builtin().get(connector).cloned().unwrap();
        let filled = filled.as_object().unwrap().clone();
        let beside = &manifest.settings;
        let part = |prefix, form| {
            Part { prefix, form, beside, filled: &filled, faults }.fields().into_string()
        };
        part("settings", &manifest.settings) + &part("credentials", &manifest.credentials)
    }

    #[test]
    fn what_was_entered_is_shown_again_as_text_and_secrets_are_not() {
        let attack = "\"><script>alert(1)</script>";
        let page = shown("tryton", json!({ "url": attack, "password": "hunter2" }), &[]);
        assert!(page.contains("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("hunter2"), "{page}");
    }

    #[test]
    fn a_fault_is_said_beside_its_field_and_tied_to_it() {
        let fault = FieldError::new("settings.url", ErrorCode::FieldRequired, "is required");
        let page = shown("tryton", json!({}), &[fault]);
        assert!(page.contains("Server address is required"), "{page}");
        let tied = "aria-describedby=\"settings-url-help settings-url-example settings-url-error\"";
        assert!(page.contains(tied) && page.contains("aria-invalid=\"true\""), "{page}");
    }

    #[test]
    fn help_of_several_lines_is_a_list_of_steps() {
        let steps = steps_of("First.\nThen.\n", "x").into_string();
        assert_eq!(steps, "<ol class=\"hint\" id=\"x\"><li>First.</li><li>Then.</li></ol>");
        let typed = steps_of("Enter `<ok>`.", "x").into_string();
        assert_eq!(typed, "<p class=\"hint\" id=\"x\">Enter <code>&lt;ok&gt;</code>.</p>");
    }
}
