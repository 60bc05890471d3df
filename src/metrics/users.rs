//! What is exposed of a user: the families, and the samples that the user has in each.

use jiff::Timestamp;
use tencentcloud_api::{KeyStatus, LastUse};

use super::family::families;
use crate::inventory::{
    AccountSettings, Key, Policy, User,
    assessment::{Assessment, Finding, UserState},
};

/// The label that tells a user's keys apart.
const ACCESS_KEY_ID: &str = "access_key_id";
const FINDING: &str = "finding";
const STATUS: &str = "status";
const USER_NAME: &str = "user_name";

families! {
    /// A family whose series have the labels `account` and `uin`.
    pub(super) enum UserFamily {
        AccessKeys: Gauge "tencentcloud_cam_access_keys"
            "Number of access keys of the user by status, as of the last successful poll.",
        KeyCreated: Gauge "tencentcloud_cam_access_key_created_timestamp_seconds"
            "Unix time at which the access key was created.",
        KeyAge: Gauge "tencentcloud_cam_access_key_age_seconds"
            "Age of the access key at the scrape, by the exporter's clock.",
        KeyStatus: Gauge "tencentcloud_cam_access_key_status"
            "Status of the access key as of the last successful poll: 1 for the current status, 0 for the others.",
        KeyLastUsed: Gauge "tencentcloud_cam_access_key_last_used_timestamp_seconds"
            "Unix time at which the access key was last used, or the start of that day in keys.time_zone. The API reports \
             it about a day late.",
        KeyNeverUsed: Gauge "tencentcloud_cam_access_key_never_used"
            "Whether the API reports that the access key was never used (1) or not (0).",
        KeyAutoDisable: Gauge "tencentcloud_cam_access_key_auto_disable_timestamp_seconds"
            "Unix time at which Tencent Cloud disables the active access key if it stays unused, as announced, less a day \
             of margin.",
        KeyFinding: Gauge "tencentcloud_cam_access_key_finding"
            "Findings about the access key that are not exempt. The value is a Unix time that depends on the finding, and 1 \
             for inactive.",
        Finding: Gauge "tencentcloud_cam_user_finding"
            "Findings about the user that are not exempt. The value is the number of access keys that the finding is \
             about.",
        Exempt: Gauge "tencentcloud_cam_user_exempt"
            "Whether the user is exempt from the finding (1), or was until the exemption ended (0), as configured.",
        ConsoleLogin: Gauge "tencentcloud_cam_user_console_login"
            "Whether the user that discovery found may log in to the console (1) or not (0).",
        Info: Gauge "tencentcloud_cam_user_info"
            "Information about the discovered user. Always 1.",
        Up: Gauge "tencentcloud_cam_user_up"
            "Whether the last poll of the user succeeded (1) or failed (0).",
        Missing: Gauge "tencentcloud_cam_user_missing"
            "The API reports that the user does not exist. Always 1.",
        FailingSince: Gauge "tencentcloud_cam_user_failing_since_timestamp_seconds"
            "Unix time since which polls of the user have failed: the last success, or the first failed poll if there was \
             no success.",
        LastSuccess: Gauge "tencentcloud_cam_user_last_success_timestamp_seconds"
            "Unix time of the last successful poll of the user.",
    }
}

// === impl UserFamily ===

impl UserFamily {
    /// Whether any user of the account has a sample, as far as its assessment can tell: most accounts have users without the
    /// exceptional, and looking at each of them for nothing takes time.
    pub(super) fn may_have_samples(self, account: &Assessment) -> bool {
        let (users, keys) = (account.users, account.keys);
        match self {
            Self::KeyLastUsed | Self::KeyNeverUsed | Self::KeyAutoDisable => keys.last_use_unknown < keys.total,
            Self::KeyFinding => Finding::ALL.into_iter().any(|finding| keys.with(finding) > 0),
            Self::Finding => users.at_limit + users.over_limit + users.console_login > 0,
            Self::Missing => users.missing > 0,
            Self::FailingSince => users.failing + users.missing > 0,
            Self::AccessKeys
            | Self::KeyCreated
            | Self::KeyAge
            | Self::KeyStatus
            | Self::Exempt
            | Self::ConsoleLogin
            | Self::Info
            | Self::Up
            | Self::LastSuccess => true,
        }
    }

