//! Writes performed. A stateful sandbox keeps what is written; any other answers as if it did.

use std::collections::BTreeMap;

use millwright_core::{ScheduleTime, random_token};
use serde_json::{Value, json};

use super::{
    Sandbox, SandboxRow,
    change::merge,
    data::{self, World},
    order,
    played::{MadeDoc, token_key},
    scene::{Failure, Scene},
    workflow,
};
use crate::manifest::{DeleteMode, EntityDef};

/// A row longer than this, in bytes of JSON, is refused: the table takes items up to 400 KB, and the
/// record that is made of a row has to find room beside it.
const ROW_MAX: usize = 200 << 10;

impl Sandbox {
    pub(super) async fn made_with(
        &self,
        world: &World,
        entity: &str,
        token: &str,
    ) -> Result<Option<String>, Failure> {
        let doc = self.kept.doc::<MadeDoc>(&token_key(entity, token)).await?;
        let Some(MadeDoc { id }) = doc else { return Ok(None) };
        let there = self.found(world, entity, &[id]).await?.pop();
        Ok(there.map(|(id, _)| id))
    }

    pub(super) async fn own_create(
        &self,
        scene: &Scene,
        entity: &str,
        row: Value,
        token: &str,
    ) -> Result<String, Failure> {
        let mut row = object(row)?;
        scene.forget(&mut row);
        let id = format!(
            "{}-new-{:013}-{}",
            data::prefix(entity),
            scene.now.millis(),
            random_token(6).to_lowercase()
        );
        self.begin(entity, &mut row, &id, scene.now);
        self.reckon(&scene.world, entity, &id, &mut row).await?;
        if self.stateful {
            // Before the row: a row that is there can always be found by its token.
            self.kept.put_doc(&token_key(entity, token), &MadeDoc { id: id.clone() }).await?;
        } else {
            let made = (entity.to_owned(), token.to_owned());
            self.played().made.insert(made, id.clone());
        }
        self.lay(entity, &id, Some(row)).await?;
        Ok(id)
    }

    /// What every new record has.
    fn begin(&self, entity: &str, row: &mut SandboxRow, id: &str, now: ScheduleTime) {
        let number = format!("{}-{}", data::prefix(entity).to_uppercase(), now.millis());
        for (name, value) in
            [("id", json!(id)), ("createdAt", json!(now.iso())), ("updatedAt", json!(now.iso()))]
        {
            row.insert(name.to_owned(), value);
        }
        let number_at = if entity == "purchase-orders" { "number" } else { "code" };
        row.entry(number_at).or_insert_with(|| json!(number));
        row.entry("active").or_insert(json!(true));
        let first = self.manifest.entity(entity).and_then(first_status);
        if let Some((field, code)) = first {
            row.entry(field).or_insert(json!(code));
        }
    }

    pub(super) async fn own_update(
        &self,
        scene: &Scene,
        entity: &str,
        id: &str,
        change: Value,
    ) -> Result<(), Failure> {
        let mut change = object(change)?;
        scene.forget(&mut change);
        let mut row = self.there(&scene.world, entity, id).await?;
        merge(&mut row, change);
        self.reckon(&scene.world, entity, id, &mut row).await?;
        self.touched(scene, entity, id, row).await
    }

    pub(super) async fn own_remove(
        &self,
        scene: &Scene,
        entity: &str,
        id: &str,
    ) -> Result<(), Failure> {
        let mut row = self.there(&scene.world, entity, id).await?;
        let delete = self.manifest.entity(entity).and_then(|def| def.write.delete.as_ref());
        match delete.map(|delete| delete.mode) {
            Some(DeleteMode::Hard) => return self.lay(entity, id, None).await,
            Some(DeleteMode::Soft) => {
                row.insert("deletedAt".to_owned(), json!(scene.now.iso()));
            }
            Some(DeleteMode::Status) => {
                row.insert("status".to_owned(), json!("cancelled"));
            }
            None => {
                let message = "these records cannot be deleted";
                return Err(Failure::refused(405, "NOT_ALLOWED", message));
            }
        }
        self.touched(scene, entity, id, row).await
    }

