//! The hop that is left out: the functions' AWS clients hand their requests to tables and queues of the
//! same process.
//!
//! The clients are the SDK's own, and what they write and read is what would go over the wire. Only the
//! sockets are not there, and the signatures. Whoever is outside the process uses the endpoints.

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use axum::http::{Uri, uri::Authority};

use crate::{
    dynamo::server::{self, Server},
    sqs::{http as queues, worker::Worker},
};

/// Tables and queues as a client of the SDK reaches them. It has no other place to go.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    tables: Server,
    queues: Worker,
}

impl Near {
    pub(crate) fn new(tables: Server, queues: Worker) -> Self {
        Self { tables, queues }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get(queues::TARGET).unwrap_or_default();
        // What tables and queues are asked is never a stream.
        let body = request.body().bytes().unwrap_or_default();
        if target.starts_with(server::TARGET) {
            let (status, body) = self.tables.answer(target, body).await;
            return response(status.as_u16(), body.into());
        }
        if target.starts_with(queues::SERVICE) {
            let uri: Uri = request.uri().parse().unwrap_or_default();
            let host = uri.authority().map(Authority::as_str).unwrap_or_default();
            let answer = queues::call(&self.queues, host, target, body).await;
            let mut answered = response(answer.status.as_u16(), answer.body.into())?;
            if let Some(error) = answer.query_error {
                answered.headers_mut().try_insert(queues::QUERY_ERROR, error).map_err(foreign)?;
            }
            return Ok(answered);
        }
        Err(foreign("this machine has no such service"))
    }
}

fn response(status: u16, body: SdkBody) -> Result<HttpResponse, ConnectorError> {
    Ok(HttpResponse::new(StatusCode::try_from(status).map_err(foreign)?, body))
}

fn foreign(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

impl HttpConnector for Near {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let near = self.clone();
        HttpConnectorFuture::new(async move { near.answer(request).await })
    }
}

impl HttpClient for Near {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
