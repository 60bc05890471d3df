//! How the values of fields are read.

use std::time::Duration;

use exporter_toolkit::yaml::{self, Fields, Node, Notes, Refused};

use super::scalar;
use crate::{pattern::Pattern, poll::OutOfRange};

/// Reads a number for `new`, which refuses 0.
pub(super) fn number<T>(
    new: impl Fn(u32) -> Result<T, OutOfRange>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<T, Refused> {
    yaml::scalar(move |text| scalar::number(text, &new))
}

/// Reads a duration for `new`.
pub(super) fn duration<T>(
    new: impl Fn(Duration) -> Result<T, OutOfRange>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<T, Refused> {
    yaml::scalar(move |text| scalar::duration(text, &new))
}

/// Reads null, or else what `read` reads.
pub(super) fn null_or<T>(
    read: impl Fn(&Node<'_>, &mut Notes) -> Result<T, Refused>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<Option<T>, Refused> {
    move |node, notes| if node.is_null() { Ok(None) } else { read(node, notes).map(Some) }
}

/// Reads `false`, `true` or a table. `true` is the table with all its defaults.
pub(super) fn switch<F: Fields, T>(
    of_fields: impl Fn(&F) -> Result<T, Refused>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<Option<T>, Refused> {
    move |node, notes| {
        let fields = if node.is_table() {
            F::read(node, notes)?
        } else if node.scalar(notes, scalar::yes)? {
            F::default()
        } else {
            return Ok(None);
        };
        of_fields(&fields).map(Some)
    }
}

/// Reads a list of patterns.
pub(super) fn patterns(node: &Node<'_>, notes: &mut Notes) -> Result<Vec<Pattern>, Refused> {
    yaml::list(yaml::scalar(str::parse))(node, notes)
}
