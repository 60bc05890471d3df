//! Lists of an answer, bounded in length.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// A list of which at most `MAX` rows are kept.
#[derive(Debug)]
pub(crate) struct Rows<T, const MAX: usize> {
    rows: Vec<T>,
    too_many: bool,
}

struct RowsVisitor<T, const MAX: usize>(PhantomData<T>);

// === impl Rows ===

impl<T, const MAX: usize> Rows<T, MAX> {
    /// The rows, unless there are more than `MAX`. `what` they are, in words.
    pub(crate) fn all(self, what: &str) -> Result<Vec<T>, String> {
        if self.too_many { Err(format!("it lists more than {MAX} {what}")) } else { Ok(self.rows) }
    }
}

impl<T, const MAX: usize> Default for Rows<T, MAX> {
    fn default() -> Self {
        Self { rows: vec![], too_many: false }
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Rows<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for RowsVisitor<T, MAX> {
    type Value = Rows<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut rows = vec![];
        while rows.len() < MAX {
            match list.next_element()? {
                Some(row) => rows.push(row),
                None => return Ok(Rows { rows, too_many: false }),
            }
        }
        let mut too_many = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            too_many = true;
        }
        Ok(Rows { rows, too_many })
    }
}
