//! What is configured of an account.

use std::{sync::Arc, time::Duration};

use super::{ConfiguredListings, IdLabel, Override, Policy};

/// What is configured of an account and exposed beside its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// What is expected of the keys of users without overrides.
    pub policy: Arc<Policy>,
    /// What is expected of others, in order.
    pub overrides: Arc<[Override]>,
    /// How keys are labelled.
    pub id_label: IdLabel,
    /// How often each user is polled.
    pub poll_interval: Duration,
    /// What is listed beside the keys of each user.
    pub listings: ConfiguredListings,
}

// === impl AccountSettings ===

impl Default for AccountSettings {
    /// As where nothing is configured.
    fn default() -> Self {
        Self {
            policy: Arc::default(),
            overrides: Arc::default(),
            id_label: IdLabel::Masked,
            poll_interval: Duration::from_mins(5),
            listings: ConfiguredListings::default(),
        }
    }
}
