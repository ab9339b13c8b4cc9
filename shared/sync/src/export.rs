//! Exporting: a job that writes a connection's records into files of one JSON document a line.
//!
//! A file is written whole before the job's row names it, under a name of its own; so a run that was cut
//! off, or two that run at once, leave files that nobody names, and those go with the others.

use std::time::Duration;

use bytes::Bytes;
use millwright_connection::{Connection, ConnectionContext};
use millwright_core::{
    ConnectionId, Error, ErrorCode, FieldError, JobId, Result, WallTime, WorkspaceId,
};
use millwright_job::{
    ExportScope, Job, JobKind, JobState, announce_job, find_job, note_progress_from, note_tidied,
};
use millwright_records::{RecordDoc, record_json, records_pk};
use millwright_store::{Range, Row, Table};
use serde::{Deserialize, Serialize};

use crate::sync_states;

/// The most bytes of a file, but for its last line: on one machine it is fetched through the API, whose
/// answers hold 6 MB, encoded ones.
const FILE_BYTES: usize = 3_500_000;
/// Rows read at a time.
const ROWS_AT_ONCE: usize = 500;
/// How long files are kept.
pub const EXPORT_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a link to a file holds; each look at the job gives fresh ones.
pub const EXPORT_LINK: Duration = Duration::from_secs(3600);

/// What to export.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// These entities; all when nothing.
    pub entities: Option<Vec<String>>,
    /// Whether records too that are gone.
    pub deleted: bool,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFile {
    /// The entity of all of its records.
    pub entity: String,
    /// Its name below the export's folder.
    pub name: String,
    /// How many records it holds, one a line.
    pub records: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// How far an export has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Reached {
    /// Entities that are done.
    entities: usize,
    /// The last record of the next one that is in a file.
    after: Option<String>,
    files: Vec<ExportFile>,
}

impl Reached {
    fn of(job: &Job) -> Result<Self> {
        let Some(cursor) = &job.cursor else { return Ok(Self::default()) };
        serde_json::from_str(cursor).map_err(Error::internal)
    }
}

/// How a run of an export ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportEnd {
    /// Nothing is left to do, or somebody else does it.
    Done,
    /// There is more, for another invocation.
    More,
}

/// Starts an export.
///
/// # Errors
/// The entities that the connection does not have, by their places.
pub async fn export_records(
    context: &ConnectionContext,
    connection: &Connection,
    request: ExportRequest,
) -> Result<Job> {
    let clock = context.store.clock();
    let states = sync_states(&context.store, &connection.workspace, &connection.id).await?;
    let own: Vec<String> = states.into_iter().map(|state| state.entity).collect();
    let scope = ExportScope {
        connection: connection.id.clone(),
        entities: chosen(&own, request.entities)?,
        deleted: request.deleted,
    };
    let kind = JobKind::ExportRecords(scope);
    let mut job = Job::new(&connection.workspace, kind, clock.wall(), clock.schedule());
    job.tidy_at = Some(clock.schedule() + EXPORT_KEPT);
    context.store.write(job.as_write()?).await?;
    announce_job(&context.queue, &job, 0).await;
    Ok(job)
}

fn chosen(own: &[String], asked: Option<Vec<String>>) -> Result<Vec<String>> {
    let Some(asked) = asked else { return Ok(own.to_vec()) };
    let unknown = asked.iter().enumerate().filter(|(_, entity)| !own.contains(entity));
    let faults = unknown.map(|(place, _)| {
        let message = "this connection has no such entity";
        FieldError::new(format!("entities[{place}]"), ErrorCode::ValidationFailed, message)
    });
    Error::from_fields(faults.collect()).map_or(Ok(()), Err)?;
    Ok(own.iter().filter(|entity| asked.contains(entity)).cloned().collect())
}

/// An export of a connection.
///
/// # Errors
/// `NOT_FOUND` when there is none.
pub async fn find_export(
    context: &ConnectionContext,
    connection: &Connection,
    id: &JobId,
) -> Result<Job> {
    let job = find_job(&context.store, &connection.workspace, id).await?.doc;
    match &job.kind {
        JobKind::ExportRecords(scope) if scope.connection == connection.id => Ok(job),
        _ => Err(Error::not_found("export")),
    }
}

/// The files of an export with links to them: those that are whole so far; none once they have been put
/// away, or for a job that is no export.
///
/// # Errors
/// When they cannot be signed.
pub async fn export_files(
    context: &ConnectionContext,
    job: &Job,
) -> Result<Vec<(ExportFile, String)>> {
    let JobKind::ExportRecords(scope) = &job.kind else { return Ok(Vec::new()) };
    if job.tidy_at.is_none() {
        return Ok(Vec::new());
    }
    let now = context.store.clock().wall();
    let folder = folder(&job.workspace, &scope.connection, &job.id);
    let mut files = Vec::new();
    for file in Reached::of(job)?.files {
        let path = format!("{folder}/{}", file.name);
        let link = context.blob.link(&path, &context.public_url, now, EXPORT_LINK).await?;
        files.push((file, link));
    }
    Ok(files)
}

