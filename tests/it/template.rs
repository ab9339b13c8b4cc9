//! `template.yaml` against the code: what is deployed is what the code expects.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use millwright_core::QueueName;
use millwright_local::host::{Consumer, QUEUES};
use millwright_queue::{DEAD_LETTER_VARIABLE, url_variable};
use millwright_store::{IndexDef, Projection, Table, TableDef};
use millwright_tests::{
    parts,
    template::{Template, object, text},
};
use serde_json::{Value, json};

const TABLE: &str = "AWS::DynamoDB::Table";
const QUEUE: &str = "AWS::SQS::Queue";

/// The table behind a variable, in every function that has it.
fn table_of(template: &Template, table: Table) -> Value {
    let tables = template.resources(TABLE);
    let names: BTreeSet<String> = template
        .functions()
        .iter()
        .filter_map(|function| function.variables.get(table.variable()).map(text))
        .collect();
    assert_eq!(names.len(), 1, "{} names one table everywhere", table.variable());
    tables[names.first().unwrap()].clone()
}

fn keys(hash: &str, range: &str) -> Value {
    json!([
        { "AttributeName": hash, "KeyType": "HASH" },
        { "AttributeName": range, "KeyType": "RANGE" },
    ])
}

fn index(index: &IndexDef) -> Value {
    let projection = match &index.projection {
        Projection::KeysOnly => json!({ "ProjectionType": "KEYS_ONLY" }),
        Projection::Include(names) => {
            json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names })
        }
    };
    json!({
        "IndexName": index.name,
        "KeySchema": keys(index.hash, index.range),
        "Projection": projection,
    })
}

/// Attributes that are keys somewhere, with their types.
fn attributes(table: &TableDef) -> BTreeMap<String, String> {
    let of = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    let mut all = BTreeMap::from([of(TableDef::PK, "S"), of(TableDef::SK, "S")]);
    for index in table.indexes {
        all.extend([of(index.hash, "S"), of(index.range, index.sorted_by.letter())]);
    }
    all
}

