//! What a commit outlives on one machine.

use clap::ValueEnum;

/// What a commit of tables and queues has outlived once it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// A loss of power: it has been flushed to the disk.
    #[default]
    Flush,
    /// The end of the process, `kill -9` included. A loss of power may take the last seconds with it;
    /// what remains is whole.
    Process,
}