/// Writes as many files as there is time for. What a run that was cut off has not told of is written
/// again.
///
/// # Errors
/// When a table or the blob store fails.
pub async fn run_export(
    context: &ConnectionContext,
    job: &Job,
    scope: &ExportScope,
    deadline: WallTime,
) -> Result<ExportEnd> {
    let mut job = job.clone();
    let mut reached = Reached::of(&job)?;
    loop {
        if context.store.clock().wall() >= deadline {
            return Ok(ExportEnd::More);
        }
        let end = scope.entities.len() <= reached.entities;
        let before = reached.files.len();
        if !end {
            write_file(context, &job, scope, &mut reached).await?;
        }
        let told: u64 = reached.files[before..].iter().map(|file| file.records).sum();
        let cursor = serde_json::to_string(&reached).map_err(Error::internal)?;
        if !note_progress_from(&context.store, &job, told, &cursor, end).await? || end {
            return Ok(ExportEnd::Done);
        }
        job.cursor = Some(cursor);
    }
}

/// Writes the next file of an entity, or finds that it has no more records.
async fn write_file(
    context: &ConnectionContext,
    job: &Job,
    scope: &ExportScope,
    reached: &mut Reached,
) -> Result<()> {
    let entity = &scope.entities[reached.entities];
    let pk = records_pk(&job.workspace, &scope.connection, entity);
    let (mut text, mut records, mut after) = (String::new(), 0, reached.after.take());
    let ended = loop {
        let page = context
            .store
            .query::<RecordDoc>(
                Table::Records,
                &pk,
                &Range::All,
                after.as_deref(),
                ROWS_AT_ONCE,
                true,
            )
            .await?;
        let (rows, last) = (page.rows, page.next);
        let mut full = false;
        for row in rows {
            after = Some(row.key.sk.clone());
            records += u64::from(add_line(&mut text, &row, scope.deleted)?);
            full = text.len() >= FILE_BYTES;
            if full {
                break;
            }
        }
        if full {
            break false;
        }
        match last {
            Some(last) => after = Some(last),
            None => break true,
        }
    };
    if records > 0 {
        let name = format!("{entity}/{:05}-{:016x}.ndjson", reached.files.len(), random());
        let folder = folder(&job.workspace, &scope.connection, &job.id);
        let bytes = text.len() as u64;
        context.blob.put(&format!("{folder}/{name}"), Bytes::from(text)).await?;
        reached.files.push(ExportFile { entity: entity.clone(), name, records, bytes });
    }
    if ended {
        reached.entities += 1;
    } else {
        reached.after = after;
    }
    Ok(())
}

fn random() -> u64 {
    rand::random()
}

/// Adds a record, if it is wanted.
fn add_line(text: &mut String, row: &Row<RecordDoc>, deleted: bool) -> Result<bool> {
    if row.doc.deleted_at.is_some() && !deleted {
        return Ok(false);
    }
    let record = record_json(row)?;
    text.push_str(&serde_json::to_string(&record).map_err(Error::internal)?);
    text.push('\n');
    Ok(true)
}

/// Puts away what an export that has ended has made, if it is time to.
///
/// # Errors
/// When the blob store or the table fails.
pub async fn tidy_export(context: &ConnectionContext, job: &Job) -> Result<()> {
    let JobKind::ExportRecords(scope) = &job.kind else { return Ok(()) };
    let now = context.store.clock().schedule();
    let due = job.state != JobState::Running && job.tidy_at.is_some_and(|at| at <= now);
    if !due {
        return Ok(());
    }
    context.blob.delete_all(&folder(&job.workspace, &scope.connection, &job.id)).await?;
    note_tidied(&context.store, job).await
}

/// Where an export's files are.
fn folder(workspace: &WorkspaceId, connection: &ConnectionId, job: &JobId) -> String {
    format!("{}/{job}", exports_of(workspace, connection))
}

/// Where all of a connection's are.
pub(crate) fn exports_of(workspace: &WorkspaceId, connection: &ConnectionId) -> String {
    format!("{workspace}/export/{connection}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_exported_once_in_the_connections_own_order() {
        let own = ["materials".to_owned(), "vendors".to_owned()];
        let asked = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(chosen(&own, None).unwrap(), own);
        assert_eq!(chosen(&own, asked(&["vendors", "materials", "vendors"])).unwrap(), own);
        let refused = chosen(&own, asked(&["vendors", "unicorns"])).unwrap_err();
        assert_eq!(refused.fields[0].path, "entities[1]");
    }
}
