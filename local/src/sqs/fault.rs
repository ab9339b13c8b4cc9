//! Faults as SQS tells them: an error shape for the JSON protocol, the older query protocol's code
//! beside it in a header (the SDKs read that one), and AWS's own words.

/// What is wrong with a request, by the names of the SQS API reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    QueueDoesNotExist,
    QueueNameExists,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidMessageContents,
    InvalidParameterValue,
    MissingParameter,
    ReceiptHandleIsInvalid,
    MessageNotInflight,
    EmptyBatchRequest,
    TooManyEntriesInBatchRequest,
    BatchEntryIdsNotDistinct,
    InvalidBatchEntryId,
    BatchRequestTooLong,
    InvalidAction,
    MalformedInput,
    InternalFailure,
}

impl Kind {
    /// The error shape: the variants bear the shapes' names.
    fn shape(self) -> String {
        format!("{self:?}")
    }

    /// The query protocol's code, as the SDKs' error types match it.
    fn code(self) -> String {
        match self {
            Self::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            Self::QueueNameExists => "QueueAlreadyExists".to_owned(),
            Self::MessageNotInflight
            | Self::EmptyBatchRequest
            | Self::TooManyEntriesInBatchRequest
            | Self::BatchEntryIdsNotDistinct
            | Self::InvalidBatchEntryId
            | Self::BatchRequestTooLong => format!("AWS.SimpleQueueService.{self:?}"),
            _ => self.shape(),
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A parameter that is out of its range, in AWS's words.
    pub(crate) fn parameter(name: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        let message = format!("Value {value} for parameter {name} is invalid. Reason: {reason}");
        Self::new(Kind::InvalidParameterValue, message)
    }

    pub(crate) fn missing(name: &str) -> Self {
        let message = format!("The request must contain the parameter {name}.");
        Self::new(Kind::MissingParameter, message)
    }

    pub(crate) fn no_queue() -> Self {
        Self::new(Kind::QueueDoesNotExist, "The specified queue does not exist.")
    }

    /// The store failed: the caller is to try again.
    pub(crate) fn internal() -> Self {
        Self::new(Kind::InternalFailure, "The queue could not be written; try again.")
    }

    pub(crate) fn code(&self) -> String {
        self.kind.code()
    }

    /// Whether the caller is at fault.
    pub(crate) fn by_sender(&self) -> bool {
        self.kind != Kind::InternalFailure
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        if self.by_sender() { 400 } else { 500 }
    }

    /// The header `x-amzn-query-error`.
    pub(crate) fn query_error(&self) -> String {
        let fault = if self.by_sender() { "Sender" } else { "Receiver" };
        format!("{};{fault}", self.code())
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> serde_json::Value {
        serde_json::json!({
            "__type": format!("com.amazonaws.sqs#{}", self.kind.shape()),
            "message": self.message,
        })
    }
}
