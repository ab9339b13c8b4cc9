//! Every way to verify a message that `docs/webhooks-for-receivers.md` shows, run as it stands there.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use http::{HeaderMap, HeaderName};
use millwright_tests::{
    millwright::Millwright,
    parts,
    process::{Process, free_port},
    receiver::Delivery,
    wait,
};
use serde_json::json;
use standardwebhooks::Webhook;
use tokio::net::TcpStream;

use super::{ids, polled, send};
use crate::scene::{LONG, text};

mod in_rust {
    include!("verify.rs");
}

/// A message as a receiver has it.
#[derive(Clone)]
struct Example {
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// The document's blocks of code in a language.
fn blocks(language: &str) -> Vec<String> {
    let path = parts::repository().join("docs/webhooks-for-receivers.md");
    let document = fs::read_to_string(path).unwrap();
    let start = format!("```{language}\n");
    let block = |text: &str| text.split("\n```").next().map(|code| format!("{code}\n"));
    document.split(&start).skip(1).filter_map(block).collect()
}

/// The block that tells a right message from a wrong one by `having`.
fn block(language: &str, having: &str) -> String {
    let found = blocks(language).into_iter().find(|code| code.contains(having));
    found.unwrap_or_else(|| panic!("no {language} that has {having}"))
}

/// Whether a program that is given an example on its standard input ends well: 0 accepts, 3 refuses.
fn accepts(program: &Path, script: &Path, example: &Example) -> bool {
    let mut command = Command::new(program);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", program.display()));
    let Example { secret, headers, body } = example;
    let input = json!({ "secret": secret, "headers": headers, "body": body }).to_string();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    match output.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => panic!("{}: {}", script.display(), String::from_utf8_lossy(&output.stderr)),
    }
}

/// A snippet with what calls it, as a file: in the tests' own folders where it finds its libraries.
struct Snippet {
    program: &'static Path,
    script: tempfile::TempPath,
}

impl Snippet {
    fn new(program: &'static Path, folder: &Path, ending: &str, code: &str) -> Self {
        let mut file = tempfile::Builder::new().suffix(ending).tempfile_in(folder).unwrap();
        file.write_all(code.as_bytes()).unwrap();
        Self { program, script: file.into_temp_path() }
    }

    fn python(folder: &Path) -> Self {
        let code = block("python", "def verify(")
            + "\nimport json, sys\nasked = json.load(sys.stdin)\n\
               sys.exit(0 if verify(asked['secret'], asked['headers'], asked['body'].encode()) else 3)\n";
        Self::new(parts::python(), folder, ".py", &code)
    }

    fn node(having: &str) -> Self {
        let code = block("javascript", having)
            + "\nimport { readFileSync } from 'node:fs';\n\
               const asked = JSON.parse(readFileSync(0, 'utf8'));\n\
               process.exit(verify(asked.secret, asked.headers, asked.body) ? 0 : 3);\n";
        Self::new(Path::new("node"), &parts::node(), ".mjs", &code)
    }

    fn php(folder: &Path) -> Self {
        let code = format!(
            "<?php\n{}\n$asked = json_decode(stream_get_contents(STDIN), true);\n\
             exit(verify($asked['secret'], $asked['headers'], $asked['body']) ? 0 : 3);\n",
            block("php", "function verify(")
        );
        Self::new(Path::new("php"), folder, ".php", &code)
    }

    fn ruby(folder: &Path) -> Self {
        let code = block("ruby", "def verify(")
            + "\nrequire 'json'\nasked = JSON.parse($stdin.read)\n\
               exit(verify(asked['secret'], asked['headers'], asked['body']) ? 0 : 3)\n";
        Self::new(Path::new("ruby"), folder, ".rb", &code)
    }

    fn accepts(&self, example: &Example) -> bool {
        accepts(self.program, &self.script, example)
    }
}

/// What the library of npm says of a delivery.
pub fn judged_by_node(secret: &str, delivery: &Delivery) -> bool {
    let (headers, body) = (delivery.headers.clone(), delivery.body.clone());
    let example = Example { secret: secret.to_owned(), headers, body };
    Snippet::node("from \"standardwebhooks\"").accepts(&example)
}

