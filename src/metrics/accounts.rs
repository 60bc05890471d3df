//! What is exposed of an account beside its users.

use std::time::Duration;

use exporter_toolkit::exposition::{Family, Kind};
use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::KeyStatus;
use tokio::time::Instant;

use super::family::families;
use crate::inventory::{
    Account, AccountSettings, Listing, ListingState, Listings, Progress, Snapshot,
    assessment::{Assessment, KeyCounts, Moment},
};

/// A family whose series have the label `account`.
pub(super) struct AccountFamily {
    pub(super) family: Family,
    /// Nothing as long as nothing is known.
    pub(super) value: fn(&View) -> Option<f64>,
}

/// An account at one moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) settings: AccountSettings,
    progress: Progress,
    listings: Listings,
    skew: Option<SignedDuration>,
    now: Instant,
    members: Option<usize>,
    assessment: Assessment,
}

/// What the [`LabelledFamily`]s show of an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labelled {
    is_complete: bool,
    keys: KeyCounts,
}

families! {
    /// A family whose series have a label after `account`.
    pub(super) enum LabelledFamily {
        InventoryComplete: Gauge "tencentcloud_cam_account_inventory_complete"
            "Whether every listing of users has succeeded and every user has been polled at least once (1) or not (0).",
        AccessKeys: Gauge "tencentcloud_cam_account_access_keys"
            "Number of access keys of all users by status, as of their last successful polls.",
    }
}

/// In the order in which they are exposed.
pub(super) static FAMILIES: [AccountFamily; 22] = [
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_access_keys_limit",
            help: "Configured maximum number of access keys of a user.",
            kind: Kind::Gauge,
        },
        value: |view| Some(view.settings.policy.limit.into()),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_access_key_max_age_seconds",
            help: "Configured age from which an access key is stale.",
            kind: Kind::Gauge,
        },
        value: |view| Some(view.settings.policy.max_age.as_secs_f64()),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_up",
            help: "Whether the last poll of at least one user of the account succeeded (1) or not (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.assessment.state.up().map(truth),
    },
    AccountFamily {
        family: Family { name: "tencentcloud_cam_account_users", help: "Number of users polled.", kind: Kind::Gauge },
        value: |view| Some(count(view.assessment.users.total)),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_users_unanswered",
            help: "Number of users without a successful poll.",
            kind: Kind::Gauge,
        },
        value: |view| Some(count(view.assessment.users.unanswered)),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_outage",
            help: "Whether no poll of the account succeeded for two intervals, and not every user has been polled since \
                   (1) or not (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.assessment.outage.map(truth),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_poll_interval_seconds",
            help: "Configured interval between polls of a user.",
            kind: Kind::Gauge,
        },
        value: |view| Some(view.settings.poll_interval.as_secs_f64()),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_shortest_poll_interval_seconds",
            help: "Shortest interval at which each user can be polled within the rate limit.",
            kind: Kind::Gauge,
        },
        value: |view| view.progress.rate_limit.map(|limit| count(view.assessment.users.total) / limit),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_rate_limit_requests_per_second",
            help: "Current rate limit of the account's requests. It is below the configured limit after the API \
                   throttled requests.",
            kind: Kind::Gauge,
        },
        value: |view| view.progress.rate,
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_schedule_lag_seconds",
            help: "Time by which polling is behind schedule.",
            kind: Kind::Gauge,
        },
        value: View::lag,
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_last_sweep_duration_seconds",
            help: "Duration of the last complete sweep over all users, from the first poll to the last.",
            kind: Kind::Gauge,
        },
        value: |view| view.progress.last_sweep.map(|sweep| sweep.as_secs_f64()),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_uins_file_up",
            help: "Whether the last load of uins_file succeeded (1) or failed (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.up(Listing::UinsFile),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_caller_up",
            help: "Whether the last lookup of the calling user succeeded (1) or failed (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.up(Listing::Caller),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_user_discovery_up",
            help: "Whether the last listing of the account's users succeeded and was accepted (1) or not (0).",
            kind: Kind::Gauge,
        },
        value: View::discovery_up,
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_user_discovery_last_success_timestamp_seconds",
            help: "Unix time of the last successful listing of the account's users.",
            kind: Kind::Gauge,
        },
        value: View::discovery_succeeded,
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_organization_up",
            help: "Whether the last listing of the organization's members succeeded and was accepted (1) or not (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.up(Listing::Members),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_organization_last_success_timestamp_seconds",
            help: "Unix time of the last successful listing of the organization's members.",
            kind: Kind::Gauge,
        },
        value: |view| view.succeeded(Listing::Members),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_organization_members",
            help: "Number of members of the organization that are polled by any shard.",
            kind: Kind::Gauge,
        },
        value: |view| view.members.map(count),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_last_used_up",
            help: "Whether the last request for the last use of access keys succeeded (1) or failed (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.up(Listing::LastUses),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_account_last_used_complete",
            help: "Whether the last use of every exposed access key is known (1) or not (0).",
            kind: Kind::Gauge,
        },
        value: |view| view.assessment.last_uses_known.map(truth),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_credential_expiry_timestamp_seconds",
            help: "Unix time at which the current temporary credential expires.",
            kind: Kind::Gauge,
        },
        value: |view| view.progress.credential_expires.map(seconds),
    },
    AccountFamily {
        family: Family {
            name: "tencentcloud_cam_clock_skew_seconds",
            help: "API clock minus exporter clock, from the Date header of the last response.",
            kind: Kind::Gauge,
        },
        // The header is exact to the second, and half a second late on average. Nothing is added to a negative zero.
        value: |view| view.skew.map(|skew| skew.as_secs_f64().round() + 0.0),
    },
];

