//! From the system's name of a field to the unified one.

use crate::{manifest::WriteField, table::Table};

/// The unified name of what the system calls `name` (`party`, `lines.0.unit_price`,
/// `items[2].quantity`), of the fields in a table. Positions are kept where the system names one.
pub(crate) fn unified_name(fields: &Table<WriteField>, name: &str) -> Option<String> {
    let parts: Vec<String> = parts(name);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    found(fields, &parts).or_else(|| {
        // Some systems name the column alone, of whatever table.
        let [sole] = parts.as_slice() else { return None };
        let inner = fields.iter().filter_map(|(outer, field)| Some((outer, field.inner()?)));
        let mut inner = inner.filter_map(|(outer, inner)| Some((outer, found(inner, &[sole])?)));
        inner.next().map(|(outer, name)| format!("{outer}.{name}"))
    })
}

fn found(fields: &Table<WriteField>, parts: &[&str]) -> Option<String> {
    fields.iter().find_map(|(unified, field)| {
        let own: Vec<&str> = field.to().keys().collect();
        if own.is_empty() {
            return None;
        }
        let rest = parts.strip_prefix(own.as_slice())?;
        let (position, rest) = match rest.split_first() {
            Some((first, rest)) if is_position(first) => (Some(*first), rest),
            _ => (None, rest),
        };
        let place = match position {
            Some(position) => format!("{unified}[{position}]"),
            None => unified.to_owned(),
        };
        match (rest.is_empty(), field.inner()) {
            (true, _) => Some(place),
            (false, Some(inner)) => found(inner, rest).map(|name| format!("{place}.{name}")),
            (false, None) => None,
        }
    })
}

/// `items[2].quantity` is `items`, `2`, `quantity`.
fn parts(name: &str) -> Vec<String> {
    let split = name.split(['.', '[', ']', '/']).filter(|part| !part.is_empty());
    split.map(str::to_owned).collect()
}

fn is_position(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systems_name_leads_back_to_the_unified_field() {
        let fields: Table<WriteField> = serde_saphyr::from_str(
            "vendorKey: { to: party, references: vendors }\n\
             notes: { to: post.raw }\n\
             lineItems:\n  to: lines\n  fields: { price: { to: unit_price }, quantity: { to: qty } }\n",
        )
        .unwrap();
        for (name, unified) in [
            ("party", Some("vendorKey")),
            ("post.raw", Some("notes")),
            ("lines", Some("lineItems")),
            ("lines.unit_price", Some("lineItems.price")),
            ("lines.2.qty", Some("lineItems[2].quantity")),
            ("lines[0].qty", Some("lineItems[0].quantity")),
            ("unit_price", Some("lineItems.price")),
            ("raw", None),
            ("nope", None),
            ("", None),
        ] {
            assert_eq!(unified_name(&fields, name).as_deref(), unified, "{name}");
        }
    }
}
