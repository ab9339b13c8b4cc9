//! The table and the queues alone, with faults before them: what AWS is to a function.

use std::{collections::HashMap, path::Path, time::Duration};

use aws_config::SdkConfig;
use millwright_core::{Clock, QueueName};
use millwright_local::{
    dynamo::{self, Dynamo},
    sdk,
    sqs::{self, Sqs},
};
use millwright_queue::{DEAD_LETTER_VARIABLE, Queue, QueueUrls, url_variable};
use millwright_store::{Store, Table, sdk_retries};

use crate::faults::{Bill, Counts, Proxy, QueueFaults, TableFaults};

/// The longest first wait between two tries of the SDK.
const BACKOFF: Duration = Duration::from_millis(50);

/// A running table and queues. Everything in it goes through the fault layers.
#[derive(Debug)]
pub struct Cloud {
    /// The layer before the table.
    pub table: Proxy,
    /// The layer before the queues.
    pub queue: Proxy,
    variables: HashMap<String, String>,
    clock: Clock,
    dynamo: Dynamo,
    sqs: Sqs,
}

impl Cloud {
    /// Starts them in `folder`. The seed is printed: a test that fails says with which it did.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn start(
        folder: &Path,
        table: TableFaults,
        queue: QueueFaults,
        seed: u64,
        clock: Clock,
    ) -> Self {
        println!("faults from seed {seed}");
        let (dynamo, sqs) = open(folder, &clock).await;
        let table = table.before(&dynamo.url(), seed).await.expect("a layer starts");
        let queue = queue.before(&sqs.url(), seed).await.expect("a layer starts");
        Self::behind(table, queue, dynamo, sqs, clock).await
    }

    /// Starts them in `folder` without faults, and counts what AWS would bill.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn billed(folder: &Path, bill: &Bill) -> Self {
        let clock = Clock::system();
        let (dynamo, sqs) = open(folder, &clock).await;
        let table = bill.before_table(&dynamo.url()).await.expect("a layer starts");
        let queue = bill.before_queues(&sqs.url()).await.expect("a layer starts");
        Self::behind(table, queue, dynamo, sqs, clock).await
    }

    async fn behind(table: Proxy, queue: Proxy, dynamo: Dynamo, sqs: Sqs, clock: Clock) -> Self {
        // The queues are made without faults before them.
        let made = create_queues(&sdk::config(&dynamo.url(), &sqs.url())).await;
        let mut variables: HashMap<String, String> = made;
        for kind in [Table::State, Table::Records] {
            variables.insert(kind.variable().to_owned(), dynamo::tables().name(kind).to_owned());
        }
        variables.insert("MILLWRIGHT_PUBLIC_URL".to_owned(), "http://millwright.test".to_owned());
        variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), table.url().to_owned());
        variables.insert("AWS_ENDPOINT_URL_SQS".to_owned(), queue.url().to_owned());
        Self { table, queue, variables, clock, dynamo, sqs }
    }

    /// The same without faults.
    pub async fn calm(folder: &Path) -> Self {
        Self::start(folder, TableFaults::NONE, QueueFaults::NONE, 0, Clock::system()).await
    }

    /// The variables that say where tables and queues are.
    #[must_use]
    pub fn variables(&self) -> &HashMap<String, String> {
        &self.variables
    }

    /// An SDK configuration that goes through the layers. As many tries as everywhere, and shorter
    /// waits between them: faults are frequent here.
    #[must_use]
    pub fn sdk(&self) -> SdkConfig {
        let usual = sdk::config(self.table.url(), self.queue.url());
        let retries = sdk_retries().with_initial_backoff(BACKOFF).with_max_backoff(BACKOFF * 4);
        usual.into_builder().retry_config(retries).build()
    }

    /// The tables through the layer.
    #[must_use]
    pub fn store(&self) -> Store {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk());
        Store::new(client, dynamo::tables(), self.clock.clone())
    }

    /// The tables without the layer: to look at what has come of it.
    #[must_use]
    pub fn calm_store(&self) -> Store {
        let sdk = sdk::config(&self.dynamo.url(), &self.sqs.url());
        Store::new(aws_sdk_dynamodb::Client::new(&sdk), dynamo::tables(), self.clock.clone())
    }

    /// The queues through the layer.
    ///
    /// # Panics
    /// When a queue was not made.
    #[must_use]
    pub fn queues(&self) -> Queue {
        let source: HashMap<&str, &str> =
            self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let urls = QueueUrls::from_source(&source).expect("every queue was made");
        Queue::new(aws_sdk_sqs::Client::new(&self.sdk()), urls)
    }

    /// What the layer before the table has done.
    #[must_use]
    pub fn table_faults(&self) -> &Counts {
        self.table.counts()
    }

    /// What the layer before the queues has done.
    #[must_use]
    pub fn queue_faults(&self) -> &Counts {
        self.queue.counts()
    }
}

async fn open(folder: &Path, clock: &Clock) -> (Dynamo, Sqs) {
    let dynamo = Dynamo::start(&folder.join("tables.sqlite")).expect("the table starts");
    let sqs = Sqs::start(&folder.join("queues.sqlite"), clock.clone()).await;
    (dynamo, sqs.expect("the queues start"))
}

/// Makes every queue with a dead-letter queue behind it; answers with the variables that name them.
async fn create_queues(config: &SdkConfig) -> HashMap<String, String> {
    let client = aws_sdk_sqs::Client::new(config);
    let mut variables = HashMap::new();
    let dead = client.create_queue().queue_name("dead").send().await.expect("a queue is made");
    variables.insert(DEAD_LETTER_VARIABLE.to_owned(), dead.queue_url.unwrap_or_default());
    let redrive =
        format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":8}}"#, sqs::arn("dead"));
    for queue in QueueName::ALL {
        let call = client.create_queue().queue_name(queue.as_str());
        let call = call.attributes("RedrivePolicy".into(), &redrive);
        let made = call.send().await.expect("a queue is made");
        variables.insert(url_variable(queue).to_owned(), made.queue_url.unwrap_or_default());
    }
    variables
}