fn shell_accepts(folder: &Path, example: &Example) -> bool {
    let body = folder.join("body");
    fs::write(&body, &example.body).unwrap();
    let header = |name: &str| example.headers.get(name).cloned().unwrap_or_default();
    let mut command = Command::new("sh");
    command.arg("-c").arg(block("sh", "openssl dgst")).env("BODY", body);
    command.env("SECRET", &example.secret).env("ID", header("webhook-id"));
    command.env("TIMESTAMP", header("webhook-timestamp"));
    command.env("SIGNATURE", header("webhook-signature"));
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.is_empty(), "{told}");
    output.status.success()
}

fn headers_of(example: &Example) -> HeaderMap {
    let header = |(name, value): (&String, &String)| {
        (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
    };
    example.headers.iter().map(header).collect()
}

/// A message of the running Millwright, fetched from a polled endpoint, and what verifies it.
async fn fetched(millwright: &Millwright, signature: &str) -> Example {
    let api = millwright.api();
    let event_type = format!("snippet.{signature}");
    let request = json!({ "event_types": [event_type], "signature": signature });
    let endpoint = polled(&api, request).await;
    let path = format!("/v1/webhook-endpoints/{endpoint}");
    let shown = api.get(&format!("{path}/secret")).await;
    let key = shown["public_key"].as_str().unwrap_or(text(&shown, "secret")).to_owned();
    send(&api, &event_type, 1).await;
    let page = wait::until("the message is on offer", LONG, async || {
        let page = api.get(&format!("{path}/poll?wait=20")).await;
        (!ids(&page).is_empty()).then_some(page)
    })
    .await;
    let message = &page["data"][0];
    let headers = serde_json::from_value(message["headers"].clone()).unwrap();
    Example { secret: key, headers, body: text(message, "body").to_owned() }
}

/// The example changed in one thing each; none of them may be accepted.
fn wrong(right: &Example, other_secret: &str, old: Example) -> Vec<(&'static str, Example)> {
    let tampered = Example { body: right.body.replace('0', "1"), ..right.clone() };
    let strange = Example { secret: other_secret.to_owned(), ..right.clone() };
    let mut unsigned = right.clone();
    unsigned.headers.insert("webhook-signature".to_owned(), "v1,AAAA v1a,AAAA".to_owned());
    let mut garbled = right.clone();
    garbled.headers.insert("webhook-signature".to_owned(), "garbage".to_owned());
    assert_ne!(tampered.body, right.body);
    vec![
        ("tampered", tampered),
        ("other secret", strange),
        ("old", old),
        ("unsigned", unsigned),
        ("garbled", garbled),
    ]
}

/// Rightly signed, six minutes ago.
fn signed_long_ago(right: &Example) -> Example {
    let mut old = right.clone();
    let now: i64 = old.headers["webhook-timestamp"].parse().unwrap();
    let (then, id) = (now - 360, &old.headers["webhook-id"]);
    let webhook = Webhook::new(&old.secret).unwrap();
    let signature = webhook.sign(id, then, old.body.as_bytes()).unwrap();
    old.headers.insert("webhook-timestamp".to_owned(), then.to_string());
    old.headers.insert("webhook-signature".to_owned(), signature);
    old
}

/// A way of judging, by its name.
type Judge<'a> = (&'a str, &'a dyn Fn(&Example) -> bool);

#[tokio::test]
async fn every_snippet_of_the_document_accepts_what_is_right_and_refuses_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let right = fetched(&millwright, "v1").await;
    let (python, php) = (Snippet::python(folder.path()), Snippet::php(folder.path()));
    let (ruby, node) = (Snippet::ruby(folder.path()), Snippet::node("from \"standardwebhooks\""));
    let in_rust =
        |one: &Example| in_rust::verify(&one.secret, &headers_of(one), one.body.as_bytes());
    let ways: [Judge<'_>; 6] = [
        ("python", &|one| python.accepts(one)),
        ("javascript", &|one| node.accepts(one)),
        ("rust", &in_rust),
        ("php", &|one| php.accepts(one)),
        ("ruby", &|one| ruby.accepts(one)),
        ("sh", &|one| shell_accepts(folder.path(), one)),
    ];
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let wrong = wrong(&right, other, signed_long_ago(&right));
    // Several signatures, as during a rotation, and one of a scheme that it does not know.
    let mut several = right.clone();
    let entries = format!("v1a,AAAA v1,AAAA {}", right.headers["webhook-signature"]);
    several.headers.insert("webhook-signature".to_owned(), entries);
    for (language, accepts) in ways {
        assert!(accepts(&right), "{language} refuses what is right");
        assert!(accepts(&several), "{language} refuses one of several");
        for (what, example) in &wrong {
            assert!(!accepts(example), "{language} accepts what is {what}");
        }
    }
    the_snippet_for_a_public_key_does_too(&fetched(&millwright, "v1a").await);
}