    pub(super) async fn own_act(
        &self,
        scene: &Scene,
        entity: &str,
        id: &str,
        (name, given): (&str, Value),
    ) -> Result<(), Failure> {
        let given = object(given)?;
        let mut row = self.there(&scene.world, entity, id).await?;
        let def = self.manifest.entity(entity);
        let action = def.and_then(|def| def.write.actions.get(name));
        let action = action.ok_or_else(|| {
            Failure::refused(405, "NOT_ALLOWED", "these records have no such action")
        })?;
        let status = row.get("status").and_then(Value::as_str).unwrap_or_default();
        if !action.from.is_empty() && !action.from.iter().any(|from| from == status) {
            let message = format!("a record in the status {status} cannot do this");
            return Err(Failure::refused(409, "WRONG_STATUS", &message));
        }
        if let Some(receipt) = workflow::take(name, action, &mut row, given, scene.now)? {
            self.receive(scene, id, receipt).await?;
        }
        self.touched(scene, entity, id, row).await
    }

    /// Keeps what came for an order as a receipt.
    async fn receive(
        &self,
        scene: &Scene,
        order: &str,
        mut receipt: SandboxRow,
    ) -> Result<(), Failure> {
        let id = format!("rcv-new-{:013}-{}", scene.now.millis(), random_token(6).to_lowercase());
        self.begin("receivings", &mut receipt, &id, scene.now);
        receipt.insert("order".to_owned(), json!(order));
        self.lay("receivings", &id, Some(receipt)).await
    }

    /// The row as it is.
    async fn there(&self, world: &World, entity: &str, id: &str) -> Result<SandboxRow, Failure> {
        let found = self.found(world, entity, &[id.to_owned()]).await?.pop();
        let gone = || Failure::refused(404, "NOT_FOUND", "there is no such record");
        found.map(|(_, row)| row).ok_or_else(gone)
    }

    async fn touched(
        &self,
        scene: &Scene,
        entity: &str,
        id: &str,
        mut row: SandboxRow,
    ) -> Result<(), Failure> {
        row.insert("updatedAt".to_owned(), json!(scene.now.iso()));
        self.lay(entity, id, Some(row)).await
    }

    async fn lay(&self, entity: &str, id: &str, row: Option<SandboxRow>) -> Result<(), Failure> {
        if row.as_ref().is_some_and(|row| json!(row).to_string().len() > ROW_MAX) {
            return Err(Failure::refused(422, "TOO_LARGE", "the record is too large to be kept"));
        }
        if self.stateful {
            return Ok(self.kept.put(entity, id, row).await?);
        }
        self.played().rows.insert((entity.to_owned(), id.to_owned()), row);
        Ok(())
    }

    /// What the sandbox works out itself, and refuses: an order's names and totals.
    async fn reckon(
        &self,
        world: &World,
        entity: &str,
        id: &str,
        row: &mut SandboxRow,
    ) -> Result<(), Failure> {
        if entity == "purchase-orders" {
            let named = self.named(world, row).await?;
            order::complete(row, id, &named)?;
        }
        name_lines(row, id);
        Ok(())
    }

    /// The vendors and materials that an order names.
    async fn named(
        &self,
        world: &World,
        order: &SandboxRow,
    ) -> Result<BTreeMap<String, SandboxRow>, Failure> {
        let text = |row: &SandboxRow, name: &str| row.get(name)?.as_str().map(str::to_owned);
        let vendors: Vec<String> = text(order, "vendor").into_iter().collect();
        let lines = order.get("lines").and_then(Value::as_array).into_iter().flatten();
        let materials: Vec<String> =
            lines.filter_map(|line| text(line.as_object()?, "material")).collect();
        let mut named = self.found(world, "vendors", &vendors).await?;
        named.extend(self.found(world, "materials", &materials).await?);
        Ok(named.into_iter().collect())
    }
}

fn object(row: Value) -> Result<SandboxRow, Failure> {
    match row {
        Value::Object(row) => Ok(row),
        _ => Err(Failure::refused(400, "INVALID_BODY", "a row must be an object")),
    }
}

/// Gives every line that is new an id.
fn name_lines(row: &mut SandboxRow, id: &str) {
    for list in ["tasks", "parts", "resources"] {
        let lines = row.get_mut(list).and_then(Value::as_array_mut);
        for line in lines.into_iter().flatten().filter_map(Value::as_object_mut) {
            let fresh = || json!(format!("{id}-{}", random_token(8).to_lowercase()));
            line.entry("id").or_insert_with(fresh);
        }
    }
}

/// Where new records have their status, and which.
fn first_status(def: &EntityDef) -> Option<(String, String)> {
    let field = def.status.as_ref()?.as_str().to_owned();
    let mut statuses = def.statuses.iter();
    let (code, _) = statuses.find(|(_, status)| status.is_default)?;
    Some((field, code.to_owned()))
}
