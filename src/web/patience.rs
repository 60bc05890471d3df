//! Times the head of a request.
//!
//! hyper has one timeout for a head that comes too slowly and for a connection that idles between two scrapes. Those are
//! not one thing: a head takes milliseconds, and a connection kept over a scrape interval saves a handshake. So hyper is
//! given the idle timeout, and [`Patient`] ends a connection on which a head has begun and does not end.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// A connection whose reads fail once a head has taken too long.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    patience: Duration,
    head: HeadEnd,
    /// Runs until the first head is whole, and from the first byte of each further one.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Tells a [`Patient`] connection that the head which has begun is whole.
#[derive(Clone, Debug, Default)]
pub struct HeadEnd(Arc<AtomicBool>);

// === impl Patient ===

impl<S> Patient<S> {
    /// `stream`, on which a head may take `patience` until `head` is told that it is whole. Needs a runtime's timer.
    pub fn new(stream: S, patience: Duration, head: HeadEnd) -> Self {
        Self { stream, patience, head, deadline: Some(Box::pin(sleep(patience))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.head.take() {
            this.deadline = None;
        }
        let filled = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) if buffer.filled().len() > filled => {
                let patience = this.patience;
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
                // Bytes that trickle in must not keep the clock from being looked at.
                if deadline.deadline() <= Instant::now() { Poll::Ready(Err(too_slow())) } else { Poll::Ready(Ok(())) }
            }
            Poll::Pending => match &mut this.deadline {
                Some(deadline) => {
                    ready!(deadline.as_mut().poll(cx));
                    Poll::Ready(Err(too_slow()))
                }
                None => Poll::Pending,
            },
            Poll::Ready(ended) => Poll::Ready(ended),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// === impl HeadEnd ===

impl HeadEnd {
    /// The head is whole. The next byte that is read begins another.
    pub fn reached(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the head of the request took too long")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn connection() -> (DuplexStream, Patient<DuplexStream>, HeadEnd) {
        let ((client, server), head) = (duplex(64), HeadEnd::default());
        (client, Patient::new(server, Duration::from_secs(5), head.clone()), head)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_is_cut_off() {
        let (mut client, mut server, _) = connection();
        let trickle = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        });
        let (started, mut byte) = (Instant::now(), [0]);
        let error = loop {
            if let Err(error) = server.read_exact(&mut byte).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 5);
        drop(server);
        trickle.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_speaks_is_cut_off() {
        let (_client, mut server, _) = connection();
        let started = Instant::now();
        assert_eq!(server.read_exact(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn idling_between_two_heads_is_free() {
        let (mut client, mut server, head) = connection();
        for _ in 0..3 {
            client.write_all(b"head").await.unwrap();
            server.read_exact(&mut [0; 4]).await.unwrap();
            head.reached();
            let idle = tokio::time::timeout(Duration::from_mins(1), server.read_exact(&mut [0; 1])).await;
            assert!(idle.is_err(), "the connection ended while it idled");
        }
    }
}