// === impl LabelledFamily ===

impl LabelledFamily {
    /// Hands out the samples of an account: the label after `account`, and the value.
    pub(super) fn samples(self, account: &Labelled, shard: &str, mut take: impl FnMut((&'static str, &str), f64)) {
        match self {
            Self::InventoryComplete => take(("shard", shard), truth(account.is_complete)),
            Self::AccessKeys => {
                for status in KeyStatus::ALL {
                    take(("status", status.label()), count(account.keys.of(status)));
                }
            }
        }
    }
}

// === impl View ===

impl View {
    /// Of `account`, whose users are `users`.
    pub(super) fn of(account: &Account, users: &Snapshot, moment: Moment) -> Self {
        let progress = account.progress();
        Self {
            settings: account.settings(),
            listings: account.listings(),
            skew: progress.skew(moment.local),
            now: moment.instant,
            members: account.members().map(|members| members.len()),
            assessment: account.assess(users, moment),
            progress,
        }
    }

    pub(super) fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    pub(super) fn labelled(&self) -> Labelled {
        Labelled { is_complete: self.assessment.is_complete, keys: self.assessment.keys }
    }

    fn up(&self, listing: Listing) -> Option<f64> {
        self.listings.get(listing).up().map(truth)
    }

    fn succeeded(&self, listing: Listing) -> Option<f64> {
        self.listings.get(listing).succeeded.map(seconds)
    }

    /// The listings of `discover`.
    fn discovery(&self) -> impl Iterator<Item = &ListingState> {
        let typed = self.settings.listings.typed_users.then_some(Listing::TypedUsers);
        [Listing::Users].into_iter().chain(typed).map(|listing| self.listings.get(listing))
    }

    /// Whether each of them succeeded. One that failed is enough to know.
    fn discovery_up(&self) -> Option<f64> {
        if self.discovery().any(|listing| listing.up() == Some(false)) {
            return Some(truth(false));
        }
        self.discovery().all(|listing| listing.up() == Some(true)).then(|| truth(true))
    }

    /// When each of them had succeeded; none before that.
    fn discovery_succeeded(&self) -> Option<f64> {
        self.discovery().map(|listing| listing.succeeded).min().flatten().map(seconds)
    }

    fn lag(&self) -> Option<f64> {
        self.progress.rate?;
        let overdue = self.progress.next_due.map_or(Duration::ZERO, |due| self.now.saturating_duration_since(due));
        Some(overdue.as_secs_f64())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn seconds(time: Timestamp) -> f64 {
    time.as_second() as f64
}

fn truth(fact: bool) -> f64 {
    f64::from(u8::from(fact))
}
