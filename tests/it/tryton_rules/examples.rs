//! Every example of the manifest's write rules on the live server: what is accepted is done, what is
//! refused is refused by us first, and past us by the server too.

use std::collections::BTreeSet;

use millwright_connector::{Case, Catalog, WriteOp};
use millwright_tests::api::Answer;
use serde_json::{Map, Value};

use super::{isolated::isolated, past::Past, world::World};

/// What we refuse and the live server does not, with the reason: entity, operation, field, code.
const STRICTER: [(&str, &str, &str, &str, &str); 10] = [
    ("purchase-orders", "create", "lineItems", "LINES_REQUIRED", NO_LINES),
    ("purchase-orders", "create", "lineItems[0].materialKey", "FIELD_REQUIRED", NO_PRODUCT),
    ("purchase-orders", "create", "lineItems[0].price", "FIELD_REQUIRED", NO_PRICE),
    ("purchase-orders", "update", "lineItems", "LINES_REQUIRED", NO_LINES),
    ("purchase-orders", "update", "lineItems[0].materialKey", "FIELD_REQUIRED", NO_PRODUCT),
    ("purchase-orders", "update", "lineItems[0].price", "FIELD_REQUIRED", NO_PRICE),
    (
        "purchase-orders",
        "update",
        "locationKey",
        "FIELD_REQUIRED",
        "an order without a warehouse cannot be quoted",
    ),
    (
        "vendors",
        "update",
        "addresses",
        "FIELD_READ_ONLY",
        "an address has no key by which a patch could name it",
    ),
    (
        "vendors",
        "update",
        "code",
        "FIELD_READ_ONLY",
        "no step of the update sends it; sent straight, Tryton refuses it: see forgotten.rs",
    ),
    (
        "receivings",
        "update",
        "purchaseOrderKey",
        "FIELD_READ_ONLY",
        "Tryton's receipt has no such field, and fails without words for it",
    ),
];
const NO_LINES: &str = "an order without lines cannot be quoted";
const NO_PRODUCT: &str = "a line without a product cannot be processed";
const NO_PRICE: &str = "a line without a price cannot be confirmed";

#[tokio::test]
async fn every_example_of_a_write_rule_holds_on_the_live_server() {
    let world = World::new().await;
    let mut played = Played {
        past: Past::new(&world.tryton, &world.connection),
        world,
        stricter: BTreeSet::new(),
        count: 0,
    };
    let catalog = Catalog::builtin();
    for (slug, def) in catalog.get("tryton").unwrap().entities.iter() {
        let cases = def.examples().unwrap();
        let fine = cases.iter().find(|case| case.operation == WriteOp::Create);
        let Some(fine) = fine.cloned() else { continue };
        assert!(fine.refused.is_empty(), "the first example of {slug} is accepted");
        played.the_fine_one_passes_past_us(slug, &fine).await;
        for case in cases {
            if case.refused.is_empty() {
                played.accepted(slug, &case).await;
            } else {
                played.refused(slug, &case, &fine).await;
            }
        }
    }
    assert!(played.count >= 45, "{} examples", played.count);
    let listed: BTreeSet<String> = STRICTER
        .iter()
        .map(|(entity, on, field, code, _)| words(entity, on, field, code))
        .collect();
    assert_eq!(played.stricter, listed, "what we refuse and the live server does not");
}

fn words(entity: &str, operation: &str, field: &str, code: &str) -> String {
    format!("{entity}: {operation} {field} {code}")
}

struct Played {
    world: World,
    past: Past,
    stricter: BTreeSet<String>,
    count: usize,
}

impl Played {
    /// Without the rules the connector still works: what is refused, is refused for its fault.
    async fn the_fine_one_passes_past_us(&self, slug: &str, fine: &Case) {
        if slug == "receivings" {
            return;
        }
        let mut body = self.world.filled(fine, fine.body.clone(), &[]);
        let body = body.as_object_mut().unwrap();
        let refused =
            self.past.refusal(&self.world.known(), slug, &WriteOp::Create, None, body).await;
        assert!(refused.is_none(), "{slug}: {refused:?}");
    }

    async fn accepted(&mut self, slug: &str, case: &Case) {
        let (subject, answer) = self.through_us(slug, case).await;
        let expected = if case.operation == WriteOp::Create { 201 } else { 200 };
        assert_eq!(answer.status, expected, "{slug} {case:?} {subject:?}: {:#}", answer.body);
        assert!(answer.body["meta"]["warnings"].is_null(), "{slug} {case:?}: {:#}", answer.body);
        self.count += 1;
    }

    async fn refused(&mut self, slug: &str, case: &Case, fine: &Case) {
        let (subject, answer) = self.through_us(slug, case).await;
        let mut expected: Vec<(String, String)> = case
            .refused
            .iter()
            .map(|one| (one.field.clone().unwrap_or_default(), one.code.to_string()))
            .collect();
        expected.sort();
        assert_eq!(told(&answer), expected, "{slug} {case:?}: {:#}", answer.body);
        assert!(answer.body["error"]["upstream"].is_null(), "we refuse it: {:#}", answer.body);
        self.count += 1;
        for fault in &case.refused {
            let body = isolated(case, &fine.body, fault.field.as_deref());
            let lines = subject.as_ref().map_or(&[][..], |(_, lines)| lines);
            let body = self.world.filled(case, body, lines);
            let id = subject.as_ref().map(|(id, _)| id.as_str());
            let field = fault.field.as_deref().unwrap_or_default();
            let place = words(slug, case.operation.name(), field, fault.code.as_str());
            self.past_us(slug, &case.operation, id, body.as_object().unwrap(), place).await;
        }
    }

    /// Plays it through the API; answers with the id and the lines of the record too.
    async fn through_us(&self, slug: &str, case: &Case) -> (Option<(String, Vec<String>)>, Answer) {
        let world = &self.world;
        let subject = world.subject(slug, case).await;
        let mut case = case.clone();
        if slug == "receivings"
            && let Some(order) = case.body.get_mut("purchaseOrderKey")
            && !case.unknown.iter().any(|unknown| *order == **unknown)
        {
            *order = world.order("processing", 1).await.into();
        }
        let lines = subject.as_ref().map_or(&[][..], |one| &one.lines);
        let body = world.filled(&case, case.body.clone(), lines);
        let key = subject.as_ref().map(|one| one.key.as_str());
        let answer = world.perform(slug, &case.operation, key, &body).await;
        (subject.map(|one| (one.id, one.lines)), answer)
    }

    async fn past_us(
        &mut self,
        slug: &str,
        operation: &WriteOp,
        id: Option<&str>,
        body: &Map<String, Value>,
        place: String,
    ) {
        let refused = self.past.refusal(&self.world.known(), slug, operation, id, body).await;
        let by_tryton = refused.as_ref().is_some_and(|error| error.upstream.code.is_some());
        if !by_tryton {
            self.stricter.insert(place);
        }
    }
}

/// The faults of an answer; a sole code without a field for a conflict.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let error = &answer.body["error"];
    let fields = error["fields"].as_array().map_or(&[][..], Vec::as_slice);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<(String, String)> =
        fields.iter().map(|fault| (word(&fault["path"]), word(&fault["code"]))).collect();
    if found.is_empty() {
        found.push((String::new(), word(&error["code"])));
    }
    found.sort();
    found
}
