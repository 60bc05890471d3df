//! Reads Prometheus's protobuf format: messages `io.prometheus.client.MetricFamily`, each after its length.
//!
//! Source of the numbers: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.

use std::collections::BTreeMap;

use super::families::{Families, Family, Series};

/// The types, by their numbers, as the text format calls them.
const KINDS: [&str; 5] = ["counter", "gauge", "summary", "untyped", "histogram"];

/// The fields of a message: of each number, the values in their order.
struct Message<'a>(BTreeMap<u64, Vec<Value<'a>>>);

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

pub(super) fn decode(mut bytes: &[u8]) -> Families {
    let mut families = Families::default();
    while !bytes.is_empty() {
        let message = Message::parse(delimited(&mut bytes));
        message.has_only(&[1, 2, 3, 4]);
        let name = message.text(1);
        let mut family = Family {
            kind: KINDS[usize::try_from(message.number(3)).unwrap()].to_owned(),
            help: message.text(2),
            ..Family::default()
        };
        for metric in message.messages(4) {
            read_metric(&metric, &name, &mut family);
        }
        families.extend(Some((name, family)));
    }
    families
}

fn read_metric(metric: &Message<'_>, name: &str, family: &mut Family) {
    let labels: BTreeMap<String, String> = metric.messages(1).iter().map(|pair| (pair.text(1), pair.text(2))).collect();
    assert_eq!(labels.len(), metric.messages(1).len(), "a label of {name} that stands twice");
    let (field, is_plain) = match family.kind.as_str() {
        "gauge" => (2, true),
        "counter" => (3, true),
        "untyped" => (5, true),
        "histogram" => (7, false),
        other => panic!("{name} is a {other}, and the exporter has none"),
    };
    metric.has_only(&[1, field]);
    let [value] = &metric.messages(field)[..] else { panic!("{name} has not one value") };
    if is_plain {
        value.has_only(&[1]);
        family.add((name.to_owned(), labels), value.double(1));
        return;
    }
    value.has_only(&[1, 2, 3]);
    let series = |end: &str| -> Series { (format!("{name}{end}"), labels.clone()) };
    family.add(series("_count"), value.count(1));
    family.add(series("_sum"), value.double(2));
    for bucket in value.messages(3) {
        bucket.has_only(&[1, 2]);
        let (name, mut labels) = series("_bucket");
        labels.insert("le".to_owned(), bucket.double(2).to_string());
        family.add((name, labels), bucket.count(1));
    }
    let (bucket, mut labels) = series("_bucket");
    labels.insert("le".to_owned(), "inf".to_owned());
    // The last bucket may be left out.
    family.samples.entry((bucket, labels)).or_insert(value.count(1));
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::try_from(varint(bytes)).unwrap();
    let (message, rest) = bytes.split_at(length);
    *bytes = rest;
    message
}

// === impl Message ===

impl<'a> Message<'a> {
    fn parse(mut bytes: &'a [u8]) -> Self {
        let mut fields: BTreeMap<u64, Vec<Value<'a>>> = BTreeMap::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut bytes)),
                1 => {
                    let (double, rest) = bytes.split_first_chunk().unwrap();
                    bytes = rest;
                    Value::Double(f64::from_le_bytes(*double))
                }
                2 => Value::Bytes(delimited(&mut bytes)),
                other => panic!("wire type {other}"),
            };
            fields.entry(tag >> 3).or_default().push(value);
        }
        Self(fields)
    }

    fn has_only(&self, fields: &[u64]) {
        assert!(self.0.keys().all(|field| fields.contains(field)), "{:?} are not all in {fields:?}", self.0);
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        let message = |value: &Value<'a>| match value {
            Value::Bytes(bytes) => Self::parse(bytes),
            Value::Number(_) | Value::Double(_) => panic!("{field} is no message: {value:?}"),
        };
        self.0.get(&field).into_iter().flatten().map(message).collect()
    }

    /// The one value of a field that must not stand twice.
    fn one(&self, field: u64) -> Option<Value<'a>> {
        let values = self.0.get(&field)?;
        assert_eq!(values.len(), 1, "{field}");
        Some(values[0])
    }

    fn text(&self, field: u64) -> String {
        match self.one(field) {
            Some(Value::Bytes(bytes)) => str::from_utf8(bytes).unwrap().to_owned(),
            None => String::new(),
            other => panic!("{field} is no text: {other:?}"),
        }
    }

    fn double(&self, field: u64) -> f64 {
        match self.one(field) {
            Some(Value::Double(double)) => double,
            None => 0.0,
            other => panic!("{field} is no double: {other:?}"),
        }
    }

    fn number(&self, field: u64) -> u64 {
        match self.one(field) {
            Some(Value::Number(number)) => number,
            None => 0,
            other => panic!("{field} is no number: {other:?}"),
        }
    }

    fn count(&self, field: u64) -> f64 {
        f64::from(u32::try_from(self.number(field)).unwrap())
    }
}
