//! The families of an exposition, whatever the format they came in.

use std::collections::{BTreeMap, BTreeSet};

/// By their names.
#[derive(Default)]
pub(super) struct Families(BTreeMap<String, Family>);

#[derive(Default)]
pub(super) struct Family {
    /// As the text format calls it.
    pub(super) kind: String,
    pub(super) help: String,
    /// A histogram's are those that the text format has.
    pub(super) samples: BTreeMap<Series, f64>,
}

/// A name, and labels.
pub(super) type Series = (String, BTreeMap<String, String>);

// === impl Families ===

impl Families {
    /// Reads the text format 0.0.4, as strictly as the exporter writes it.
    pub(super) fn parse(text: &str) -> Self {
        let mut families = Self::default();
        let mut current: Option<(String, Family)> = None;
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                families.extend(current.take());
                current = Some((name.to_owned(), Family { help: unescape(help), ..Family::default() }));
                continue;
            }
            let (name, family) = current.as_mut().unwrap();
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                kind.strip_prefix(&format!("{name} ")).unwrap().clone_into(&mut family.kind);
            } else {
                family.add(series(line), line.rsplit_once(' ').unwrap().1.parse().unwrap());
            }
        }
        families.extend(current);
        families
    }

    /// Adds a family, which must not be there yet.
    pub(super) fn extend(&mut self, family: Option<(String, Family)>) {
        if let Some((name, family)) = family {
            assert!(!family.samples.is_empty(), "{name} has no samples");
            assert!(self.0.insert(name.clone(), family).is_none(), "twice: {name}");
        }
    }

    /// All that is known, a fact a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let of_family = |(name, family): (&String, &Family)| {
            let head = [format!("{name} is a {}", family.kind), format!("{name} means {}", family.help)];
            let samples = family.samples.iter().map(|(series, value)| format!("{series:?} {value}"));
            head.into_iter().chain(samples).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_family).collect()
    }

    pub(super) fn series(&self) -> BTreeSet<Series> {
        self.0.values().flat_map(|family| family.samples.keys().cloned()).collect()
    }
}

// === impl Family ===

impl Family {
    /// Adds a sample, whose series must not be there yet.
    pub(super) fn add(&mut self, (name, mut labels): Series, value: f64) {
        normalise(&mut labels);
        let series = (name, labels);
        assert!(self.samples.insert(series.clone(), value).is_none(), "twice: {series:?}");
    }
}

/// The formats write the bound of a bucket differently, as `1` and as `1.0`.
pub(super) fn normalise(labels: &mut BTreeMap<String, String>) {
    if let Some(bound) = labels.get_mut("le") {
        *bound = bound.parse::<f64>().unwrap().to_string();
    }
}

/// The series of a sample's line.
fn series(line: &str) -> Series {
    let Some((name, mut rest)) = line.split_once('{') else {
        return (line.split_once(' ').unwrap().0.to_owned(), BTreeMap::new());
    };
    let mut labels = BTreeMap::new();
    while let Some((label, value)) = rest.split_once("=\"") {
        let end = end_of_value(value);
        let before = labels.insert(label.to_owned(), unescape(&value[..end]));
        assert_eq!(before, None, "{line}");
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    assert!(rest.starts_with("} "), "{line}");
    (name.to_owned(), labels)
}

/// Where the quote is that ends a label's value.
fn end_of_value(value: &str) -> usize {
    let mut escaped = false;
    let end = value.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap()
}

fn unescape(text: &str) -> String {
    let (mut plain, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next().unwrap() {
                'n' => '\n',
                other => other,
            },
            other => other,
        });
    }
    plain
}
