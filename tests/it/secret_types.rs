//! Types that hold secrets neither print nor write them.

use std::collections::BTreeMap;

use millwright_connection::{
    NewConnection,
    oauth::{Authorized, Started},
};
use millwright_connector::{
    Credentials, Filled, Target,
    oauth::{Authority, Registration, Tokens},
};
use millwright_core::{ConnectionId, SecretString, WallTime, WorkspaceId};
use millwright_vault::Vault;
use serde_json::Map;

/// Fails to compile when a type implements the trait: then there are two answers to which `Holds` is
/// meant.
macro_rules! never {
    ($kind:path: $($held:ty),+ $(,)?) => {
        $(const _: fn() = || {
            trait Holds<Answer> {
                fn asked() {}
            }
            struct Yes;
            impl<T: ?Sized> Holds<()> for T {}
            impl<T: ?Sized + $kind> Holds<Yes> for T {}
            let _ = <$held as Holds<_>>::asked;
        };)+
    };
}

never!(serde::Serialize: SecretString, Credentials, Filled, Target, Tokens, Registration, Authority,
    Authorized, Started, NewConnection, Vault);
never!(std::fmt::Display: SecretString, Tokens, Target, Registration, Authorized, Started);

const PLANTED: &str = "pl4nted-secret";

#[test]
fn what_holds_a_secret_does_not_print_it() {
    let secret = || SecretString::from(PLANTED);
    let credentials = || Credentials::from([("password".to_owned(), secret())]);
    let tokens = Tokens {
        access_token: secret(),
        refresh_token: Some(secret()),
        expires_at: None,
        obtained_at: WallTime::from_millis(0),
        kept: Map::from_iter([("token".to_owned(), PLANTED.into())]),
        grant: PLANTED.to_owned(),
    };
    let target = Target {
        workspace: WorkspaceId::derived(&["a"]),
        connection: ConnectionId::derived(&["a"]),
        connector_id: "tryton".to_owned(),
        settings: Map::new(),
        credentials: credentials(),
        tokens: None,
        overlays: BTreeMap::new(),
        scenario: None,
    };
    let new = NewConnection::to("tryton", Map::new(), credentials());
    let authorized = Authorized {
        connector_id: "tryton".to_owned(),
        settings: Map::new(),
        credentials: credentials(),
    };
    let registration = Registration { client_id: "id".to_owned(), client_secret: Some(secret()) };
    for printed in [
        format!("{tokens:?}"),
        format!("{target:?}"),
        format!("{new:?}"),
        format!("{authorized:?}"),
        format!("{registration:?}"),
        format!("{:?}", credentials()),
        format!("{:#?}", secret()),
    ] {
        assert!(!printed.contains(PLANTED), "{printed}");
    }
}
