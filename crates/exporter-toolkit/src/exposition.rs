//! Writes families of metrics in each [`Format`].
//!
//! An exporter with few series has them in a registry of the crate `prometheus`, and [`encode`] writes them all at once. One
//! with many series hands them out as it is scraped: [`text`] and [`protobuf`] write them one by one.
//!
//! This crate is compiled for speed where an exporter is compiled for size: nearly all that a scrape does without
//! compression is done here.

mod family;
mod openmetrics;
pub mod protobuf;
pub mod text;

use prometheus::{TextEncoder, proto::MetricFamily};

pub use family::{Family, Kind, Labels};

use crate::Format;

/// Families of a registry, and what ends an exposition.
///
/// # Errors
/// A family that cannot be written.
pub fn encode(families: &[MetricFamily], format: Format) -> prometheus::Result<Vec<u8>> {
    let mut out = vec![];
    match format {
        Format::Text => {
            let mut text = String::new();
            TextEncoder::new().encode_utf8(families, &mut text)?;
            out = text.into_bytes();
        }
        Format::OpenMetrics => openmetrics::encode(families, &mut out),
        Format::Protobuf => families.iter().for_each(|family| protobuf::gathered(&mut out, family)),
    }
    out.shrink_to_fit();
    Ok(out)
}
