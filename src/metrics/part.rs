//! A stretch of the exposition that changes as a whole, and is compressed when that is first asked for.

use bytes::{Bytes, BytesMut};
use flate2::CompressError;

use super::gzip::{Compressor, Piece};

/// A stretch of text.
#[derive(Debug, Default)]
pub(super) struct Part {
    text: Bytes,
    piece: Option<Piece>,
}

// === impl Part ===

impl Part {
    pub(super) fn new(text: impl Into<Bytes>) -> Self {
        Self { text: text.into(), piece: None }
    }

    pub(super) fn text(&self) -> &Bytes {
        &self.text
    }

    /// Changes the text: in its place, or in a copy while somebody still reads the old one.
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut [u8])) {
        let text = std::mem::take(&mut self.text);
        let mut text = text.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        edit(&mut text);
        *self = Self::new(text);
    }

    /// The text, compressed.
    pub(super) fn piece(&mut self, compressor: &mut Compressor) -> Result<&Piece, CompressError> {
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None => compressor.piece(&self.text)?,
        };
        Ok(self.piece.insert(piece))
    }
}
