//! Writing: what the engine asks of a sandbox. Every call passes the scenario first.

use serde_json::Value;

use super::{
    Sandbox, answer,
    call::{Call, Operation},
    scene::Turn,
};
use crate::error::SystemError;

impl Sandbox {
    /// Makes a record.
    pub(crate) async fn create(
        &self,
        entity: &str,
        row: Value,
        token: &str,
    ) -> Result<String, SystemError> {
        let call = Call::of(entity, Operation::Create);
        let scene = match self.turn(&call).await? {
            Turn::Answered(answer) => return answer::id(answer.value),
            Turn::Own(scene) => scene,
        };
        let made = self.own_create(&scene, entity, row, token).await;
        self.finish(&scene, &call, made).await
    }

    /// Changes a record. `row` has the members that change; objects are merged, and of lines it has
    /// those that are new (without an id), changed or removed (with `deleted`).
    pub(crate) async fn update(
        &self,
        entity: &str,
        id: &str,
        row: Value,
    ) -> Result<(), SystemError> {
        let call = Call::of(entity, Operation::Update);
        let Turn::Own(scene) = self.turn(&call).await? else { return Ok(()) };
        let done = self.own_update(&scene, entity, id, row).await;
        self.finish(&scene, &call, done).await
    }

    /// Deletes a record, as the manifest says that its entity's are.
    pub(crate) async fn remove(&self, entity: &str, id: &str) -> Result<(), SystemError> {
        let call = Call::of(entity, Operation::Delete);
        let Turn::Own(scene) = self.turn(&call).await? else { return Ok(()) };
        let done = self.own_remove(&scene, entity, id).await;
        self.finish(&scene, &call, done).await
    }

    /// Takes a step of a record's workflow.
    pub(crate) async fn act(
        &self,
        entity: &str,
        id: &str,
        action: &str,
        row: Value,
    ) -> Result<(), SystemError> {
        let call = Call::of(entity, Operation::Action(action));
        let Turn::Own(scene) = self.turn(&call).await? else { return Ok(()) };
        let done = self.own_act(&scene, entity, id, (action, row)).await;
        self.finish(&scene, &call, done).await
    }

    /// The id of the record that was made with a token, if one was.
    pub(crate) async fn find(
        &self,
        entity: &str,
        token: &str,
    ) -> Result<Option<String>, SystemError> {
        let call = Call::of(entity, Operation::Get);
        let scene = match self.turn(&call).await? {
            Turn::Answered(answer) => return answer::id(answer.value).map(Some),
            Turn::Own(scene) => scene,
        };
        let played = self.played().made.get(&(entity.to_owned(), token.to_owned())).cloned();
        let found = match played {
            Some(id) => Ok(Some(id)),
            None => self.made_with(&scene.world, entity, token).await,
        };
        self.finish(&scene, &call, found).await
    }
}
