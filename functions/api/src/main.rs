//! The Lambda binary of `api`.

use lambda_http::{Error, run};
use millwright_core::{Clock, config::Environment};

#[tokio::main]
async fn main() -> Result<(), Error> {
    millwright_telemetry::init("api");
    let sdk = millwright_store::sdk_loader().load().await;
    let router = millwright_fn_api::router(&Environment, Clock::system(), &sdk).await?;
    run(router).await
}
