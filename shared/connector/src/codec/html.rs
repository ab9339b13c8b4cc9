//! The text of a page's piece of HTML, for people to read. What the markup means beyond lines and
//! paragraphs is lost.

use html5gum::{StartTag, Token, Tokenizer};

/// Longer HTML is refused.
pub(super) const LENGTH_MAX: usize = 1 << 20;

/// What is inside of these is not shown.
const HIDDEN: [&[u8]; 5] = [b"script", b"style", b"template", b"title", b"noscript"];
/// These begin and end a line.
const LINES: [&[u8]; 13] = [
    b"div", b"li", b"tr", b"dt", b"dd", b"article", b"section", b"header", b"footer", b"details",
    b"summary", b"figure", b"option",
];
/// These begin and end a paragraph.
const PARAGRAPHS: [&[u8]; 14] = [
    b"p",
    b"ul",
    b"ol",
    b"dl",
    b"table",
    b"blockquote",
    b"pre",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"form",
];

/// The text.
pub(super) fn text(html: &str) -> String {
    let mut page = Page::default();
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => page.start(&tag),
            Token::EndTag(tag) => page.end(&tag.name),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.shown.truncate(page.shown.trim_end().len());
    page.shown
}

#[derive(Default)]
struct Page {
    shown: String,
    /// How many line ends stand before what comes next.
    breaks: usize,
    /// Whether a blank stands before what comes next.
    blank: bool,
    /// How many elements that hide, and that keep blanks, are open.
    hidden: usize,
    kept: usize,
}

impl Page {
    fn start(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        if tag.self_closing && !is_empty(name) {
            return self.between(name);
        }
        match name {
            _ if HIDDEN.contains(&name) => self.hidden += 1,
            b"br" => self.breaks += 1,
            b"hr" => self.part(2),
            b"td" | b"th" => self.blank = true,
            b"img" => {
                if let Some(alt) = tag.attributes.get(b"alt".as_slice()) {
                    self.text(&String::from_utf8_lossy(alt));
                }
            }
            _ => {
                self.between(name);
                if name == b"pre" {
                    self.kept += 1;
                }
                if name == b"li" {
                    self.text("- ");
                }
            }
        }
    }

    fn end(&mut self, name: &[u8]) {
        if HIDDEN.contains(&name) {
            self.hidden = self.hidden.saturating_sub(1);
        }
        if name == b"pre" {
            self.kept = self.kept.saturating_sub(1);
        }
        self.between(name);
    }

    fn between(&mut self, name: &[u8]) {
        if LINES.contains(&name) {
            self.part(1);
        } else if PARAGRAPHS.contains(&name) {
            self.part(2);
        }
    }

    fn part(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    fn text(&mut self, text: &str) {
        if self.hidden > 0 {
            return;
        }
        for letter in text.chars() {
            match letter {
                '\n' if self.kept > 0 => self.breaks += 1,
                blank if blank.is_whitespace() && blank != '\u{a0}' && self.kept == 0 => {
                    self.blank = true;
                }
                letter => self.put(letter),
            }
        }
    }

    fn put(&mut self, letter: char) {
        if !self.shown.is_empty() {
            // More than one empty line says nothing.
            (0..self.breaks.min(2)).for_each(|_| self.shown.push('\n'));
            if self.blank && self.breaks == 0 && !self.shown.ends_with(' ') {
                self.shown.push(' ');
            }
        }
        self.breaks = 0;
        self.blank = false;
        self.shown.push(if letter == '\u{a0}' { ' ' } else { letter });
    }
}

/// Elements that never have anything inside.
fn is_empty(name: &[u8]) -> bool {
    matches!(name, b"br" | b"hr" | b"img" | b"input" | b"wbr")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_and_paragraphs_stay_and_markup_goes() {
        for (html, shown) in [
            (
                "<p>Hello,   <b>world</b>!</p>\n<p>Second<br>line</p>",
                "Hello, world!\n\nSecond\nline",
            ),
            ("a &amp; b &lt;c&gt; &eacute;&#233; &nbsp;d", "a & b <c> éé  d"),
            ("<ul><li>one</li><li>two <i>x</i></li></ul>end", "- one\n- two x\n\nend"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("<pre>a\n  b\n</pre>c", "a\n  b\n\nc"),
            ("x<script>alert(1)</script><style>p{}</style>y", "xy"),
            ("<img src=x alt=\"a picture\"> of it", "a picture of it"),
            ("<div><div>deep</div></div>after", "deep\nafter"),
            ("plain text", "plain text"),
            ("", ""),
            ("<p></p><p> </p>", ""),
            ("a<!-- no -->b<unknown>c</unknown>", "abc"),
            ("5 < 6 and a<b", "5 < 6 and a"),
        ] {
            assert_eq!(text(html), shown, "{html}");
        }
    }

    #[test]
    fn deep_and_broken_markup_takes_no_longer_than_any_other() {
        for part in ["<div>", "</div>", "<", "<a b=", "&", "<!--", "<script>", "<li>", "<p/>"] {
            text(&part.repeat(LENGTH_MAX / 8 / part.len()));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(html in "(\\PC|<|>|/|p|li|&|;|\"| ){0,60}") {
            text(&html);
        }
    }
}
