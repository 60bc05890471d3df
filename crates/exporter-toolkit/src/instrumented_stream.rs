//! A stream that reports reads and writes to its [`Connection`].

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::Connection;

/// Reads in a row before other connections get their turn: a peer that sends without end must not hold the thread.
const READS_PER_TURN: usize = 16;

/// `S`, instrumented. It lies below everything else, encryption too: what counts is what the peer reads.
#[derive(Debug)]
pub(crate) struct InstrumentedStream<S> {
    stream: S,
    connection: Connection,
    reads: usize,
    reset: fn(&S),
}

// === impl InstrumentedStream ===

impl<S> InstrumentedStream<S> {
    /// `stream`, which is that of `connection`. `reset` makes the system discard what it holds for the peer; called if the
    /// connection is closed by us. Otherwise the system would hold it, and offer it, for minutes.
    pub(crate) fn new(stream: S, connection: Connection, reset: fn(&S)) -> Self {
        Self { stream, connection, reads: 0, reset }
    }

    fn report(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.connection.on_write(*bytes),
            Poll::Pending => self.connection.on_write_blocked(),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S> Drop for InstrumentedStream<S> {
    fn drop(&mut self) {
        if self.connection.is_closed() {
            (self.reset)(&self.stream);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InstrumentedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.reads == READS_PER_TURN {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.reads = if read.is_ready() { self.reads + 1 } else { 0 };
        if buffer.filled().len() > before {
            self.connection.on_read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InstrumentedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.report(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.report(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => self.connection.on_flush(),
            Poll::Pending => self.connection.on_write_blocked(),
            Poll::Ready(Err(_)) => {}
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
