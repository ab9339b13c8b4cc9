//! Writing records through the API: checked, sent, looked up when an answer is lost, read back,
//! committed.
//!
//! Before anything is sent, a row says what is about to be ([`WriteDoc`]); it is due until the write has
//! ended. So a process that dies at any point leaves a write that the next one can settle by asking the
//! system, and no write is sent twice without having been looked for. A caller whose write the system
//! has not answered in time is told the row's id.

mod answer;
mod carry;
mod commit;
mod decide;
mod doc;
mod evidence;
mod finish;
mod journal;
mod lock;
mod operation;
mod patch;
mod perform;
mod precondition;
mod prepare;
mod read_back;
mod request;
mod resume;
mod stuck;
mod timing;
mod work;

pub use doc::{Askers, Before, Sent, WriteDoc, WriteFault, WriteState, WriteTask, write_key};
pub use operation::Operation;
pub use perform::{find_write, write};
pub use precondition::IfMatch;
pub use request::{Answered, WriteRequest, WriteShown};
pub use resume::{Settled, settle_write};
pub use stuck::Warning;
pub use timing::WriteTiming;
