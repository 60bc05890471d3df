//! A response under way: from the end of the request's head until its last byte has left the connection.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

use super::{connections::Connection, timeouts::EvictionPriority};

/// A response that is being prepared or written.
#[derive(Debug)]
pub struct ResponseGuard {
    connection: Connection,
    prepared: bool,
    pipelined: bool,
    /// Lives until the last of the response has been flushed.
    token: Option<Arc<()>>,
}

/// Shows from outside whether a response is still under way.
#[derive(Debug)]
pub struct ResponseHandle {
    connection: Connection,
    token: Weak<()>,
}

/// The body of a response.
#[derive(Debug)]
pub(crate) struct TrackedBody<B> {
    body: B,
    /// Dropped with the body, as soon as all of it has been handed to the connection.
    _guard: ResponseGuard,
}

// === impl ResponseGuard ===

impl ResponseGuard {
    pub(super) fn new(connection: Connection, pipelined: bool) -> Self {
        Self { connection, prepared: false, pipelined, token: Some(Arc::default()) }
    }

    /// Whether the request was sent before the response to the one before it had been written.
    #[must_use]
    pub fn is_pipelined(&self) -> bool {
        self.pipelined
    }

    /// A handle to this response.
    #[must_use]
    pub fn handle(&self) -> ResponseHandle {
        ResponseHandle {
            connection: self.connection.clone(),
            token: self.token.as_ref().map(Arc::downgrade).unwrap_or_default(),
        }
    }
}

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.connection.response_handed_over(self.prepared, self.token.take().unwrap_or_default());
    }
}

// === impl ResponseHandle ===

impl ResponseHandle {
    /// Whether it is under way: not once it has been flushed, or its connection is closed.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.token.strong_count() > 0 && !self.connection.is_closed()
    }

    /// How early it makes room for another; `None` while its reader does not keep us waiting.
    #[must_use]
    pub fn eviction_priority(&self) -> Option<EvictionPriority> {
        self.connection.eviction_priority()
    }

    /// Whether `guard` is of the same connection.
    #[must_use]
    pub fn shares_connection(&self, guard: &ResponseGuard) -> bool {
        self.connection == guard.connection
    }

    /// Closes the connection, so that the response ends early.
    pub fn close(&self) {
        self.connection.close();
    }
}

// === impl TrackedBody ===

impl<B> TrackedBody<B> {
    /// `body`, which is that of the response of `guard`.
    pub(crate) fn new(body: B, mut guard: ResponseGuard) -> Self {
        guard.prepared = true;
        guard.connection.response_prepared();
        Self { body, _guard: guard }
    }
}

impl<B: Body + Unpin> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
