//! The body of an answer: bytes that are ready, or a scrape that is written as its reader takes it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use thiserror::Error;
use tokio::time::Instant;

use crate::scrape::{NotCompressed, Scrape};

/// The body of an answer.
#[derive(Debug)]
pub struct Body(Content);

/// Why a body ends before it is whole. Its connection is closed, as nothing else tells the reader.
#[derive(Debug, Error)]
pub enum Incomplete {
    /// It cannot be written.
    #[error(transparent)]
    Unwritten(#[from] NotCompressed),
    /// The reader took longer than it said it would wait.
    #[error("the scrape took longer than its timeout")]
    Late,
}

#[derive(Debug)]
enum Content {
    /// Nothing is left once it is empty.
    Ready(Bytes),
    Scrape {
        scrape: Box<Scrape>,
        deadline: Option<Instant>,
    },
}

// === impl Body ===

impl Body {
    /// The body of `scrape`, which is closed after the `deadline`.
    #[must_use]
    pub fn of(scrape: Scrape, deadline: Option<Instant>) -> Self {
        Self(Content::Scrape { scrape: Box::new(scrape), deadline })
    }
}

impl From<Bytes> for Body {
    fn from(whole: Bytes) -> Self {
        Self(Content::Ready(whole))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Incomplete>>> {
        match &mut self.get_mut().0 {
            Content::Ready(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Ready(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            // What is all there is sent: it may still be in time.
            Content::Scrape { scrape, deadline: Some(deadline) }
                if *deadline <= Instant::now() && scrape.size_hint().exact().is_none() =>
            {
                Poll::Ready(Some(Err(Incomplete::Late)))
            }
            Content::Scrape { scrape, .. } => {
                Pin::new(&mut **scrape).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Ready(bytes) => bytes.is_empty(),
            Content::Scrape { scrape, .. } => scrape.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Ready(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Scrape { scrape, .. } => scrape.size_hint(),
        }
    }
}
