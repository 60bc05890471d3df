//! A stream that tells its [`Connection`] what happens on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::Connection;

/// `S`, observed. It lies below everything else, encryption too: what counts is what the peer takes.
#[derive(Debug)]
pub struct Observed<S> {
    stream: S,
    connection: Connection,
    abandon: fn(&S),
}

// === impl Observed ===

impl<S> Observed<S> {
    /// `stream`, which is that of `connection`. `abandon` tells it to keep nothing for a reader that was cut off because
    /// it took too little: the system would go on to offer it, and to hold it.
    pub fn new(stream: S, connection: Connection, abandon: fn(&S)) -> Self {
        Self { stream, connection, abandon }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.connection.took(*bytes),
            Poll::Pending => self.connection.blocked(),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S> Drop for Observed<S> {
    fn drop(&mut self) {
        if self.connection.is_cut_off() && self.connection.waiting().is_some() {
            (self.abandon)(&self.stream);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.heard();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => self.connection.flushed(),
            Poll::Pending => self.connection.blocked(),
            Poll::Ready(Err(_)) => {}
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
