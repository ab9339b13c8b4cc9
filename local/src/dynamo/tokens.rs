//! Transactions that are asked for again: one that has been made with a token is not made twice.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use dynoxide::DynoxideError;
use serde::Deserialize;
use serde_json::Value;

/// How long a token is remembered (TransactWriteItems, ClientRequestToken).
const KEPT: Duration = Duration::from_secs(600);

/// The tokens of the last ten minutes, each with what was asked for. Oldest ones are dropped from the
/// front, so that a busy machine does not look through all of them for each transaction.
#[derive(Default)]
pub(super) struct Tokens {
    made: HashMap<String, u64>,
    order: VecDeque<(Instant, String)>,
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(rename = "ClientRequestToken")]
    token: Option<String>,
    #[serde(rename = "TransactItems")]
    items: Value,
}

impl Tokens {
    /// Makes a transaction (TransactWriteItems), unless it has been made. One that was refused may be
    /// asked for again.
    pub(super) fn once(
        &mut self,
        body: &[u8],
        make: impl FnOnce() -> dynoxide::Result<Vec<u8>>,
    ) -> dynoxide::Result<Vec<u8>> {
        // What cannot be read is refused by whoever makes it.
        let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
        let Some(token) = asked.token else { return make() };
        let asked = digest(&asked.items);
        let now = Instant::now();
        self.forget(now);
        match self.made.get(&token) {
            // It tells no consumed capacity: nothing was consumed.
            Some(made) if *made == asked => Ok(b"{}".to_vec()),
            Some(_) => Err(DynoxideError::IdempotentParameterMismatchException(
                "the token came with other items".to_owned(),
            )),
            None => {
                let answer = make()?;
                self.made.insert(token.clone(), asked);
                self.order.push_back((now, token));
                Ok(answer)
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((_, token)) = self.order.pop_front_if(|(made, _)| now - *made > KEPT) {
            self.made.remove(&token);
        }
    }
}

/// The same for the same values, in whatever order an object's members come.
fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| hashed(&(name, digest(value)));
            (0, members.iter().map(member).fold(0_u64, u64::wrapping_add)).hash(&mut hasher);
        }
        Value::Array(values) => {
            (1, values.iter().map(digest).collect::<Vec<_>>()).hash(&mut hasher);
        }
        Value::String(text) => (2, text).hash(&mut hasher),
        other => (3, other.to_string()).hash(&mut hasher),
    }
    hasher.finish()
}

fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(token: &str, items: Value) -> Vec<u8> {
        let request = json!({"TransactItems": items, "ClientRequestToken": token});
        serde_json::to_vec(&request).unwrap()
    }

    fn put(doc: &str) -> Value {
        json!([{"Put": {"TableName": "t", "Item": {"pk": {"S": "a"}, "doc": {"S": doc}}}}])
    }

    #[test]
    fn a_transaction_is_made_once_for_a_token_and_again_only_after_a_refusal() {
        let (mut tokens, mut made) = (Tokens::default(), 0);
        let mut ask = |token, items, refused: bool| {
            tokens.once(&request(token, items), || {
                made += 1;
                let error = DynoxideError::ValidationException("no".to_owned());
                if refused { Err(error) } else { Ok(Vec::new()) }
            })
        };
        assert!(ask("one", put("a"), true).is_err());
        assert!(ask("one", put("a"), false).is_ok());
        assert!(ask("one", put("a"), true).is_ok(), "it is not asked again");
        let other = ask("one", put("b"), false).unwrap_err();
        assert!(matches!(other, DynoxideError::IdempotentParameterMismatchException(_)));
        assert!(ask("two", put("b"), false).is_ok());
        assert_eq!(made, 3);
    }

    #[test]
    fn a_token_is_forgotten_after_its_time() {
        let mut tokens = Tokens::default();
        tokens.once(&request("one", put("a")), || Ok(Vec::new())).unwrap();
        let begun = tokens.order[0].0;
        tokens.forget(begun + KEPT);
        assert_eq!(tokens.made.len(), 1);
        tokens.forget(begun + KEPT + Duration::from_millis(1));
        assert!(tokens.made.is_empty() && tokens.order.is_empty());
    }

    #[test]
    fn the_order_of_members_is_not_part_of_what_is_asked() {
        let read = |text| digest(&serde_json::from_str(text).unwrap());
        assert_eq!(read(r#"{"a": "1", "b": ["2", "3"]}"#), read(r#"{"b": ["2", "3"], "a": "1"}"#));
        for other in [
            r#"{"a": "1", "b": ["3", "2"]}"#,
            r#"{"b": "1", "a": ["2", "3"]}"#,
            r#"{"a": "1"}"#,
            r#"{"a": 1, "b": ["2", "3"]}"#,
        ] {
            assert_ne!(read(r#"{"a": "1", "b": ["2", "3"]}"#), read(other), "{other}");
        }
    }
}
