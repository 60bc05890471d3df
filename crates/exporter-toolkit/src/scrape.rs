//! The body of a scrape, written as its reader takes it.
//!
//! A piece is written when the one before has left, so a slow reader costs a snapshot and a piece. Compressed, each piece is
//! deflated on its own and ends at a byte, which is what a full flush leaves: all of them between a header and a trailer
//! are one gzip member, and all scrapes share one compressor.
//!
//! Source: RFC 1951 (deflate), RFC 1952 (gzip).

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use flate2::{Compress, CompressError, Compression, Crc, FlushCompress};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use thiserror::Error;

/// The fastest level. An exposition repeats itself so much that this takes off nine tenths, and no other level is worth
/// its time.
const LEVEL: Compression = Compression::fast();

/// Deflate, no flags, no time, made as fast as can be, by no known system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// An empty block that is the last one.
const END: [u8; 2] = [3, 0];

/// How much is written at once: what a compressor sees of its text, and the first piece, which may be the whole body.
pub const PIECE: usize = 64 << 10;

/// The other pieces of a body that is not compressed. The connection holds two of them for a slow reader: larger ones take 8 % less
/// CPU, and more memory than that is worth.
const PLAIN_PIECE: usize = 16 << 10;

/// How much text is written before other tasks have their turn: less than a millisecond's worth, compressed.
const TURN: usize = 4 * PIECE;

/// An exposition that is written piece by piece.
///
/// [`Bytes`] are one that has been written already.
pub trait Pieces: Send {
    /// Appends to `out` until it holds `full` bytes or some more. Returns whether there is more to write.
    fn fill(&mut self, out: &mut Vec<u8>, full: usize) -> bool;
}

/// An exposition cannot be compressed. It should never happen.
#[derive(Debug, Error)]
#[error("the exposition cannot be compressed")]
pub struct NotCompressed(#[from] CompressError);

/// The body of a scrape.
#[derive(Debug)]
pub struct Scrape {
    /// The piece that goes next.
    ready: Option<Bytes>,
    rest: Option<Rest>,
}

/// Compresses pieces of all scrapes, one after the other.
#[derive(Clone)]
pub struct Compressor(Arc<Mutex<Shared>>);

struct Shared {
    deflate: Compress,
    text: Vec<u8>,
    out: Vec<u8>,
}

/// What has not been written yet.
struct Rest {
    pieces: Box<dyn Pieces>,
    gzip: Option<Gzip>,
    /// How much text has been written since others had their turn.
    written: usize,
}

#[derive(Debug)]
struct Gzip {
    compressor: Compressor,
    crc: Crc,
}

// === impl Pieces ===

impl Pieces for Bytes {
    fn fill(&mut self, out: &mut Vec<u8>, full: usize) -> bool {
        let piece = self.split_to(full.saturating_sub(out.len()).min(self.len()));
        out.extend_from_slice(&piece);
        !self.is_empty()
    }
}

// === impl Scrape ===

impl Scrape {
    /// What `pieces` write, compressed where there is a compressor. The first piece is written at once: that of a small
    /// exposition is all of it, so its length is known.
    ///
    /// # Errors
    /// See [`NotCompressed`].
    pub fn new(pieces: Box<dyn Pieces>, compressor: Option<Compressor>) -> Result<Self, NotCompressed> {
        let gzip = compressor.map(|compressor| Gzip { compressor, crc: Crc::new() });
        let mut scrape = Self { ready: None, rest: Some(Rest { pieces, gzip, written: 0 }) };
        scrape.ready = scrape.next(PIECE)?;
        Ok(scrape)
    }

    fn next(&mut self, plain_piece: usize) -> Result<Option<Bytes>, NotCompressed> {
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let (piece, more) = rest.piece(plain_piece)?;
        if !more {
            self.rest = None;
        }
        Ok(Some(piece))
    }
}

impl Body for Scrape {
    type Data = Bytes;
    type Error = NotCompressed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, NotCompressed>>> {
        if let Some(piece) = self.ready.take() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(rest) = &mut self.rest
            && rest.written >= TURN
        {
            rest.written = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.next(PLAIN_PIECE).map(|piece| piece.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.ready.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.rest.is_none() { SizeHint::with_exact(ready) } else { SizeHint::default() }
    }
}

// === impl Rest ===

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}

impl Rest {
    /// The next piece, and whether there are more.
    fn piece(&mut self, plain_piece: usize) -> Result<(Bytes, bool), NotCompressed> {
        let Some(gzip) = &mut self.gzip else {
            let mut text = Vec::with_capacity(plain_piece + plain_piece / 16);
            let more = self.pieces.fill(&mut text, plain_piece);
            self.written += text.len();
            text.shrink_to_fit();
            return Ok((text.into(), more));
        };
        let Shared { deflate, text, out } = &mut *gzip.compressor.0.lock();
        text.clear();
        out.clear();
        if gzip.crc.amount() == 0 {
            out.extend_from_slice(&HEADER);
        }
        let more = self.pieces.fill(text, PIECE);
        self.written += text.len();
        gzip.crc.update(text);
        deflate.reset();
        let mut left = &text[..];
        loop {
            out.reserve(left.len() / 8 + 256);
            let before = deflate.total_in();
            deflate.compress_vec(left, out, FlushCompress::Full)?;
            let taken = usize::try_from(deflate.total_in() - before).unwrap_or(left.len());
            left = &left[taken..];
            // It is flushed once it leaves room.
            if left.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        if !more {
            out.extend_from_slice(&END);
            out.extend_from_slice(&gzip.crc.sum().to_le_bytes());
            out.extend_from_slice(&gzip.crc.amount().to_le_bytes());
        }
        Ok((Bytes::copy_from_slice(out), more))
    }
}

// === impl Compressor ===

impl Compressor {
    /// One that has compressed nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Shared { deflate: Compress::new(LEVEL, false), text: vec![], out: vec![] })))
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}
