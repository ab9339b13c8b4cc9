//! An operation on an entity's records: the route and what the document says of it, made together.

use axum::routing::{MethodRouter, on};
use http::Method;
use millwright_entities::Entity;
use utoipa::openapi::{
    Content, HttpMethod, PathItem, Paths, Ref, RefOr, Required, Response,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ObjectBuilder, Schema, Type},
};
use utoipa_axum::router::UtoipaMethodRouter;

use super::{OfEntity, words};
use crate::{App, openapi::DATA};

/// An operation on an entity's records.
pub(crate) struct RecordOperation {
    method: HttpMethod,
    path: String,
    document: OperationBuilder,
    handler: MethodRouter<App>,
}

/// What an operation is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The records.
    List,
    /// One record.
    Record,
    /// A step that one record can be taken by.
    Action,
}

impl Place {
    fn path(self) -> &'static str {
        match self {
            Self::List => "",
            Self::Record => "/{key}",
            Self::Action => "/{key}/actions/{name}",
        }
    }
}

impl RecordOperation {
    /// An operation. `id` names it for ever: callers' generated code is called so.
    pub(crate) fn new<H, T>(
        entity: &'static Entity,
        (method, place): (&Method, Place),
        id: &str,
        summary: &str,
        handler: H,
    ) -> Self
    where
        H: axum::handler::Handler<T, App>,
        T: 'static,
    {
        let (method, filter) = methods(method);
        let handler = on(filter, handler).route_layer(axum::Extension(OfEntity(entity)));
        let path = format!("/v1/{}{}", entity.slug, place.path());
        let document = Operation::builder().tag(DATA).operation_id(Some(id)).summary(Some(summary));
        let own = Self { method, path, document, handler };
        match place {
            Place::List => own,
            Place::Record => own.with_key(entity),
            Place::Action => own.with_key(entity).with_text_in_path("name", "The action's name."),
        }
    }

    /// What else there is to know.
    pub(crate) fn described(self, description: &str) -> Self {
        Self { document: self.document.description(Some(description)), ..self }
    }

    /// Parameters of its query.
    pub(crate) fn with_parameters(self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        let document = parameters.into_iter().fold(self.document, OperationBuilder::parameter);
        Self { document, ..self }
    }

    /// A JSON body of the component `schema`.
    pub(crate) fn with_body(self, schema: &str) -> Self {
        self.with_bodies(&["application/json"], schema)
    }

    /// A body of the component `schema`, of one of these types.
    pub(crate) fn with_bodies(self, types: &[&str], schema: &str) -> Self {
        self.with_body_that(Required::True, types, schema)
    }

    /// A JSON body of the component `schema`, or none.
    pub(crate) fn with_optional_body(self, schema: &str) -> Self {
        self.with_body_that(Required::False, &["application/json"], schema)
    }

    fn with_body_that(self, required: Required, types: &[&str], schema: &str) -> Self {
        let body = RequestBodyBuilder::new().required(Some(required));
        let body = types.iter().fold(body, |body, kind| body.content(*kind, content(schema)));
        Self { document: self.document.request_body(Some(RequestBody::from(body))), ..self }
    }

    /// An error that is this operation's own, beside those that all have.
    pub(crate) fn refusing(self, status: u16, description: &str) -> Self {
        self.answering(status, description, "ErrorAnswer")
    }

    /// An answer of the component `schema`.
    pub(crate) fn answering(self, status: u16, description: &str, schema: &str) -> Self {
        let response = Response::builder()
            .description(description)
            .content("application/json", content(schema))
            .build();
        Self { document: self.document.response(status.to_string(), response), ..self }
    }

    fn with_key(self, entity: &Entity) -> Self {
        self.with_text_in_path("key", &format!("The key of the {}.", words::one(entity)))
    }

    fn with_text_in_path(self, name: &str, description: &str) -> Self {
        let text = Schema::from(ObjectBuilder::new().schema_type(Type::String).build());
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(text));
        Self { document: self.document.parameter(parameter), ..self }
    }
}

impl From<RecordOperation> for UtoipaMethodRouter<App> {
    fn from(own: RecordOperation) -> Self {
        let item = PathItem::new(own.method, own.document);
        (Vec::new(), Paths::builder().path(own.path, item).build(), own.handler)
    }
}

fn content(schema: &str) -> Content {
    let reference = Ref::new(format!("#/components/schemas/{schema}"));
    Content::builder().schema(Some(RefOr::Ref(reference))).build()
}

/// The method as the document and as the router know it.
fn methods(method: &Method) -> (HttpMethod, axum::routing::MethodFilter) {
    use axum::routing::MethodFilter;
    match *method {
        Method::POST => (HttpMethod::Post, MethodFilter::POST),
        Method::PUT => (HttpMethod::Put, MethodFilter::PUT),
        Method::PATCH => (HttpMethod::Patch, MethodFilter::PATCH),
        Method::DELETE => (HttpMethod::Delete, MethodFilter::DELETE),
        _ => (HttpMethod::Get, MethodFilter::GET),
    }
}
