//! The texts of tokens, codes and client ids. Each says where its row is, so that no look-up table is
//! needed: a prefix, the parts of some ids, and what nobody can guess. The row holds the SHA-256 of the
//! last part alone.

use std::str::FromStr;

use millwright_core::{
    ConnectionId, ExposeSecret, SecretString, TokenFamilyId, WorkspaceId, constant_time_eq,
    random_token, sha256_hex,
};

/// What a connection token starts with.
pub(crate) const CONNECTION: &str = "mw_ct_";
/// What a refresh token starts with.
pub(crate) const REFRESH: &str = "mw_rt_";
/// What a workspace token starts with.
pub(crate) const WORKSPACE: &str = "mw_wt_";
/// What an authorization code starts with.
pub(crate) const CODE: &str = "mw_ac_";
/// What a client id starts with.
pub(crate) const CLIENT: &str = "mw_ci_";
/// What a client secret starts with.
pub(crate) const CLIENT_SECRET: &str = "mw_cs_";

/// Characters of an id after its prefix.
const ID_PART: usize = 26;
/// Random characters of a secret: 238 bits.
pub(crate) const SECRET_LENGTH: usize = 40;

/// A secret's random characters.
pub(crate) fn random_secret() -> SecretString {
    SecretString::from(random_token(SECRET_LENGTH))
}

/// The hash by which a secret is known again.
pub(crate) fn hash_of(secret: &str) -> String {
    sha256_hex(secret.as_bytes())
}

/// Compares two hashes in a time that does not tell how much of them is the same.
pub(crate) fn same_hash(left: &str, right: &str) -> bool {
    constant_time_eq(left.as_bytes(), right.as_bytes())
}

/// Whether a hash is among others, in a time that does not tell where.
pub(crate) fn is_among<'a>(hash: &str, others: impl Iterator<Item = &'a str>) -> bool {
    others.filter(|one| same_hash(one, hash)).count() > 0
}

/// A text of a prefix and the parts of ids.
pub(crate) fn compose(prefix: &str, ids: &[&str]) -> String {
    let parts = ids.iter().map(|id| id.rsplit('_').next().unwrap_or_default());
    prefix.chars().chain(parts.flat_map(str::chars)).collect()
}

/// Reads the parts of ids off a text, front to back.
pub(crate) struct Parts<'a>(&'a str);

impl<'a> Parts<'a> {
    /// Behind the prefix; nothing when the text does not start with it or holds what no text does.
    pub(crate) fn after(prefix: &str, text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(prefix)?;
        rest.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(Self(rest))
    }

    /// The next id, whose prefix is given.
    pub(crate) fn id<T: FromStr>(&mut self, prefix: &str) -> Option<T> {
        let (part, rest) = self.0.split_at_checked(ID_PART)?;
        self.0 = rest;
        format!("{prefix}_{part}").parse().ok()
    }

    /// What is left, if it is as long as it has to be.
    pub(crate) fn rest(self, length: usize) -> Option<&'a str> {
        (self.0.len() == length).then_some(self.0)
    }
}

/// Where a grant is, and the secret that opens it.
#[derive(Clone, Debug)]
pub(crate) struct GrantText {
    pub(crate) workspace: WorkspaceId,
    pub(crate) connection: ConnectionId,
    pub(crate) family: TokenFamilyId,
    pub(crate) secret: SecretString,
}

impl GrantText {
    /// Reads a code or token of a grant; nothing when it cannot be one.
    pub(crate) fn read(prefix: &str, text: &str, length: usize) -> Option<Self> {
        let mut parts = Parts::after(prefix, text)?;
        Some(Self {
            workspace: parts.id(WorkspaceId::PREFIX)?,
            connection: parts.id(ConnectionId::PREFIX)?,
            family: parts.id(TokenFamilyId::PREFIX)?,
            secret: SecretString::from(parts.rest(length)?.to_owned()),
        })
    }

    /// The text.
    pub(crate) fn write(&self, prefix: &str) -> SecretString {
        let ids = [self.workspace.as_str(), self.connection.as_str(), self.family.as_str()];
        SecretString::from(compose(prefix, &ids) + self.secret.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> GrantText {
        GrantText {
            workspace: WorkspaceId::new_at(1),
            connection: ConnectionId::new_at(2),
            family: TokenFamilyId::new_at(3),
            secret: random_secret(),
        }
    }

    #[test]
    fn a_token_says_where_its_row_is() {
        let own = sample();
        let text = own.write(CONNECTION);
        let read = GrantText::read(CONNECTION, text.expose_secret(), SECRET_LENGTH).unwrap();
        assert_eq!((read.workspace, read.connection), (own.workspace, own.connection));
        assert_eq!(read.family, own.family);
        assert_eq!(read.secret.expose_secret(), own.secret.expose_secret());
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        let text = sample().write(CONNECTION).expose_secret().to_owned();
        let read = |text: &str| GrantText::read(CONNECTION, text, SECRET_LENGTH);
        for wrong in [
            String::new(),
            "mw_ct_".to_owned(),
            text.replace("mw_ct_", "mw_rt_"),
            text[..text.len() - 1].to_owned(),
            format!("{text}x"),
            text.replacen('0', "#", 1),
            format!("mw_ct_{}", "é".repeat(60)),
        ] {
            assert!(read(&wrong).is_none(), "{wrong}");
        }
        assert!(read(&text).is_some());
    }
}
