//! An answer under way: from the end of the request's head until the last of it has left the connection.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

use super::connections::Connection;

/// An answer that is being prepared or written.
#[derive(Debug)]
pub struct Answer {
    connection: Connection,
    prepared: bool,
    /// Lives until the last of the answer has been flushed.
    token: Option<Arc<()>>,
}

/// An answer, for whoever wants to know whether it is still under way.
#[derive(Debug)]
pub struct Watched {
    connection: Connection,
    token: Weak<()>,
}

/// The body of an answer.
#[derive(Debug)]
pub struct AnswerBody<B> {
    body: B,
    /// Dropped with the body, as soon as all of it has been handed to the connection.
    _answer: Answer,
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, prepared: false, token: Some(Arc::default()) }
    }

    /// A way to look at it from outside.
    #[must_use]
    pub fn watch(&self) -> Watched {
        Watched {
            connection: self.connection.clone(),
            token: self.token.as_ref().map(Arc::downgrade).unwrap_or_default(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.answer_handed_over(self.prepared, self.token.take().unwrap_or_default());
    }
}

// === impl Watched ===

impl Watched {
    /// Whether it is under way: not once it has been flushed, or its connection has gone.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.token.strong_count() > 0
    }

    /// Whether its reader keeps us waiting.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.connection.waiting().is_some()
    }
}

// === impl AnswerBody ===

impl<B> AnswerBody<B> {
    /// `body`, which is that of `answer`.
    pub fn new(body: B, mut answer: Answer) -> Self {
        answer.prepared = true;
        answer.connection.answer_prepared();
        Self { body, _answer: answer }
    }
}

impl<B: Body + Unpin> Body for AnswerBody<B> {
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
