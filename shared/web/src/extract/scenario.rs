//! `Millwright-Scenario`: how a sandbox is to behave for one request.

use http::{HeaderMap, HeaderName};
use millwright_connection::Connection;
use millwright_connector::Scenario;
use millwright_core::{Error, ErrorCode, Result};

use crate::{App, routes::sandbox_manifest};

/// Names the scenario of a request about a sandbox' data.
pub(crate) const SCENARIO: HeaderName = HeaderName::from_static("millwright-scenario");

/// The connection as the request asks to find it. Any other than a sandbox cannot be asked.
pub(super) fn as_asked(
    app: &App,
    headers: &HeaderMap,
    connection: Connection,
) -> Result<Connection> {
    let Some(scenario) = asked(headers)? else { return Ok(connection) };
    if sandbox_manifest(app, &connection).is_none() {
        let message = "the header Millwright-Scenario is for connections of the connector sandbox";
        return Err(Error::new(ErrorCode::InvalidRequest, message));
    }
    Ok(Connection { scenario: Some(scenario), ..connection })
}

fn asked(headers: &HeaderMap) -> Result<Option<Scenario>> {
    let mut values = headers.get_all(&SCENARIO).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Err(unfit("may be given once")),
    };
    match value.parse() {
        Ok(Scenario::Changes(_)) => Err(unfit("cannot name changes: a single request sees none")),
        Ok(scenario) => Ok(Some(scenario)),
        Err(why) => Err(unfit(&why)),
    }
}

fn unfit(why: &str) -> Error {
    let message = format!("the header Millwright-Scenario {why}");
    Error::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<Scenario>> {
        let header = |value: &&str| (SCENARIO, value.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in values.iter().map(header) {
            headers.append(name, value);
        }
        asked(&headers)
    }

    #[test]
    fn a_request_names_one_scenario_or_none() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["500"]).unwrap(), Some(Scenario::Status(500)));
        for wrong in [&["unicorn"][..], &[""], &["slow", "slow"], &["changes-30s"]] {
            assert_eq!(read(wrong).unwrap_err().code, ErrorCode::InvalidRequest, "{wrong:?}");
        }
        assert!(read(&["unicorn"]).unwrap_err().message.contains("permission-denied"));
    }
}