#[test]
fn the_tables_are_deployed_as_the_code_defines_them() {
    let template = Template::read();
    assert_eq!(template.resources(TABLE).len(), TableDef::ALL.len());
    for definition in TableDef::ALL {
        let table = table_of(&template, definition.table);
        assert_eq!(table["KeySchema"], keys(TableDef::PK, TableDef::SK));
        let expected: Vec<Value> = definition.indexes.iter().map(index).collect();
        let indexes = table["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
        assert_eq!(indexes, expected, "indexes of {}", definition.table.name());
        let deployed: BTreeMap<String, String> = table["AttributeDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| (text(&a["AttributeName"]), text(&a["AttributeType"])))
            .collect();
        assert_eq!(deployed, attributes(definition));
        let ttl = json!({ "AttributeName": TableDef::TTL, "Enabled": true });
        assert_eq!(table["TimeToLiveSpecification"], ttl);
    }
}

#[test]
fn every_queue_of_the_code_is_deployed_and_no_other() {
    let template = Template::read();
    let queues = template.resources(QUEUE);
    let mut named = BTreeMap::new();
    for function in template.functions() {
        for (variable, queue) in &function.variables {
            if variable.starts_with("MILLWRIGHT_QUEUE_") {
                let before = named.insert(variable.clone(), text(queue));
                assert!(before.is_none_or(|before| before == text(queue)), "{variable} differs");
            }
        }
    }
    let mut expected: BTreeSet<&str> = QueueName::ALL.map(url_variable).into();
    expected.insert(DEAD_LETTER_VARIABLE);
    assert_eq!(named.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    let deployed: BTreeSet<&String> = queues.keys().collect();
    assert_eq!(named.values().collect::<BTreeSet<_>>(), deployed, "each variable its own queue");
}

#[test]
fn a_queue_hides_a_message_for_six_times_its_consumers_limit_and_buries_it_late() {
    let template = Template::read();
    let queues = template.resources(QUEUE);
    let dead = text(&template.function("deliver").variables[DEAD_LETTER_VARIABLE]);
    for function in template.functions() {
        for (kind, event) in &function.events {
            if kind != "SQS" {
                continue;
            }
            let name = text(&event["Queue"]).trim_end_matches(".Arn").to_owned();
            let queue = &queues[&name];
            let visibility = queue["VisibilityTimeout"].as_u64().unwrap();
            assert!(visibility >= 6 * function.timeout, "{name}: {visibility} s");
            assert_eq!(queue["MessageRetentionPeriod"], json!(14 * 24 * 3600), "{name}");
            assert_eq!(queue["SqsManagedSseEnabled"], json!(true), "{name}");
            assert_eq!(event["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
            assert!(event["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap() >= 2);
            if name == dead {
                assert_eq!(queue["RedrivePolicy"], Value::Null, "the last queue buries nothing");
            } else {
                let redrive = &queue["RedrivePolicy"];
                assert_eq!(redrive["deadLetterTargetArn"], format!("{dead}.Arn"), "{name}");
                assert!(redrive["maxReceiveCount"].as_u64().unwrap() >= 5, "{name}");
            }
        }
    }
}

#[test]
fn one_machine_gives_the_functions_the_limits_they_are_deployed_with() {
    let template = Template::read();
    for local in QUEUES {
        let function = template.function(match local.consumer {
            Consumer::Sync => "sync",
            Consumer::Deliver => "deliver",
        });
        assert_eq!(local.consumer.timeout().as_secs(), function.timeout, "{}", function.logical);
        let deployed = text(&template.function("deliver").variables[local.variable()]);
        let queue = &template.resources(QUEUE)[&deployed];
        assert_eq!(queue["VisibilityTimeout"], json!(local.visibility), "{deployed}");
        let source = format!("{deployed}.Arn");
        let event = function.events.iter().find(|(_, event)| event["Queue"] == source.as_str());
        let (_, event) = event.unwrap_or_else(|| panic!("{} reads {source}", function.logical));
        assert_eq!(event["BatchSize"], json!(local.batch), "{deployed}");
    }
}

#[test]
fn every_queue_has_one_consumer() {
    let template = Template::read();
    let mut read = BTreeMap::<String, Vec<String>>::new();
    for function in template.functions() {
        for (kind, event) in &function.events {
            if kind == "SQS" {
                let queue = text(&event["Queue"]).trim_end_matches(".Arn").to_owned();
                read.entry(queue).or_default().push(function.logical.clone());
            }
        }
    }
    assert_eq!(
        read.keys().cloned().collect::<Vec<_>>(),
        template.resources(QUEUE).into_keys().collect::<Vec<_>>()
    );
    assert!(read.values().all(|readers| readers.len() == 1), "{read:?}");
}

#[test]
fn the_tick_comes_every_minute_with_an_empty_input() {
    let tick = Template::read().function("tick");
    let (kind, event) = &tick.events[0];
    assert_eq!((tick.events.len(), kind.as_str()), (1, "ScheduleV2"));
    assert_eq!(event["ScheduleExpression"], "rate(1 minute)");
    assert_eq!(event["Input"], "{}");
}

#[test]
fn the_template_sets_no_variable_that_the_code_does_not_know() {
    let known = variables_in_source();
    for function in Template::read().functions() {
        for variable in function.variables.keys() {
            assert!(known.contains(variable), "{} sets {variable}", function.logical);
        }
    }
}

#[test]
fn a_role_names_what_it_may_touch() {
    let template = Template::read();
    let mut statements = Vec::new();
    for (name, role) in template.resources("AWS::IAM::Role") {
        assert!(
            role["ManagedPolicyArns"]
                .as_array()
                .is_none_or(|policies| policies.iter().all(|policy| text(policy) == "DataPolicy"))
        );
        for policy in role["Policies"].as_array().unwrap() {
            statements.push((name.clone(), policy["PolicyDocument"]["Statement"].clone()));
        }
    }
    for (name, policy) in template.resources("AWS::IAM::ManagedPolicy") {
        statements.push((name, policy["PolicyDocument"]["Statement"].clone()));
    }
    assert_eq!(statements.len(), 5);
    for (name, statement) in statements {
        let text = statement.to_string();
        assert!(!text.contains(r#""*""#) && !text.contains(":*"), "{name}: {text}");
        assert!(!text.contains("Scan"), "{name} may scan");
    }
    for function in template.resources("AWS::Serverless::Function").into_values() {
        assert!(
            text(&function["Role"]).ends_with("Role.Arn"),
            "each function has a role of its own"
        );
    }
}

#[test]
fn every_function_keeps_its_log_for_a_time_and_in_json() {
    let template = Template::read();
    let groups = template.resources("AWS::Logs::LogGroup");
    assert!(groups.values().all(|group| !group["RetentionInDays"].is_null()));
    for (name, function) in template.resources("AWS::Serverless::Function") {
        let logging = object(&function["LoggingConfig"]);
        assert_eq!(logging["LogFormat"], "JSON", "{name}");
        assert!(groups.contains_key(&text(&logging["LogGroup"])), "{name}");
    }
}

/// Every `"MILLWRIGHT_..."` in the sources of what is deployed.
fn variables_in_source() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["shared", "functions"] {
        collect(&parts::repository().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let quoted = source.split('"').filter(|part| part.starts_with("MILLWRIGHT_"));
            found.extend(quoted.map(str::to_owned));
        }
    }
}
