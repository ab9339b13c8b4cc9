use http::HeaderMap;
use standardwebhooks::Webhook;

pub fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    Webhook::new(secret).and_then(|webhook| webhook.verify(body, headers)).is_ok()
}
