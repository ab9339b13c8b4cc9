use serde_json::json;

use super::*;

#[test]
fn each_form_is_read_and_written_back_as_it_was() {
    for (codec, wire, unified) in [
        (Codec::Text, json!("a"), json!("a")),
        (Codec::Id, json!(7), json!("7")),
        (Codec::Boolean, json!(true), json!(true)),
        (Codec::Integer, json!(7), json!(7)),
        (Codec::Bit, json!(1), json!(true)),
        (Codec::Bit, json!(0), json!(false)),
        (Codec::BitText, json!("1"), json!(true)),
        (Codec::BitText, json!("0"), json!(false)),
        (Codec::BooleanText, json!("true"), json!(true)),
        (Codec::TOrF, json!("F"), json!(false)),
        (Codec::XOrBlank, json!("X"), json!(true)),
        (Codec::XOrBlank, json!(""), json!(false)),
        (Codec::MinorUnits(2), json!(1250), json!("12.5")),
        (Codec::CommaList, json!("a,b c"), json!(["a", "b c"])),
        (Codec::OdataTime, json!("/Date(1769853600120)/"), json!("2026-01-31T10:00:00.120Z")),
        (Codec::OdataDate, json!("/Date(1769817600000)/"), json!("2026-01-31")),
        (Codec::Json, json!({"a": [1]}), json!({"a": [1]})),
        (Codec::DecimalText, json!("4.2"), json!("4.2")),
        (Codec::Date, json!("2026-02-28"), json!("2026-02-28")),
        (Codec::Time, json!("2026-02-28T10:00:00.120Z"), json!("2026-02-28T10:00:00.120Z")),
        (Codec::NaiveUtc, json!("2026-02-28 10:00:00.120"), json!("2026-02-28T10:00:00.120Z")),
        (Codec::UnixSeconds, json!(1_700_000_000), json!("2023-11-14T22:13:20.000Z")),
        (Codec::UnixMillis, json!(1_700_000_000_120_i64), json!("2023-11-14T22:13:20.120Z")),
        (Codec::TrytonDecimal, json!({"__class__": "Decimal", "decimal": "4.2"}), json!("4.2")),
        (
            Codec::TrytonDate,
            json!({"__class__": "date", "year": 2026, "month": 2, "day": 28}),
            json!("2026-02-28"),
        ),
        (
            Codec::TrytonDayStart,
            json!({"__class__": "date", "year": 2026, "month": 2, "day": 28}),
            json!("2026-02-28T00:00:00.000Z"),
        ),
    ] {
        assert_eq!(codec.decode(&wire, None), Ok(unified.clone()), "{codec:?}");
        assert_eq!(codec.encode(&unified), Ok(wire), "{codec:?}");
    }
}

#[test]
fn a_quantity_is_exact_from_the_wire_to_text_and_back_to_a_number() {
    let row: Value = serde_json::from_str(r#"{"quantity": 12345678901234567890.10}"#).unwrap();
    let unified = Codec::Decimal.decode(&row["quantity"], None).unwrap();
    assert_eq!(unified, json!("12345678901234567890.1"));
    let wire = Codec::Decimal.encode(&unified).unwrap();
    assert_eq!(wire.to_string(), "12345678901234567890.1");
}

#[test]
fn zones_are_brought_to_utc() {
    let decoded = Codec::Time.decode(&json!("2026-02-28T01:00:00+02:00"), None);
    assert_eq!(decoded, Ok(json!("2026-02-27T23:00:00.000Z")));
}

#[test]
fn a_bit_is_read_as_true_or_false_and_never_written() {
    assert_eq!(Codec::Boolean.decode(&json!(1), None), Ok(json!(true)));
    assert_eq!(Codec::Boolean.decode(&json!(0), None), Ok(json!(false)));
    assert!(Codec::Boolean.decode(&json!(2), None).is_err());
    assert!(Codec::Boolean.encode(&json!(1)).is_err());
}

#[test]
fn a_value_of_another_form_is_refused() {
    for (codec, wire) in [
        (Codec::Text, json!({})),
        (Codec::Id, json!("x")),
        (Codec::Boolean, json!("true")),
        (Codec::Integer, json!("7")),
        (Codec::Integer, json!(7.5)),
        (Codec::Bit, json!("1")),
        (Codec::TOrF, json!("t")),
        (Codec::XOrBlank, json!("x")),
        (Codec::MinorUnits(2), json!(12.5)),
        (Codec::MinorUnits(2), json!(true)),
        (Codec::OdataTime, json!("2026-01-31T10:00:00Z")),
        (Codec::SiteTime, json!("2026-01-31 10:00:00")),
        (Codec::CommaList, json!(["a"])),
        (Codec::Html, json!(1)),
        (Codec::Decimal, json!("4,2")),
        (Codec::Date, json!("2026-02-30")),
        (Codec::Time, json!("2026-02-28 10:00")),
        (Codec::NaiveUtc, json!("yesterday")),
        (Codec::UnixSeconds, json!("soon")),
        (Codec::TrytonDecimal, json!(4.2)),
        (Codec::TrytonDate, json!({"__class__": "date", "year": 2026, "month": 13, "day": 1})),
        (Codec::TrytonTime, json!({"__class__": "date", "year": 2026, "month": 1, "day": 1})),
    ] {
        assert!(codec.decode(&wire, None).is_err(), "{codec:?}");
    }
    for (codec, unified) in [
        (Codec::Decimal, json!(4.2)),
        (Codec::Decimal, json!("1e3")),
        (Codec::Id, json!("07")),
        (Codec::Id, json!("99999999999999999999")),
        (Codec::Time, json!("2026-02-28")),
        (Codec::Date, json!("28.02.2026")),
        (Codec::MinorUnits(2), json!("12.505")),
        (Codec::CommaList, json!(["a,b"])),
        (Codec::Html, json!("a")),
        (Codec::Bit, json!("true")),
    ] {
        assert!(codec.encode(&unified).is_err(), "{codec:?} {unified}");
    }
    assert_eq!(Codec::Id.encode(&Value::Null), Ok(Value::Null));
}

#[test]
fn a_time_of_the_site_takes_the_systems_zone() {
    let zone = Zone::named("America/New_York");
    let wire = json!("2026-01-31 05:00:00.000");
    let unified = json!("2026-01-31T10:00:00.000Z");
    assert_eq!(Codec::SiteTime.decode(&wire, zone.as_ref()), Ok(unified.clone()));
    assert_eq!(Codec::SiteTime.encode_in(&unified, zone.as_ref()), Ok(wire));
    assert!(Codec::SiteTime.encode(&unified).is_err());
}

#[test]
fn codecs_are_named_in_snake_case_and_some_have_a_number() {
    let read = |text: &str| serde_saphyr::from_str::<Codec>(text).ok();
    assert_eq!(read("t_or_f"), Some(Codec::TOrF));
    assert_eq!(read("x_or_blank"), Some(Codec::XOrBlank));
    assert_eq!(read("odata_time"), Some(Codec::OdataTime));
    assert_eq!(read("{ minor_units: 2 }"), Some(Codec::MinorUnits(2)));
    assert_eq!(read("{ minor_units: 99 }"), None);
    assert_eq!(read("minor_units"), None);
    let value = serde_json::to_value(Codec::MinorUnits(2)).unwrap();
    assert_eq!(value, json!({"minor_units": 2}));
    assert_eq!(serde_json::from_value::<Codec>(value).unwrap(), Codec::MinorUnits(2));
}
