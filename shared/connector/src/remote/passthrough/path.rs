//! The path of a passthrough call, in the one form in which it is looked up in the allow-list and sent.

/// The longest path, in bytes.
const LENGTH_MAX: usize = 2_000;

/// Characters that some servers take for a dot, a slash, a percent sign or the like, after folding
/// Unicode's compatibility forms.
const LOOKALIKES: [char; 21] = [
    '\u{2024}', '\u{2025}', '\u{2026}', '\u{fe52}', '\u{ff0e}', // dots
    '\u{2044}', '\u{2215}', '\u{29f8}', '\u{ff0f}', '\u{2571}', // slashes
    '\u{2216}', '\u{29f5}', '\u{29f9}', '\u{fe68}', '\u{ff3c}', // backslashes
    '\u{fe6a}', '\u{ff05}', '\u{ff1b}', '\u{ff1f}', '\u{ff03}', '\u{fe14}', // % ; ? #
];

/// A path whose names are decoded and that goes nowhere but down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Normal {
    /// Its names, each decoded.
    pub names: Vec<String>,
    /// Whether a slash stands at its end.
    slash: bool,
}

impl Normal {
    /// Brings a path into its one form: dot segments and double slashes are resolved, also where they
    /// are percent-encoded. What servers disagree about is refused.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn of(path: &str) -> Result<Self, &'static str> {
        if path.len() > LENGTH_MAX {
            return Err("is longer than 2,000 bytes");
        }
        let path = path.strip_prefix('/').ok_or("begins with a slash")?;
        let mut names: Vec<String> = Vec::new();
        for part in path.split('/') {
            match decoded(part)?.as_str() {
                "" | "." => {}
                ".." => drop(names.pop().ok_or("leads above the base address")?),
                name => names.push(name.to_owned()),
            }
        }
        let slash = path.ends_with('/') && !names.is_empty();
        Ok(Self { names, slash })
    }

    /// The path as it is sent.
    pub(super) fn sent(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| encoded(name)).collect();
        format!("/{}{}", names.join("/"), if self.slash { "/" } else { "" })
    }
}

fn decoded(part: &str) -> Result<String, &'static str> {
    if part.contains(['?', '#']) {
        return Err("has a query or a fragment in it: give the query by itself");
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (Some(high), Some(low)) = (hex(rest.first()), hex(rest.get(1))) else {
            return Err("has a percent sign without two digits after it");
        };
        bytes.push(high << 4 | low);
        rest = &rest[2..];
    }
    let name = String::from_utf8(bytes).map_err(|_| "has bytes in it that are no UTF-8")?;
    odd(&name).map_or(Ok(name), Err)
}

/// What servers disagree about.
fn odd(name: &str) -> Option<&'static str> {
    if name.contains(['/', '\\']) {
        return Some("has an encoded slash or a backslash in it");
    }
    if name.contains(['?', '#', ';']) {
        return Some("has `?`, `#` or `;` in a name");
    }
    if name.chars().any(|one| one.is_control() || LOOKALIKES.contains(&one)) {
        return Some("has a character in it that is not meant for paths");
    }
    let twice = name.match_indices('%').any(|(at, _)| {
        let after = &name.as_bytes()[at + 1..];
        hex(after.first()).is_some() && hex(after.get(1)).is_some()
    });
    twice.then_some("is percent-encoded twice")
}

/// Percent-encodes all but what may stand in a path as it is (`pchar` of RFC 3986, 3.3), less `;`.
fn encoded(name: &str) -> String {
    let encoded = name.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        other if b"-._~!$&'()*+,=:@".contains(&other) => char::from(other).to_string(),
        other => format!("%{other:02X}"),
    });
    encoded.collect()
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form() {
        for (path, sent) in [
            ("/", "/"),
            ("/items", "/items"),
            ("/items/", "/items/"),
            ("//items///7", "/items/7"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2e/b", "/b"),
            ("/a/%2E./b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a/b/..", "/a"),
            ("/a/b/../", "/a/"),
            ("/%61dmin", "/admin"),
            ("/a/...", "/a/..."),
            ("/Orders('45%20x')", "/Orders('45%20x')"),
            ("/Gr\u{f6}\u{df}e", "/Gr%C3%B6%C3%9Fe"),
            ("/Gr%C3%B6%C3%9Fe", "/Gr%C3%B6%C3%9Fe"),
            ("/100%25", "/100%25"),
            ("/a%40b:c", "/a@b:c"),
        ] {
            assert_eq!(Normal::of(path).map(|path| path.sent()).as_deref(), Ok(sent), "{path}");
        }
    }

    #[test]
    fn what_servers_disagree_about_is_refused() {
        for path in [
            "",
            "items",
            "https://evil.example/",
            "/..",
            "/a/../..",
            "/%2e%2e/%2e%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "\\\\evil.example",
            "/a/..\\b",
            "/a/..;/b",
            "/a;x=1/b",
            "/a%3bb",
            "/a?b=1",
            "/a%3Fb",
            "/a#b",
            "/a%23b",
            "/a%00b",
            "/a%0d%0aX: y",
            "/a\nb",
            "/a%7f",
            "/a%252e%252e/b",
            "/a%25%32%65",
            "/a%c0%ae%c0%ae",
            "/a%c0%af",
            "/a%ff",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a/\u{ff0e}\u{ff0e}/b",
            "/a/%EF%BC%8E%EF%BC%8E/b",
            "/a\u{ff0f}b",
            "/a\u{2215}b",
            "/a/\u{2025}/b",
            "/a\u{85}b",
        ] {
            assert!(Normal::of(path).is_err(), "{path:?}");
        }
        assert!(Normal::of(&format!("/{}", "a".repeat(LENGTH_MAX))).is_err());
    }

    #[test]
    fn what_is_sent_has_the_form_that_was_looked_up() {
        for path in ["/a//b/../%41/c d/", "/x/%25y", "/\u{e4}/(1)"] {
            let Ok(normal) = Normal::of(path) else { panic!("{path}") };
            assert_eq!(Normal::of(&normal.sent()), Ok(normal));
        }
    }
}
