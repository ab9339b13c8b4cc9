//! The Lambda binary of `tick`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use millwright_core::{Clock, config::Environment};
use millwright_fn_tick::Handler;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    millwright_telemetry::init("tick");
    let sdk = millwright_store::sdk_loader().load().await;
    let handler = Handler::build(&Environment, Clock::system(), &sdk).await?;
    run(service_fn(|event: LambdaEvent<Value>| {
        let handler = handler.clone();
        async move { handler.handle(event.payload).await.map_err(Error::from) }
    }))
    .await
}
