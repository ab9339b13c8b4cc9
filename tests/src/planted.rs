//! Secrets that are planted on purpose, and looked for afterwards in every form in which they could have
//! got away.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// What was planted.
#[derive(Debug, Default)]
pub struct Planted {
    names: Vec<String>,
    forms: Vec<Form>,
    /// The places in `forms` by the first two bytes: everything is sought in one pass.
    starts: Vec<Vec<usize>>,
}

/// One form of a secret.
#[derive(Debug)]
struct Form {
    /// Its place in the names.
    secret: usize,
    name: &'static str,
    bytes: Vec<u8>,
}

impl Planted {
    /// Plants a secret; answers with its text, to be used once.
    ///
    /// # Panics
    /// When it is too short to be told from chance.
    pub fn plant(&mut self, what: &str, secret: &str) -> String {
        assert!(secret.len() >= 12, "{what} could be found by chance");
        self.starts.resize(STARTS, Vec::new());
        for (name, bytes) in forms(secret) {
            self.starts[start(bytes[0], bytes[1])].push(self.forms.len());
            self.forms.push(Form { secret: self.names.len(), name, bytes });
        }
        self.names.push(what.to_owned());
        secret.to_owned()
    }

    /// What was planted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// Every planted secret in some bytes, with where and in what form.
    #[must_use]
    pub fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        if self.names.is_empty() {
            return Vec::new();
        }
        for at in 0..bytes.len().saturating_sub(1) {
            for &form in &self.starts[start(bytes[at], bytes[at + 1])] {
                if bytes[at..].starts_with(&self.forms[form].bytes) {
                    found.insert(form);
                }
            }
        }
        let tell = |form: &usize| {
            let Form { secret, name, .. } = &self.forms[*form];
            format!("{}, {name}, in {place}", self.names[*secret])
        };
        found.iter().map(tell).collect()
    }

    /// Every planted secret in the files of a folder, in whatever depth, and in their names.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn found_under(&self, folder: &Path) -> Vec<String> {
        files(folder)
            .into_iter()
            .flat_map(|file| {
                let name = file.display().to_string();
                let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
                let mut found = self.found_in(&name, &bytes);
                found.extend(self.found_in("a file's name", name.as_bytes()));
                found
            })
            .collect()
    }
}

/// The files of a folder.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// How many pairs of bytes there are.
const STARTS: usize = 1 << 16;

fn start(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("plain", secret.as_bytes().to_vec()),
        ("in a URL", percent(secret, true).into_bytes()),
        ("in a URL, small letters", percent(secret, true).to_lowercase().into_bytes()),
        ("in a form", percent(secret, false).into_bytes()),
        ("hex", hex(secret).into_bytes()),
        ("HEX", hex(secret).to_uppercase().into_bytes()),
        ("in JSON", in_json(secret).into_bytes()),
        ("in JSON in JSON", in_json(&in_json(secret)).into_bytes()),
        ("in JSON, ASCII", ascii(&in_json(secret)).into_bytes()),
        ("in HTML", in_html(secret).into_bytes()),
        ("UTF-16, small end first", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16, big end first", secret.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ];
    for before in 0..3 {
        all.push(("base64", in_base64(&STANDARD_NO_PAD, secret, before)));
        all.push(("base64 for URLs", in_base64(&URL_SAFE_NO_PAD, secret, before)));
    }
    let mut known = BTreeSet::new();
    all.retain(|(_, bytes)| known.insert(bytes.clone()));
    all
}

/// What stands in base64 of a longer text in which the secret comes after `before` bytes (of three):
/// only the letters that the secret alone decides.
fn in_base64(engine: &impl Engine, secret: &str, before: usize) -> Vec<u8> {
    let whole = engine.encode([vec![0; before], secret.as_bytes().to_vec()].concat());
    let skipped = [0, 2, 3][before];
    let kept = (before + secret.len()) / 3 * 4;
    whole.as_bytes()[skipped..kept].to_vec()
}

fn percent(secret: &str, blank_too: bool) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        match byte {
            b' ' if !blank_too => text.push('+'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

fn hex(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii(text: &str) -> String {
    let mut plain = String::new();
    let mut units = [0; 2];
    for one in text.chars() {
        if one.is_ascii() {
            plain.push(one);
        } else {
            for unit in one.encode_utf16(&mut units) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    plain
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "pl4nted \"käse\"/+&=%-1";

    fn planted() -> Planted {
        let mut planted = Planted::default();
        planted.plant("a password", SECRET);
        planted
    }

    #[test]
    fn a_secret_is_found_in_every_form_in_which_it_can_get_away() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let planted = planted();
        let json = serde_json::json!({"key": SECRET}).to_string();
        for (form, text) in [
            ("plain", format!("key={SECRET};")),
            ("basic", STANDARD.encode(format!("user:{SECRET}"))),
            ("basic, one later", STANDARD.encode(format!("user1:{SECRET}x"))),
            ("basic, two later", STANDARD.encode(format!("user12:{SECRET}yz"))),
            ("for URLs", URL_SAFE.encode(format!("u:{SECRET}"))),
            ("query", format!("?key={}&x", percent(SECRET, true))),
            ("form", format!("key={}&x", percent(SECRET, false))),
            ("JSON", json.clone()),
            ("JSON in JSON", serde_json::json!({ "body": json }).to_string()),
            ("hex", hex(SECRET)),
            ("html", format!("<p title=\"{}\">", in_html(SECRET))),
        ] {
            assert!(!planted.found_in(form, text.as_bytes()).is_empty(), "{form}: {text}");
        }
        let wide: Vec<u8> = SECRET.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!planted.found_in("wide", &wide).is_empty());
    }

    #[test]
    fn what_only_looks_alike_is_not_found() {
        for text in ["", "pl4nted \"käse\"", "PL4NTED", &"p".repeat(4000)] {
            assert!(planted().found_in("text", text.as_bytes()).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_secret_in_a_file_deep_in_a_folder_is_found_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("blobs/a");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("clean"), "nothing").unwrap();
        assert!(planted().found_under(folder.path()).is_empty());
        fs::write(deep.join("dirty"), [b"\0\x01".as_slice(), SECRET.as_bytes()].concat()).unwrap();
        let found = planted().found_under(folder.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("a password, plain") && found[0].ends_with("dirty"), "{found:?}");
    }
}
