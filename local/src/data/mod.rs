//! The data folder: everything that this machine keeps.
//!
//! | file | what |
//! | --- | --- |
//! | `format` | the version of this layout |
//! | `lock` | held by the process that uses the folder |
//! | `clock` | where the schedule clock stands |
//! | `vault.key` | the master key of the stored credentials; back it up apart from the rest |
//! | `dynamo.sqlite`, `queue.sqlite` | the tables, the queues |
//! | `blobs/` | large bodies |

mod clock;
mod folder;

use std::path::{Path, PathBuf};

pub use clock::ClockKeeper;
pub use folder::{DataFolder, VAULT_KEY};

/// Why a data folder cannot be used: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Another process uses it.
    #[error("{} is in use by a running millwright{}; stop that one, or choose another folder with --data",
        folder.display(), process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process that uses it, if it says so.
        process: Option<u32>,
    },
    /// A newer program wrote it.
    #[error("{} was written by a newer millwright (format {found}, this one knows {known}); update millwright, or choose another folder with --data",
        folder.display())]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// There is nothing in it, or it does not exist.
    #[error("no millwright data in {}; start millwright there first, or choose another folder with --data",
        folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// It holds something else.
    #[error("{} holds other files and is no data folder of millwright; choose another with --data",
        folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// A file in it is not as it was written.
    #[error("{}: {why}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The file system refuses.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What it says.
        error: std::io::Error,
    },
}

impl DataError {
    fn io(file: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |error| Self::Io { file: file.to_owned(), error }
    }

    fn damaged(file: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), why: why.into() }
    }
}
