//! New rows that are put at the same time share a call.
//!
//! A put begins at once when few calls are under way. What comes while they are goes together with the
//! next: nobody waits for company, and the busier a process is, the fewer calls there are per row.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{Document, Expect, Key, Store, StoreError, Write, insert::STATEMENTS_MAX};

/// The most calls under way.
const CALLS_MAX: usize = 2;

/// A row to be put, and whom to tell.
type New = (Write, oneshot::Sender<Result<(), StoreError>>);

/// Who waits to be put.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: Vec<New>,
    calls: usize,
}

/// The rows that one process puts. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered(Arc<Mutex<Line>>);

impl Gathered {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Takes up a row; whether a further call may begin for it.
    fn add(&mut self, new: New) -> bool {
        self.waiting.push(new);
        let begin = self.calls < CALLS_MAX;
        self.calls += usize::from(begin);
        begin
    }

    /// The next call's rows, no two on one row; nothing, and the call's place is free, when nobody waits.
    fn next(&mut self) -> Option<Vec<New>> {
        let (mut call, mut left): (Vec<New>, Vec<New>) = (Vec::new(), Vec::new());
        for new in self.waiting.drain(..) {
            let twice = call.iter().any(|(write, _)| write.key == new.0.key);
            if twice || call.len() == STATEMENTS_MAX { left.push(new) } else { call.push(new) }
        }
        self.waiting = left;
        if call.is_empty() {
            self.calls -= 1;
            return None;
        }
        Some(call)
    }
}

impl Store {
    /// Puts a new row, as [`Store::create`], with those that are put at the same time.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn create_together<T: Document>(
        &self,
        key: &Key,
        doc: &T,
    ) -> Result<bool, StoreError> {
        match self.insert_together(Write::put(key, doc, Expect::Absent)?).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a write that expects no row, with those that are made at the same time.
    ///
    /// # Errors
    /// `Conflict` when there is a row; when the table fails.
    pub async fn insert_together(&self, write: Write) -> Result<(), StoreError> {
        debug_assert_eq!(write.expect, Expect::Absent, "only new rows are inserted");
        let (answer, answered) = oneshot::channel();
        if self.gathered.line().add((write, answer)) {
            // A task of its own: whoever asks may go away, and others' rows go with the call.
            tokio::spawn(self.clone().put_waiting());
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Sdk("the puts ended".into())))
    }

    async fn put_waiting(self) {
        loop {
            let call = self.gathered.line().next();
            let Some(call) = call else { return };
            self.put_call(call).await;
        }
    }

    /// Puts the rows of a call. One that a batch does not put is put by itself: that says why, and takes
    /// the place of a row that is past its end.
    async fn put_call(&self, call: Vec<New>) {
        let (writes, waiters): (Vec<Write>, Vec<_>) = call.into_iter().unzip();
        let singly = match &*writes {
            [_] => None,
            many => self.insert_batch(many.to_vec()).await.ok(),
        };
        for (write, waiter) in writes.into_iter().zip(waiters) {
            let put = singly.as_ref().is_some_and(|taken| !taken.contains(&write.key));
            // Whoever went away does not hear it.
            let _ = waiter.send(if put { Ok(()) } else { self.write(write).await.map(drop) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_carries_25_rows_at_most_and_none_twice() {
        let mut line = Line::default();
        let write = |n: usize| Write::delete(&Key::state("p", n.to_string()), Expect::Absent);
        let begun = (0..30).map(|n| line.add((write(n % 28), oneshot::channel().0)));
        assert_eq!(begun.filter(|begun| *begun).count(), CALLS_MAX);
        let sizes: Vec<_> = std::iter::from_fn(|| line.next().map(|call| call.len())).collect();
        assert_eq!(sizes, [25, 5]);
        assert_eq!(line.calls, CALLS_MAX - 1);
    }
}
