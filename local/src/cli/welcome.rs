//! What a start prints.

use std::io::{self, Write};

use millwright_core::ExposeSecret;

use super::ServeOptions;
use crate::{Stack, bootstrap::Welcome};

/// Prints where the service is, and how to use it.
pub(super) fn print(
    url: &str,
    made: &Welcome,
    options: &ServeOptions,
    stack: &Stack,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "millwright is at {url} (documentation: {url}/docs)")?;
    match &made.key {
        Some(key) if options.api_key.is_none() => {
            writeln!(out, "API key, shown this once: {}", key.expose_secret())?;
        }
        Some(_) => writeln!(out, "API key: the one that was given")?,
        None => writeln!(
            out,
            "API key: the one that was shown at the first start; for a new one, stop this and run: \
             millwright key create --data {}",
            options.data.data.display()
        )?,
    }
    if let Some(key) = made.key.as_ref().filter(|_| made.first) {
        try_it(&mut out, url, key.expose_secret(), made.connection.as_str())?;
    }
    if options.verbose {
        writeln!(out, "AWS_ENDPOINT_URL_DYNAMODB={}", stack.dynamodb_url())?;
        writeln!(out, "AWS_ENDPOINT_URL_SQS={}", stack.sqs_url())?;
    }
    out.flush()
}

fn try_it(out: &mut impl Write, url: &str, key: &str, connection: &str) -> io::Result<()> {
    writeln!(out, "\nTry:")?;
    for path in ["/v1/purchase-orders?limit=3", "/v1/changes?limit=3", "/v1/sync-status"] {
        writeln!(
            out,
            "  curl -s '{url}{path}' -H 'Authorization: Bearer {key}' -H 'Connection-Id: {connection}'"
        )?;
    }
    Ok(())
}