/// What is old here is the published vector, rightly signed in 2021.
fn the_snippet_for_a_public_key_does_too(right: &Example) {
    let node = Snippet::node("createPublicKey");
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        (
            "webhook-signature",
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ),
    ];
    let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    let old = Example {
        secret: public.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: r#"{"test": 2432232314}"#.to_owned(),
    };
    assert!(right.secret.starts_with("whpk_"));
    assert!(node.accepts(right));
    for (what, example) in wrong(right, public, old) {
        assert!(!node.accepts(&example), "what is {what} is accepted");
    }
}

/// The document's whole receiver, as it stands there but for its port.
struct WholeReceiver {
    address: String,
    process: Process,
}

impl WholeReceiver {
    async fn start(folder: &Path, secret: &str) -> Self {
        let (code, port) = (block("python", "BaseHTTPRequestHandler"), free_port());
        assert_eq!(code.matches("9000").count(), 1, "its port");
        let script = folder.join("whole.py");
        fs::write(&script, code.replace("9000", &port.to_string())).unwrap();
        let mut command = Command::new(parts::python());
        command.arg(&script).env("WEBHOOK_SECRET", secret);
        let process = Process::start(&mut command, &folder.join("whole.log")).unwrap();
        let address = format!("127.0.0.1:{port}");
        wait::until("the whole receiver listens", LONG, async || {
            TcpStream::connect(&address).await.ok().map(drop)
        })
        .await;
        Self { address, process }
    }

    /// The status that it answers an example with.
    async fn answer(&self, example: &Example) -> u16 {
        let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap();
        let call = client.post(format!("http://{}/", self.address)).headers(headers_of(example));
        let answer = call.body(example.body.clone()).send().await;
        answer.unwrap_or_else(|e| panic!("{e}: {}", self.process.last_words())).status().as_u16()
    }

    /// The messages that it took for new: it prints each with its type.
    fn taken(&self, event_type: &str) -> Vec<String> {
        let output = self.process.output();
        output.lines().filter(|line| line.starts_with(event_type)).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn the_whole_receiver_of_the_document_takes_what_is_right_once_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let right = fetched(&millwright, "v1").await;
    let receiver = WholeReceiver::start(folder.path(), &right.secret).await;
    assert_eq!(receiver.answer(&right).await, 204);
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    for (what, example) in wrong(&right, other, signed_long_ago(&right)) {
        // The receiver has its own secret: what differs in that alone is the right one.
        let status = if example.secret == right.secret { 401 } else { 204 };
        assert_eq!(receiver.answer(&example).await, status, "what is {what}");
    }
    assert_eq!(receiver.answer(&right).await, 204, "it has this one");
    assert_eq!(receiver.taken("snippet."), ["snippet.v1 {'number': 0}"]);
}

#[test]
fn the_snippet_in_rust_is_the_one_that_is_run() {
    let run = fs::read_to_string(parts::repository().join("tests/it/receivers/verify.rs")).unwrap();
    assert_eq!(block("rust", "fn verify("), run);
    let languages = ["python", "javascript", "rust", "php", "ruby", "sh"];
    let verifying = |language: &&str| !blocks(language).is_empty();
    assert!(languages.iter().all(verifying));
}
