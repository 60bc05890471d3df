//! What can be asked of an API.

use jiff::{Timestamp, tz::Offset};
use serde::{Serialize, de::DeserializeOwned};

use crate::transport::MAX_RESPONSE_BYTES;

/// An action of an API. The value is a request for it, and is written as the request's body.
pub trait Action: Serialize + Sync {
    /// The service that answers, as a signature's scope names it.
    const SERVICE: &'static str;
    /// `X-TC-Action`.
    const NAME: &'static str;
    /// `X-TC-Version`.
    const VERSION: &'static str;
    /// The most bytes that are read of an answer.
    const MAX_RESPONSE_BYTES: usize = MAX_RESPONSE_BYTES;

    /// The body of a response. Other fields of a response are ignored.
    type Response: DeserializeOwned + Send + 'static;
    /// What an answer says.
    type Output;

    /// What the answer says.
    ///
    /// # Errors
    /// What is wrong with it. It is logged, so it must quote nothing that may be a key's id.
    fn parse(&self, response: Self::Response, context: Context) -> Result<Self::Output, String>;

    /// The action as a policy names it.
    #[must_use]
    fn permission() -> String {
        format!("{}:{}", Self::SERVICE, Self::NAME)
    }

    /// `text` without the confidential parts of the request, which an error response may quote.
    #[must_use]
    fn scrub(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// What an answer does not say of itself.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The zone of its times, which do not carry one.
    pub zone: Offset,
    /// When it was asked for.
    pub now: Timestamp,
}