    /// Hands out the samples of the user of an account with these `settings` as of `now`: the labels after `account` and `uin`,
    /// and the value.
    pub(super) fn samples(
        self,
        user: &User,
        settings: &AccountSettings,
        now: Timestamp,
        mut take: impl FnMut(&[(&'static str, &str)], i64),
    ) {
        let keys = user.keys.as_deref().unwrap_or_default();
        match self {
            // A user without keys has zeros; a user whose keys are not known has no series.
            Self::AccessKeys if user.keys.is_none() => {}
            Self::AccessKeys => {
                for status in KeyStatus::ALL {
                    let number = keys.iter().filter(|key| key.status == status).count();
                    take(&[(STATUS, status.label())], number.try_into().unwrap_or(i64::MAX));
                }
            }
            // In whole seconds, as the API reports creation times.
            Self::KeyCreated => {
                for key in keys {
                    take(&[(ACCESS_KEY_ID, &key.label)], key.created.as_second());
                }
            }
            Self::KeyAge => {
                for key in keys {
                    take(&[(ACCESS_KEY_ID, &key.label)], key.age(now).as_secs());
                }
            }
            Self::KeyStatus => {
                for (key, status) in keys.iter().flat_map(|key| KeyStatus::ALL.map(|status| (key, status))) {
                    let labels = [(ACCESS_KEY_ID, key.label.as_str()), (STATUS, status.label())];
                    take(&labels, (key.status == status).into());
                }
            }
            Self::KeyLastUsed => {
                for key in keys {
                    if let Some(LastUse::At(time)) = key.last_use {
                        take(&[(ACCESS_KEY_ID, &key.label)], time.as_second());
                    }
                }
            }
            Self::KeyNeverUsed => {
                for key in keys {
                    if let Some(last_use) = key.last_use {
                        take(&[(ACCESS_KEY_ID, &key.label)], (last_use == LastUse::Never).into());
                    }
                }
            }
            Self::KeyAutoDisable => {
                let policy = user.policy(settings);
                for key in keys {
                    if let Some(time) = key.auto_disabled_at(policy) {
                        take(&[(ACCESS_KEY_ID, &key.label)], time.as_second());
                    }
                }
            }
            Self::KeyFinding => {
                let policy = user.policy(settings);
                for (key, verdict) in user.judged_keys(policy, now) {
                    for finding in verdict.findings.iter() {
                        if let Some(value) = value_of_key(finding, key, user, policy) {
                            take(&[(ACCESS_KEY_ID, &key.label), (FINDING, finding.label())], value);
                        }
                    }
                }
            }
            Self::Finding => {
                for finding in user.verdict(user.policy(settings), now).findings.iter() {
                    let number = if finding == Finding::ConsoleLogin { user.enabled_keys() } else { keys.len() };
                    take(&[(FINDING, finding.label())], number.try_into().unwrap_or(i64::MAX));
                }
            }
            Self::Exempt => {
                for exemption in &user.policy(settings).exemptions {
                    take(&[(FINDING, exemption.finding.label())], (!exemption.has_ended(now)).into());
                }
            }
            Self::ConsoleLogin => user.console_login.into_iter().for_each(|may| take(&[], may.into())),
            Self::Info => user.name.iter().for_each(|name| take(&[(USER_NAME, name)], 1)),
            Self::Up => user.up.into_iter().for_each(|up| take(&[], up.into())),
            Self::Missing => {
                if user.state() == UserState::Missing {
                    take(&[], 1);
                }
            }
            Self::FailingSince => user.failing_since().into_iter().for_each(|since| take(&[], since.as_second())),
            Self::LastSuccess => user.answered.get().into_iter().for_each(|at| take(&[], at.as_second())),
        }
    }
}

/// The value of the series of a key's finding; nothing where it is the user's.
fn value_of_key(finding: Finding, key: &Key, user: &User, policy: &Policy) -> Option<i64> {
    let time = match finding {
        Finding::Stale | Finding::VeryStale => Some(key.created),
        Finding::Unused => key.idle_since(),
        Finding::AutoDisableSoon => key.auto_disabled_at(policy),
        Finding::RotationUnfinished => user.newest_key().map(|newest| newest.created),
        Finding::Inactive => return Some(1),
        Finding::OverLimit | Finding::ConsoleLogin | Finding::AtLimit => None,
    };
    time.map(jiff::Timestamp::as_second)
}
