//! Applications: the OAuth clients of a workspace.

mod change;
mod create;
mod fields;
mod list;
mod model;

pub use change::{ApplicationChange, change_application, revoke_application, rotate_client_secret};
pub use create::{NewApplication, create_application};
pub(crate) use list::living_application;
pub use list::{ApplicationPage, get_application, list_applications};
use model::application_key;
#[cfg(test)]
pub(crate) use model::tests::sample as sample_application;
pub use model::{Application, ClientSecret};
pub(crate) use model::{Rights, address_of_client, connection_partition, living};
