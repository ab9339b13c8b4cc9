//! MD5 digests as the SQS API reference defines them; the SDKs of other languages check them.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::wire::AttributeValue;

/// The digest of a body, in hex.
pub(crate) fn of_body(body: &str) -> String {
    hex(Md5::digest(body.as_bytes()))
}

/// The digest of message attributes, or nothing when there are none ("Calculating the MD5 message
/// digest for message attributes" in the developer guide): in the order of their names, each as name,
/// data type, one byte for the kind of value, and value, every text led by its length in four bytes.
pub(crate) fn of_attributes(attributes: &BTreeMap<String, AttributeValue>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, value) in attributes {
        update_with_length(&mut digest, name.as_bytes());
        update_with_length(&mut digest, value.data_type.as_bytes());
        let (kind, bytes) = value.kind_and_bytes();
        digest.update([kind]);
        update_with_length(&mut digest, &bytes);
    }
    Some(hex(digest.finalize()))
}

fn update_with_length(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bodys_digest_is_its_md5() {
        assert_eq!(of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn no_attributes_have_no_digest() {
        assert_eq!(of_attributes(&BTreeMap::new()), None);
    }
}
