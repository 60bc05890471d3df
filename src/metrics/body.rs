//! A body of the exposition: stretches that follow one another, most of them shared with other bodies.

use bytes::Bytes;

/// Stretches shorter than this are joined: so many bytes are copied faster than they are sent one by one.
const JOINED: usize = 32 << 10;

/// What answers a scrape.
#[derive(Debug)]
pub struct Body {
    chunks: Vec<Bytes>,
}

// === impl Body ===

impl Body {
    /// The stretches, in order; none is empty.
    #[must_use]
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }
}

/// The body that the `chunks` make.
pub(super) fn joined<'a>(chunks: impl IntoIterator<Item = &'a Bytes>) -> Body {
    let (mut joined, mut open) = (vec![], vec![]);
    let close = |open: &mut Vec<u8>, joined: &mut Vec<Bytes>| {
        if !open.is_empty() {
            // Without the room that it has to spare: a body is kept for up to a second.
            joined.push(std::mem::take(open).into_boxed_slice().into());
        }
    };
    for chunk in chunks {
        if chunk.len() < JOINED {
            open.extend_from_slice(chunk);
        } else {
            close(&mut open, &mut joined);
            joined.push(chunk.clone());
        }
    }
    close(&mut open, &mut joined);
    Body { chunks: joined }
}
