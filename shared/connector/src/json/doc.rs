//! Parsed text: where each value stands in it.

use std::{fmt, sync::Arc};

use serde_json::{Map, Number, Value};

use super::{Node, Seen, read};

/// A JSON text with the places of its values.
pub struct Doc {
    text: String,
    /// Texts and numbers that do not stand in `text` as they mean: unescaped, or written anew.
    own: String,
    /// In the order of the text; a member is its name and then its value. The first is a null for what
    /// is not there.
    places: Vec<Place>,
}

/// Where a value stands. Twelve bytes, because there are as many as there are values in a page.
#[derive(Clone, Copy)]
pub(super) struct Place {
    kind: Kind,
    /// In bytes; for lists and objects, the number of the place behind them.
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    False,
    True,
    Number,
    Text,
    OwnText,
    List,
    Object,
}

/// A value in a [`Doc`].
#[derive(Clone, Copy)]
pub struct Json<'a> {
    doc: &'a Doc,
    at: usize,
}

/// A value that keeps its [`Doc`] alive, to be passed on.
#[derive(Clone)]
pub struct Row {
    doc: Arc<Doc>,
    at: usize,
}

impl Doc {
    /// Reads a text.
    ///
    /// # Errors
    /// When it is not JSON in UTF-8, is nested more than 127 deep, or has 4 GiB or more.
    pub fn parse(text: impl Into<Vec<u8>>) -> Result<Self, serde_json::Error> {
        use serde::de::Error;
        let text = String::from_utf8(text.into()).map_err(serde_json::Error::custom)?;
        if u32::try_from(text.len()).is_err() {
            return Err(serde_json::Error::custom("the text is too long"));
        }
        let mut doc = Self::empty();
        // A name, a number or a short text is about as long.
        doc.places.reserve(text.len() / 10);
        read::read(&text, &mut doc)?;
        doc.text = text;
        Ok(doc)
    }

    pub(super) fn empty() -> Self {
        let null = Place { kind: Kind::Null, start: 0, len: 0 };
        Self { text: String::new(), own: String::new(), places: vec![null] }
    }

    /// The whole.
    #[must_use]
    pub fn root(&self) -> Json<'_> {
        Json { doc: self, at: 1 }
    }

    pub(super) fn add_flag(&mut self, flag: bool) {
        let kind = if flag { Kind::True } else { Kind::False };
        self.places.push(Place { kind, start: 0, len: 0 });
    }

    pub(super) fn add_null(&mut self) {
        self.places.push(Place { kind: Kind::Null, start: 0, len: 0 });
    }

    /// Text that stands in the document's at `start`.
    pub(super) fn add_text(&mut self, start: usize, len: usize) {
        self.places.push(Place { kind: Kind::Text, start: short(start), len: short(len) });
    }

    pub(super) fn add_own_text(&mut self, text: &str) {
        self.add_own(Kind::OwnText, text);
    }

    pub(super) fn add_number(&mut self, digits: &str) {
        self.add_own(Kind::Number, digits);
    }

    fn add_own(&mut self, kind: Kind, text: &str) {
        let start = self.own.len();
        self.own.push_str(text);
        self.places.push(Place { kind, start: short(start), len: short(text.len()) });
    }

    /// Begins a list or an object, which what is added from now on belongs to.
    pub(super) fn open(&mut self, object: bool) -> usize {
        let kind = if object { Kind::Object } else { Kind::List };
        self.places.push(Place { kind, start: 0, len: 0 });
        self.places.len() - 1
    }

    pub(super) fn close(&mut self, at: usize) {
        let end = short(self.places.len());
        if let Some(place) = self.places.get_mut(at) {
            place.start = end;
        }
    }

    /// Takes back everything from a place on.
    pub(super) fn forget(&mut self, at: usize) {
        self.places.truncate(at);
    }

    /// The value at a place and all that is in it: of each the kind and, so that none runs into the next,
    /// how long its text is or how many values are inside.
    fn write(&self, at: usize, bytes: &mut Vec<u8>) {
        let inside = self.places.get(at).map_or(0, |place| place.inside(at));
        for (own, place) in self.places.iter().enumerate().skip(at).take(1 + inside) {
            let (kind, text) = match place.kind {
                Kind::Null => (b'0', ""),
                Kind::False => (b'f', ""),
                Kind::True => (b't', ""),
                Kind::Number => (b'n', self.text(*place)),
                Kind::Text | Kind::OwnText => (b's', self.text(*place)),
                Kind::List => (b'l', ""),
                Kind::Object => (b'o', ""),
            };
            bytes.push(kind);
            bytes.extend_from_slice(&short(text.len() + place.inside(own)).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }

    fn text(&self, place: Place) -> &str {
        let from = if place.kind == Kind::Text { &self.text } else { &self.own };
        let start = place.start as usize;
        from.get(start..start + place.len as usize).unwrap_or_default()
    }
}

impl Place {
    /// How many values are inside of it, those inside of them among them; `at` is its own number.
    fn inside(self, at: usize) -> usize {
        match self.kind {
            Kind::List | Kind::Object => (self.start as usize).saturating_sub(at + 1),
            _ => 0,
        }
    }
}

/// Texts have less than 4 GiB, and so fewer values than that.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doc").field("values", &self.places.len()).finish_non_exhaustive()
    }
}

