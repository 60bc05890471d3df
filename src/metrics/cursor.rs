//! Writes a snapshot piece by piece, family after family.

use std::vec;

use exporter_toolkit::{
    Format, Pieces,
    exposition::{protobuf, text},
};

use super::{
    families::Wanted,
    snapshot::{Place, Snapshot, Source},
};

/// A snapshot, and how far it has been written.
#[derive(Debug)]
pub struct Cursor {
    snapshot: Snapshot,
    format: Format,
    /// What has not been written whole: the first is being written.
    sources: vec::IntoIter<Source>,
    place: Place,
    /// Whether the head of the family has been written. A family without samples has none.
    begun: bool,
}

// === impl Cursor ===

impl Pieces for Cursor {
    /// Appends until `out` is `full`, but for the samples of one user more. Returns whether there is more.
    fn fill(&mut self, out: &mut Vec<u8>, full: usize) -> bool {
        while let Some(&source) = self.sources.as_slice().first() {
            if out.len() >= full {
                return true;
            }
            match self.format {
                Format::Text | Format::OpenMetrics => self.write_text(source, out, full),
                Format::Protobuf => self.write_protobuf(source, out, full),
            }
        }
        out.extend_from_slice(&self.snapshot.rest);
        false
    }
}

impl Cursor {
    pub(super) fn new(snapshot: Snapshot, format: Format, wanted: Wanted<'_>) -> Self {
        let sources: Vec<Source> = Source::all().filter(|source| wanted.contains(source.family().name)).collect();
        Self { snapshot, format, sources: sources.into_iter(), place: Place::default(), begun: false }
    }

    fn write_text(&mut self, source: Source, out: &mut Vec<u8>, full: usize) {
        let (family, format) = (source.family(), self.format);
        while out.len() < full {
            let mut prefix = 0..0;
            let more = self.snapshot.samples(source, &mut self.place, |labels, value| {
                if !std::mem::replace(&mut self.begun, true) {
                    text::head(out, format, family);
                }
                text::sample(out, &mut prefix, family.name, labels, value);
            });
            if !more {
                return self.next_source();
            }
        }
    }

    fn write_protobuf(&mut self, source: Source, out: &mut Vec<u8>, full: usize) {
        let family = source.family();
        if !std::mem::replace(&mut self.begun, true) {
            let (mut place, mut length) = (Place::default(), 0);
            while self.snapshot.samples(source, &mut place, |labels, _| length += protobuf::sample_length(labels)) {}
            if length == 0 {
                return self.next_source();
            }
            protobuf::head(out, family, length);
        }
        while out.len() < full {
            let more = self.snapshot.samples(source, &mut self.place, |labels, value| {
                protobuf::sample(out, family.kind, labels, value);
            });
            if !more {
                return self.next_source();
            }
        }
    }

    fn next_source(&mut self) {
        self.sources.next();
        (self.place, self.begun) = (Place::default(), false);
    }
}
