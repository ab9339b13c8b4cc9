//! Yes and no, in the words of systems.

use serde_json::Value;

use super::CodecError;
use crate::json::{Node, Seen};

/// What stands for yes and what for no. The first of each is written.
pub(super) struct Words {
    pub yes: &'static [Word],
    pub no: &'static [Word],
}

/// One of them.
pub(super) enum Word {
    Number(i64),
    Text(&'static str),
}

/// 1 and 0.
pub(super) const BIT: Words = Words { yes: &[Word::Number(1)], no: &[Word::Number(0)] };
/// "1" and "0".
pub(super) const BIT_TEXT: Words = Words { yes: &[Word::Text("1")], no: &[Word::Text("0")] };
/// "true" and "false".
pub(super) const TEXT: Words = Words { yes: &[Word::Text("true")], no: &[Word::Text("false")] };
/// "T" and "F".
pub(super) const T_OR_F: Words = Words { yes: &[Word::Text("T")], no: &[Word::Text("F")] };
/// "X" and nothing.
pub(super) const X_OR_BLANK: Words =
    Words { yes: &[Word::Text("X")], no: &[Word::Text(""), Word::Text(" ")] };

impl Word {
    fn is<'a>(&self, value: impl Node<'a>) -> bool {
        match (self, value.see()) {
            (Self::Number(number), Seen::Number(_)) => value.integer() == Some(*number),
            (Self::Text(word), Seen::Text(text)) => *word == text,
            _ => false,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Number(number) => Value::from(*number),
            Self::Text(text) => Value::from(*text),
        }
    }
}

impl Words {
    /// Reads the system's word. True and false themselves are read too.
    pub(super) fn read<'a>(&self, value: impl Node<'a>) -> Result<Value, CodecError> {
        if let Seen::Bool(flag) = value.see() {
            return Ok(Value::Bool(flag));
        }
        if self.yes.iter().any(|word| word.is(value)) {
            return Ok(Value::Bool(true));
        }
        if self.no.iter().any(|word| word.is(value)) {
            return Ok(Value::Bool(false));
        }
        Err(CodecError::expected("one of the words for yes and no"))
    }

    pub(super) fn write(&self, flag: bool) -> Value {
        let words = if flag { self.yes } else { self.no };
        words.first().map_or(Value::Null, Word::value)
    }
}
