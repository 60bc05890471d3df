//! The field `discover` of an account: a yes or no, or how.

use exporter_toolkit::yaml::{Node, Notes, Refused};

use super::scalar::{duration, yes};
use crate::{
    pattern::Pattern,
    poll::{Discovery, Interval},
};

/// The fields of `discover`.
pub(super) const DISCOVER: &[&str] = &["interval", "include", "exclude"];

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Option<Discovery>, Refused> {
    if !node.is_table() {
        return Ok(node.scalar(notes, yes)?.then(Discovery::default));
    }
    let mut discovery = Discovery::default();
    let mut whole = Ok(());
    node.each_field(&[DISCOVER], notes, |name, field, notes| {
        let read = match name {
            "interval" => {
                field.scalar(notes, |text| duration(text, Interval::new)).map(|interval| discovery.interval = interval)
            }
            "include" => patterns(&field, notes).map(|patterns| discovery.include = patterns),
            _ => patterns(&field, notes).map(|patterns| discovery.exclude = patterns),
        };
        whole = whole.and(read);
    })?;
    whole.map(|()| Some(discovery))
}

pub(super) fn patterns(node: &Node<'_>, notes: &mut Notes) -> Result<Vec<Pattern>, Refused> {
    let items = node.items(notes)?;
    let patterns: Vec<_> = items.iter().map(|item| item.parse(notes)).collect();
    patterns.into_iter().collect()
}