impl Row {
    /// Reads a text.
    ///
    /// # Errors
    /// As [`Doc::parse`].
    pub fn parse(text: impl Into<Vec<u8>>) -> Result<Self, serde_json::Error> {
        Doc::parse(text).map(|doc| Self { doc: Arc::new(doc), at: 1 })
    }

    /// The value.
    #[must_use]
    pub fn json(&self) -> Json<'_> {
        Json { doc: &self.doc, at: self.at }
    }

    /// The same as a tree.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.json().to_value()
    }

    /// A value inside of this one.
    #[must_use]
    pub fn pick(&self, find: impl for<'a> FnOnce(Json<'a>) -> Option<Json<'a>>) -> Option<Self> {
        let at = find(self.json())?.at;
        Some(Self { doc: Arc::clone(&self.doc), at })
    }

    /// Adds to `bytes` all there is to see of it: two values that are told apart in any way have other
    /// bytes, and what is written otherwise and means the same has the same ones. Only to be compared.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        self.doc.write(self.at, bytes);
    }

    /// Its elements, each to be passed on; none when it is no list.
    #[must_use]
    pub fn items(&self) -> Vec<Self> {
        let items = self.json().items();
        items.map(|item| Self { doc: Arc::clone(&self.doc), at: item.at }).collect()
    }
}

impl Default for Row {
    /// A null.
    fn default() -> Self {
        Self { doc: Arc::new(Doc::empty()), at: 0 }
    }
}

impl From<&Value> for Row {
    fn from(value: &Value) -> Self {
        let mut doc = Doc::empty();
        read::copy(value, &mut doc);
        Self { doc: Arc::new(doc), at: 1 }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").finish_non_exhaustive()
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").finish_non_exhaustive()
    }
}

impl<'a> Json<'a> {
    fn place(self) -> Place {
        const NULL: Place = Place { kind: Kind::Null, start: 0, len: 0 };
        self.doc.places.get(self.at).copied().unwrap_or(NULL)
    }

    /// The places directly inside, of which a member has two.
    fn inside(self, kind: Kind) -> impl Iterator<Item = Self> + 'a {
        let place = self.place();
        let end = if place.kind == kind { place.start as usize } else { 0 };
        let first = Self { at: self.at + 1, ..self };
        let first = Some(first).filter(|first| first.at < end);
        std::iter::successors(first, move |at| {
            let place = at.place();
            let next = match place.kind {
                Kind::List | Kind::Object => place.start as usize,
                _ => at.at + 1,
            };
            (next < end).then_some(Self { at: next, ..*at })
        })
    }
}

impl<'a> Node<'a> for Json<'a> {
    fn see(self) -> Seen<'a> {
        let place = self.place();
        match place.kind {
            Kind::Null => Seen::Null,
            Kind::False => Seen::Bool(false),
            Kind::True => Seen::Bool(true),
            Kind::Number => Seen::Number(self.doc.text(place)),
            Kind::Text | Kind::OwnText => Seen::Text(self.doc.text(place)),
            Kind::List => Seen::List,
            Kind::Object => Seen::Object,
        }
    }

    fn member(self, name: &str) -> Option<Self> {
        self.members().filter(|(known, _)| *known == name).last().map(|(_, value)| value)
    }

    fn items(self) -> impl Iterator<Item = Self> + 'a {
        self.inside(Kind::List)
    }

    fn members(self) -> impl Iterator<Item = (&'a str, Self)> + 'a {
        let mut inside = self.inside(Kind::Object);
        std::iter::from_fn(move || {
            let name = inside.next()?;
            Some((self.doc.text(name.place()), inside.next()?))
        })
    }

    fn null(self) -> Self {
        Self { at: 0, ..self }
    }

    fn to_value(self) -> Value {
        match self.see() {
            Seen::Null => Value::Null,
            Seen::Bool(flag) => Value::Bool(flag),
            // What was read as a number is one.
            Seen::Number(digits) => digits.parse::<Number>().map_or(Value::Null, Value::Number),
            Seen::Text(text) => Value::from(text),
            Seen::List => self.items().map(Node::to_value).collect(),
            Seen::Object => {
                let members =
                    self.members().map(|(name, value)| (name.to_owned(), value.to_value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}
