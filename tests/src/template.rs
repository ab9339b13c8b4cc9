//! `template.yaml` as the tests read it.
//!
//! Intrinsic functions are read as their arguments: `!Ref FanoutQueue` as the text `FanoutQueue`,
//! `!GetAtt FanoutQueue.Arn` as `FanoutQueue.Arn`. That is all that comparing names needs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::parts;

/// The template.
#[derive(Clone, Debug)]
pub struct Template(Value);

/// A function of the template.
#[derive(Clone, Debug)]
pub struct FunctionPart {
    /// Its name in the template.
    pub logical: String,
    /// The folder with its code.
    pub folder: String,
    /// Its variables, those for all functions included. The values are as they stand there.
    pub variables: BTreeMap<String, Value>,
    /// Its time limit in seconds.
    pub timeout: u64,
    /// What wakes it: type and properties.
    pub events: Vec<(String, Value)>,
}

impl Template {
    /// Reads the repository's template.
    ///
    /// # Panics
    /// When it is not there or not YAML.
    #[must_use]
    pub fn read() -> Self {
        let path = parts::repository().join("template.yaml");
        let text = std::fs::read_to_string(path).expect("the template is there");
        Self(serde_saphyr::from_str(&text).expect("the template is YAML"))
    }

    /// The resources of a type, by name.
    #[must_use]
    pub fn resources(&self, kind: &str) -> BTreeMap<String, Value> {
        let all = object(&self.0["Resources"]);
        let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
        of_kind.map(|(name, resource)| (name.clone(), resource["Properties"].clone())).collect()
    }

    /// The functions.
    ///
    /// # Panics
    /// When one lacks what every function has.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionPart> {
        let common = &self.0["Globals"]["Function"]["Environment"]["Variables"];
        let part = |(logical, properties): (String, Value)| FunctionPart {
            folder: text(&properties["CodeUri"]),
            variables: object(common)
                .into_iter()
                .chain(object(&properties["Environment"]["Variables"]))
                .collect(),
            timeout: properties["Timeout"].as_u64().expect("a timeout"),
            events: object(&properties["Events"])
                .into_values()
                .map(|event| (text(&event["Type"]), event["Properties"].clone()))
                .collect(),
            logical,
        };
        self.resources("AWS::Serverless::Function").into_iter().map(part).collect()
    }

    /// The function whose code is in `functions/NAME`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn function(&self, name: &str) -> FunctionPart {
        let folder = format!("functions/{name}");
        let found = self.functions().into_iter().find(|function| function.folder == folder);
        found.unwrap_or_else(|| panic!("no function has its code in {folder}"))
    }
}

/// An object's members; none when it is not there.
#[must_use]
pub fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The text of a value that is text; empty when it is not.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
