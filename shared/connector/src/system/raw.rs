//! Rows as the system has them.

use serde_json::Value;

use super::System;
use crate::error::SystemError;

impl System {
    /// Reads rows by their remote ids, unmapped. Those that are not there are left out; the order is
    /// the system's.
    ///
    /// # Errors
    /// When the system cannot be read.
    pub async fn raw(
        &self,
        entity: &str,
        remote_ids: &[String],
    ) -> Result<Vec<(String, Value)>, SystemError> {
        let def = self.def(entity, "read")?;
        let rows = self.rows(entity, def, remote_ids).await?.rows;
        Ok(rows.into_iter().map(|(id, row)| (id, row.to_value())).collect())
    }
}
