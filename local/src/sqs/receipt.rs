//! Receipt handles: which message, and which of its receives.

use std::fmt;

use super::{
    fault::{Fault, Kind},
    shelf::{Seq, Taken},
};

/// A receipt handle. A message's last one is the only one that is worth something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) seq: Seq,
    pub(crate) nonce: u64,
}

impl Receipt {
    /// Reads a handle.
    pub(crate) fn parse(handle: Option<&str>) -> Result<Self, Fault> {
        let handle = handle.ok_or_else(|| Fault::missing("ReceiptHandle"))?;
        let parse = || {
            let (seq, nonce) = handle.strip_prefix("mw.")?.split_once('.')?;
            let seq = Seq::from_str_radix(seq, 16).ok()?;
            let nonce = u64::from_str_radix(nonce, 16).ok()?;
            Some(Self { seq, nonce })
        };
        parse().ok_or_else(|| {
            let message =
                format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            Fault::new(Kind::ReceiptHandleIsInvalid, message)
        })
    }
}

impl From<&Taken> for Receipt {
    fn from(taken: &Taken) -> Self {
        Self { seq: taken.seq, nonce: taken.receipt }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mw.{:x}.{:016x}", self.seq, self.nonce)
    }
}
