//! A body held against the very schema that the OpenAPI document publishes for it, so that the two
//! cannot disagree and all faults are found, not only the first.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use jsonschema::{
    JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
    paths::{Location, LocationSegment},
};
use millwright_core::{Error, ErrorCode, FieldError};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The validators that have been needed, by body type: making one takes about a millisecond.
static VALIDATORS: LazyLock<RwLock<HashMap<TypeId, Arc<Validator>>>> =
    LazyLock::new(RwLock::default);

/// All that is wrong with `value` as a `T`.
pub(super) fn faults<T: ToSchema + 'static>(value: &Value) -> Result<Vec<FieldError>, Error> {
    let validator = validator::<T>()?;
    let mut faults = Vec::new();
    for error in validator.iter_errors(value) {
        collect(&error, &mut faults);
    }
    Ok(faults)
}

fn validator<T: ToSchema + 'static>() -> Result<Arc<Validator>, Error> {
    let id = TypeId::of::<T>();
    let known = VALIDATORS.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    if let Some(validator) = known {
        return Ok(validator);
    }
    let made = jsonschema::draft202012::new(&schema::<T>()?);
    let made = Arc::new(made.map_err(|error| Error::internal(error.to_string()))?);
    let mut validators = VALIDATORS.write().unwrap_or_else(PoisonError::into_inner);
    Ok(Arc::clone(validators.entry(id).or_insert(made)))
}

/// The type's schema with the ones it refers to, where references of an OpenAPI document find them.
fn schema<T: ToSchema>() -> Result<Value, Error> {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    let parts: HashMap<_, _> = parts.into_iter().collect();
    let own = serde_json::to_value(T::schema()).map_err(Error::internal)?;
    let parts = serde_json::to_value(parts).map_err(Error::internal)?;
    Ok(json!({ "allOf": [own], "components": { "schemas": parts } }))
}

/// Adds what `error` says, field by field; where a value may be one of several things, what keeps it
/// from being the thing it comes nearest to.
fn collect(error: &ValidationError<'_>, faults: &mut Vec<FieldError>) {
    let at = error.instance_path();
    let mut add = |path, code, message: String| faults.push(FieldError::new(path, code, message));
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            add(path(at, Some(name)), ErrorCode::FieldRequired, "is required".to_owned());
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                let message = "is not a known field".to_owned();
                add(path(at, Some(name)), ErrorCode::ValidationFailed, message);
            }
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            if let Some(kinds) = all_types(at, context) {
                let message = format!("must be {}", listed_types(&kinds));
                return add(path(at, None), ErrorCode::ValidationFailed, message);
            }
            match nearest(context) {
                Some(branch) => branch.iter().for_each(|error| collect(error, faults)),
                None => add(path(at, None), ErrorCode::ValidationFailed, sentence(error)),
            }
        }
        _ => add(path(at, None), ErrorCode::ValidationFailed, sentence(error)),
    }
}

/// The types that the value may have, where having none of them is all that is wrong; null last.
fn all_types(at: &Location, context: &[Vec<ValidationError<'static>>]) -> Option<Vec<JsonType>> {
    let sole_type = |branch: &Vec<ValidationError<'static>>| match branch.as_slice() {
        [sole] if sole.instance_path() == at => match sole.kind() {
            ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => Some(*kind),
            _ => None,
        },
        _ => None,
    };
    let mut kinds: Vec<JsonType> = context.iter().map(sole_type).collect::<Option<_>>()?;
    kinds.sort_by_key(|kind| *kind == JsonType::Null);
    (!kinds.is_empty()).then_some(kinds)
}

fn listed_types(kinds: &[JsonType]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| type_word(*kind)).collect();
    words.join(" or ")
}

/// The branch that fails deepest inside the value: the others fail at its very type.
fn nearest<'a>(
    context: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a [ValidationError<'static>]> {
    let is_type =
        |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Type { .. });
    let depth = |errors: &&Vec<ValidationError<'static>>| {
        let deepest = errors.iter().map(|e| e.instance_path().as_str().len()).max();
        (deepest, errors.iter().all(|error| !is_type(error)))
    };
    context.iter().max_by_key(depth).map(Vec::as_slice).filter(|branch| !branch.is_empty())
}

/// What is wrong, without the value itself: it may be a secret.
fn sentence(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Type { kind } => format!("must be {}", type_words(kind)),
        ValidationErrorKind::Enum { options } => format!("must be one of {}", listed(options)),
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}"),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => {
            format!("must have at least {limit} characters")
        }
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        ValidationErrorKind::Format { format } => format!("must be a valid {format}"),
        kind => format!("is not valid ({})", kind.keyword()),
    }
}

fn listed(options: &Value) -> String {
    let word = |option: &Value| option.as_str().map_or_else(|| option.to_string(), str::to_owned);
    let words: Vec<String> = options.as_array().into_iter().flatten().map(word).collect();
    words.join(", ")
}

fn type_words(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => type_word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let words: Vec<&str> = kinds.iter().map(type_word).collect();
            words.join(" or ")
        }
    }
}

fn type_word(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "text",
    }
}

/// `lineItems[0].quantity`; `body` for the body itself.
fn path(at: &Location, more: Option<&str>) -> String {
    let mut path = String::new();
    for segment in at {
        match segment {
            LocationSegment::Property(name) => push_name(&mut path, &name),
            LocationSegment::Index(place) => path.push_str(&format!("[{place}]")),
        }
    }
    if let Some(name) = more {
        push_name(&mut path, name);
    }
    if path.is_empty() { "body".to_owned() } else { path }
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}
