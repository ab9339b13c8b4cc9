//! One fault of an example at a time: a body with that fault and no other.

use millwright_connector::{Case, WriteOp};
use serde_json::{Map, Value, json};

/// The body of a refused example that has only the fault at `field`. `fine` is a body that is accepted,
/// for a create.
pub fn isolated(case: &Case, fine: &Map<String, Value>, field: Option<&str>) -> Map<String, Value> {
    let Some(field) = field else { return case.body.clone() };
    match case.operation {
        WriteOp::Create => {
            let mut body = Value::Object(fine.clone());
            let there = pointer(field);
            let value = Value::Object(case.body.clone()).pointer(&there).cloned();
            put(&mut body, &there, value);
            body.as_object().cloned().unwrap()
        }
        _ => of_patch(&case.body, field),
    }
}

/// `lineItems[0].price` as a JSON pointer.
fn pointer(field: &str) -> String {
    format!("/{}", field.replace('[', "/").replace("].", "/").replace(']', "").replace('.', "/"))
}

fn put(body: &mut Value, pointer: &str, value: Option<Value>) {
    let (outer, name) = pointer.rsplit_once('/').unwrap();
    let outer = body.pointer_mut(outer).and_then(Value::as_object_mut).unwrap();
    match value {
        Some(value) => drop(outer.insert(name.to_owned(), value)),
        None => drop(outer.remove(name)),
    }
}

/// Of a patch, the field alone; of a line that is there, its key beside.
fn of_patch(body: &Map<String, Value>, field: &str) -> Map<String, Value> {
    let whole = Value::Object(body.clone());
    let Some((list, rest)) = field.split_once('[') else {
        return [(field.to_owned(), body[field].clone())].into_iter().collect();
    };
    let (position, inner) = rest.split_once(']').unwrap();
    let line = whole.pointer(&format!("/{list}/{position}")).unwrap();
    let line = match inner.strip_prefix('.') {
        Some(inner) => json!({ "key": line["key"], inner: line[inner] }),
        None => line.clone(),
    };
    [(list.to_owned(), json!([line]))].into_iter().collect()
}
