//! The Lambda binary of `deliver`.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use millwright_core::{Clock, WallTime, config::Environment};
use millwright_fn_deliver::Handler;

#[tokio::main]
async fn main() -> Result<(), Error> {
    millwright_telemetry::init("deliver");
    let sdk = millwright_store::sdk_loader().load().await;
    let handler = Handler::build(&Environment, Clock::system(), &sdk).await?;
    run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let handler = handler.clone();
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        async move {
            let answer = handler.handle(event.payload, WallTime::from_millis(deadline)).await;
            Ok::<_, Error>(answer)
        }
    }))
    .await
}
