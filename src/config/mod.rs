//! What the user wants: the configuration file with the environment over it, as values that cannot be wrong.
//!
//! The toolkit's `yaml` reads the text into a tree of the `config` crate's values, each of which can say where it comes from;
//! `variables` lays `CAM_EXPORTER__…` over it, and `schema` walks what results. The merge is our own since that
//! crate's takes the top level's names for paths (`a[999999999]` becomes a list of that length) and forgets where
//! tables come from. The walk is our own since serde stops at the first fault.

mod account;
mod credentials;
mod discover;
mod organization;
mod overrides;
mod scalar;
mod schema;
mod settings;
mod shard;
mod uins_file;
mod variables;

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use exporter_toolkit::{
    files::{self, Content},
    yaml::{self, Notes},
};
use jiff::{Timestamp, tz::Offset};
use tencentcloud_api::{Endpoint, Region, Uin};

pub use credentials::Credentials;
pub use exporter_toolkit::yaml::{Fault, Faults, MAX_BYTES};
pub use organization::Organization;
pub use shard::{NotAShard, NotAShardBy, Shard, ShardBy};
pub use uins_file::{Error as UinsFileError, UinsFile};

use crate::{
    environment::Environment,
    inventory::{AccountName, IdLabel, Override, Policy},
    poll::{self, Discovery},
};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The accounts, in the order of the file, each with a name of its own; at least one, before they are divided
    /// between shards.
    pub accounts: Vec<Account>,
    /// Where the inventory is kept over a restart.
    pub state_file: Option<PathBuf>,
}

/// An account and how it is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The label `account`.
    pub name: AccountName,
    /// The users whose keys are listed; at least one, unless there are other ways to users or they are divided between
    /// shards.
    pub uins: BTreeSet<Uin>,
    /// The file that lists more of them.
    pub uins_file: Option<PathBuf>,
    /// Whether the calling user is polled too.
    pub include_self: bool,
    /// How more of them are found, if they are.
    pub discover: Option<Discovery>,
    /// The organisation whose members are polled as well, if any.
    pub organization: Option<Organization>,
    /// Where CAM is reached.
    pub endpoint: Endpoint,
    /// Where STS is reached.
    pub sts_endpoint: Endpoint,
    /// The region that requests name, where a host wants one.
    pub region: Option<Region>,
    /// Where the account's credential comes from.
    pub credentials: Credentials,
    /// How its users are polled. The timeout is at most the interval.
    pub poll: poll::Settings,
    /// What is expected of its keys.
    pub keys: Keys,
    /// What of the account is divided between shards.
    pub shard_by: ShardBy,
    /// Whose part of its users this is.
    pub shard: Shard,
}

/// What is expected of an account's keys, and how they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// What is expected of all users' keys, without exemptions. A user may have 1 to 1000 keys. Lengths of time are from an
    /// hour, below which an alert would only measure the polling, to ten years.
    pub policy: Arc<Policy>,
    /// What is expected of some users' keys instead.
    pub overrides: Arc<[Override]>,
    /// The time zone of `CreateTime`, which carries none.
    pub time_zone: Offset,
    /// How a key's id is shown.
    pub id_label: IdLabel,
}

// === impl Config ===

impl Config {
    /// Reads the file at `path`, and the variables of `environment` over it.
    ///
    /// # Errors
    /// All that is wrong. What is reported does not name the file.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Faults> {
        let content = read(path)?;
        let folder = content.folder(path);
        Self::decode(content.bytes, folder, environment)
    }

    /// Takes `content` as that of a file in `folder`, and the variables of `environment` over it.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn decode(content: Vec<u8>, folder: &Path, environment: &Environment) -> Result<Self, Faults> {
        Self::read(&yaml::text(content)?, folder, environment, None)
    }

    /// As [`Config::load`], with the users of each `uins_file` among the `uins`: a daemon waits for such a file, and a
    /// check does not.
    ///
    /// # Errors
    /// All that is wrong, in those files as well.
    pub fn check(path: &Path, environment: &Environment, now: Timestamp) -> Result<Self, Faults> {
        let content = read(path)?;
        let folder = content.folder(path);
        Self::read(&yaml::text(content.bytes)?, folder, environment, Some(now))
    }

    /// Takes `text` as the file's content, and the variables of `environment` over it. Paths are relative to the working
    /// directory.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, Faults> {
        Self::read(text, Path::new(""), environment, None)
    }

    fn read(
        text: &str,
        folder: &Path,
        environment: &Environment,
        files_as_of: Option<Timestamp>,
    ) -> Result<Self, Faults> {
        let mut tree = yaml::read(text, "accounts")?;
        let mut notes = Notes::default();
        variables::merge_env(&mut tree, environment, &mut notes);
        schema::read(&tree, folder, notes, files_as_of)
    }

    /// What is right by itself and yet probably not meant, where it is `now`; for a configuration that was
    /// [checked](Self::check), as users in files count.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<Fault> {
        overrides::warnings(&self.accounts, now)
    }

    /// The part of it that is `shard`'s. There may be none.
    #[must_use]
    pub fn shard(mut self, shard: Shard) -> Self {
        self.accounts.retain_mut(|account| {
            if let Some(organization) = &mut account.organization {
                organization.shard = shard;
            }
            match account.shard_by {
                ShardBy::Account if shard.owns_account(&account.name) => true,
                // Its members are still to be found.
                ShardBy::Account => {
                    account.has_no_users();
                    account.organization.is_some()
                }
                ShardBy::User => {
                    account.shard = shard;
                    account.uins.retain(|uin| shard.owns_user(&account.name, *uin));
                    true
                }
            }
        });
        self
    }
}

// === impl Account ===

impl Account {
    /// Whether a user of the account, wherever it is listed, is polled here and not by another shard.
    #[must_use]
    pub fn owns(&self, uin: Uin) -> bool {
        self.shard.owns_user(&self.name, uin)
    }

    /// Among how many exporters the account's rate limit is divided: each polls some of its users.
    #[must_use]
    pub fn rate_share(&self) -> NonZeroU32 {
        self.shard.total()
    }
}

/// What the file at `path` holds. It is opened once: a pipe can be read only once.
///
/// # Errors
/// It cannot be read, or is too large.
pub(crate) fn read(path: &Path) -> Result<Content, Faults> {
    files::read_once(path, MAX_BYTES).map_err(unreadable)
}

/// As [`read`], of a regular file only.
///
/// # Errors
/// It cannot be read, is too large, or is not a regular file.
pub(crate) fn read_again(path: &Path) -> Result<Content, Faults> {
    match files::open(path) {
        Ok(None) => Err(Faults::of_file(
            "not a regular file: a pipe or a device is read at the start only: put a file there, or restart the exporter",
        )),
        _ => read(path),
    }
}

fn unreadable(error: files::Error) -> Faults {
    match error {
        files::Error::Unreadable { kind, .. } => Faults::of_file(format!(
            "cannot be read: {}: check the path, the mount and the permissions",
            files::cause(kind)
        )),
        files::Error::TooLarge { .. } => {
            Faults::of_file("larger than 1 MiB, which no configuration is: check the path")
        }
        other => other.into(),
    }
}
