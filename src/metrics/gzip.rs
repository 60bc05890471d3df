//! gzip, made of pieces that are compressed each on its own: what stays the same is compressed once.
//!
//! A piece is a run of deflate blocks that refers to nothing before it and ends at a byte, which is what a full flush
//! leaves. So pieces in any order, between a header and a trailer, are one gzip member, as any reader expects: some stop
//! after the first member. The checksum of the whole comes from those of the pieces.
//!
//! Source: RFC 1951 (deflate), RFC 1952 (gzip).

use bytes::Bytes;
use flate2::{Compress, CompressError, Compression, Crc, FlushCompress};

/// The fastest level. An exposition repeats itself so much that this takes off nine tenths, and no other level is worth
/// its time.
const LEVEL: Compression = Compression::fast();

/// Deflate, no flags, no time, made as fast as can be, by no system that is worth telling.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// An empty block that is the last one.
const END: [u8; 2] = [3, 0];

/// Compresses pieces.
#[derive(Debug)]
pub(super) struct Compressor {
    deflate: Compress,
    out: Vec<u8>,
}

/// A text, compressed.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    crc: Crc,
}

/// A gzip member, to which pieces are added.
#[derive(Debug)]
pub(super) struct Member {
    chunks: Vec<Bytes>,
    crc: Crc,
}

// === impl Compressor ===

impl Compressor {
    pub(super) fn new() -> Self {
        Self { deflate: Compress::new(LEVEL, false), out: vec![] }
    }

    /// Compresses `text`.
    ///
    /// # Errors
    /// What the library says; it has no reason to.
    pub(super) fn piece(&mut self, text: &[u8]) -> Result<Piece, CompressError> {
        self.out.clear();
        let mut rest = text;
        loop {
            self.out.reserve(rest.len() / 8 + 256);
            let before = self.deflate.total_in();
            self.deflate.compress_vec(rest, &mut self.out, FlushCompress::Full)?;
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            // Room that is left over tells that the flush is complete.
            if rest.is_empty() && self.out.len() < self.out.capacity() {
                break;
            }
        }
        let mut crc = Crc::new();
        crc.update(text);
        Ok(Piece { bytes: Bytes::copy_from_slice(&self.out), crc })
    }
}

// === impl Member ===

impl Member {
    pub(super) fn new() -> Self {
        Self { chunks: vec![Bytes::from_static(&HEADER)], crc: Crc::new() }
    }

    pub(super) fn add(&mut self, piece: &Piece) {
        self.chunks.push(piece.bytes.clone());
        self.crc.combine(&piece.crc);
    }

    /// The whole member.
    pub(super) fn end(mut self) -> Vec<Bytes> {
        let mut trailer = END.to_vec();
        trailer.extend(self.crc.sum().to_le_bytes());
        trailer.extend(self.crc.amount().to_le_bytes());
        self.chunks.push(trailer.into());
        self.chunks
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_one_member_of_all_texts(texts in prop::collection::vec("(ab|c|[ -~]{0,40}){0,60}", 0..8)) {
            let (mut compressor, mut member) = (Compressor::new(), Member::new());
            for text in &texts {
                member.add(&compressor.piece(text.as_bytes()).unwrap());
            }
            let bytes = member.end().concat();
            let mut reader = GzDecoder::new(&bytes[..]);
            let mut read = String::new();
            reader.read_to_string(&mut read).unwrap();
            prop_assert_eq!(read, texts.concat());
            prop_assert!(reader.into_inner().is_empty(), "something follows the member");
        }
    }

    #[test]
    fn a_piece_of_any_size_is_whole() {
        let mut compressor = Compressor::new();
        let mut random = fastrand::Rng::with_seed(1);
        for size in [0, 1, 255, 256, 257, 65_535, 65_536, 300_000] {
            let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(size).collect();
            let mut member = Member::new();
            member.add(&compressor.piece(&noise).unwrap());
            let bytes = member.end().concat();
            let mut read = vec![];
            GzDecoder::new(&bytes[..]).read_to_end(&mut read).unwrap();
            assert!(read == noise, "{size}");
        }
    }
}
