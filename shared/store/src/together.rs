//! Reads that are asked for at the same time share one.
//!
//! Whoever asks while a read is under way waits for the next one: each read begins after everybody whom it
//! serves has asked, so a strong read stays strong. The busier a process is, the fewer reads there are per
//! question.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::StoreError;

type Answer<V> = Result<V, Arc<StoreError>>;
/// Those who wait for a read that has not begun, by what they wait for. While a read is under way, its
/// key is there.
type Waiting<K, V> = HashMap<K, Vec<oneshot::Sender<Answer<V>>>>;

/// Shares reads by what is read. Clones share them with one another.
pub struct Together<K, V>(Arc<Mutex<Waiting<K, V>>>);

impl<K, V> Together<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    /// What `read` answers; it is called when nobody else's call of this moment serves.
    ///
    /// # Errors
    /// What `read` answers.
    pub async fn read<R, F>(&self, key: K, read: R) -> Result<V, StoreError>
    where
        R: Fn() -> F + Send + 'static,
        F: Future<Output = Result<V, StoreError>> + Send + 'static,
    {
        let (waiter, answered) = oneshot::channel();
        let begin = {
            let mut waiting = self.waiting();
            let begin = !waiting.contains_key(&key);
            waiting.entry(key.clone()).or_default().push(waiter);
            begin
        };
        if begin {
            // A task of its own: whoever asks may go away, and others wait for the same.
            tokio::spawn(Self(Arc::clone(&self.0)).serve(key, read));
        }
        match answered.await {
            Ok(answer) => answer.map_err(|error| StoreError::Sdk(Box::new(Shared(error)))),
            Err(_) => Err(StoreError::Sdk("a shared read ended".into())),
        }
    }

    async fn serve<R, F>(self, key: K, read: R)
    where
        R: Fn() -> F + Send + 'static,
        F: Future<Output = Result<V, StoreError>> + Send + 'static,
    {
        let mut end = End { reads: &self, key: Some(&key) };
        while let Some(served) = self.next(&key) {
            let answer = read().await.map_err(Arc::new);
            for waiter in served {
                // Whoever went away does not hear it.
                let _ = waiter.send(answer.clone());
            }
        }
        end.key = None;
    }

    /// Whom the next read serves; when there is nobody, whoever asks next begins anew.
    fn next(&self, key: &K) -> Option<Vec<oneshot::Sender<Answer<V>>>> {
        let mut waiting = self.waiting();
        let served = std::mem::take(waiting.get_mut(key)?);
        if served.is_empty() {
            waiting.remove(key);
            return None;
        }
        Some(served)
    }
}

/// The end of a task that serves a key: should it come too early, nobody waits for ever.
struct End<'a, K: Eq + Hash, V> {
    reads: &'a Together<K, V>,
    key: Option<&'a K>,
}

impl<K: Eq + Hash, V> Drop for End<'_, K, V> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.reads.waiting().remove(key);
        }
    }
}

impl<K, V> Together<K, V> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Clone for Together<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> fmt::Debug for Together<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

/// The error of a read that others shared.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shared(Arc<StoreError>);

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use super::*;

    /// A read that takes a while and answers how many reads had begun.
    fn slow(reads: &Arc<AtomicU32>) -> impl Fn() -> SlowRead + Send + use<> {
        let reads = Arc::clone(reads);
        move || {
            let number = reads.fetch_add(1, Ordering::SeqCst) + 1;
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(number)
            })
        }
    }

    type SlowRead = std::pin::Pin<Box<dyn Future<Output = Result<u32, StoreError>> + Send>>;

    #[tokio::test]
    async fn whoever_asks_while_a_read_is_under_way_is_served_by_the_next() {
        let (together, reads) = (Together::default(), Arc::new(AtomicU32::new(0)));
        let first = tokio::spawn({
            let (together, read) = (together.clone(), slow(&reads));
            async move { together.read("key", read).await.unwrap() }
        });
        while reads.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let late = futures_all((0..9).map(|_| {
            let (together, read) = (together.clone(), slow(&reads));
            async move { together.read("key", read).await.unwrap() }
        }));
        assert_eq!(late.await, vec![2; 9]);
        assert_eq!(first.await.unwrap(), 1);
        assert_eq!(together.read("key", slow(&reads)).await.unwrap(), 3, "nothing is kept");
        assert!(together.waiting().is_empty());
    }

    #[tokio::test]
    async fn another_key_is_another_read_and_an_error_or_a_panic_ends_one_only() {
        let (together, reads) = (Together::default(), Arc::new(AtomicU32::new(0)));
        let (one, other) =
            tokio::join!(together.read(1, slow(&reads)), together.read(2, slow(&reads)));
        assert_eq!(one.unwrap() + other.unwrap(), 3);
        let failed = together.read(1, || async { Err(StoreError::Busy) }).await;
        assert_eq!(
            failed.unwrap_err().to_string(),
            "the table failed: others write the same rows all the time"
        );
        let ended = together.read(1, || async { panic!("as it must") }).await;
        assert!(ended.is_err());
        assert_eq!(together.read(1, slow(&reads)).await.unwrap(), 3);
    }

    async fn futures_all<T: Send + 'static>(
        all: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let tasks: Vec<_> = all.map(tokio::spawn).collect();
        let mut done = Vec::new();
        for task in tasks {
            done.push(task.await.unwrap());
        }
        done
    }
}
