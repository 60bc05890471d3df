//! The configuration: a file, and environment variables that override it.
//!
//! Reading has three steps. The toolkit's `yaml` parses the text into a tree of the `config` crate's values, which know where
//! they come from. `variables` sets the values of `CAM_EXPORTER__…` variables in the tree. `schema` and the modules below it
//! turn the tree into types that cannot hold an invalid value, and collect all faults.
//!
//! Each table has a [`fields!`](exporter_toolkit::yaml::fields) declaration, with a line for each field: its name, type,
//! reader and default. `read` and `scalar` have the readers that several fields share.
//!
//! The `config` crate's own merge is not used, because it takes top-level names for paths (`a[999999999]` becomes a list of
//! that length) and forgets where tables come from. serde is not used, because it stops at the first fault.

mod account;
mod credentials;
mod discover;
mod organization;
mod overrides;
mod read;
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
    /// The accounts, in the order of the file. Their names are unique. There is at least one, before the configuration is
    /// divided between shards.
    pub accounts: Vec<Account>,
    /// The file that keeps the inventory across restarts.
    pub state_file: Option<PathBuf>,
}

/// An account and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The label `account`.
    pub name: AccountName,
    /// The users to poll. At least one, unless another field provides users or the users are divided between shards.
    pub uins: BTreeSet<Uin>,
    /// A file with more users.
    pub uins_file: Option<PathBuf>,
    /// Whether to poll the calling user too.
    pub include_self: bool,
    /// How to discover more users, if at all.
    pub discover: Option<Discovery>,
    /// The organization whose members to poll as well, if any.
    pub organization: Option<Organization>,
    /// The endpoint of CAM.
    pub endpoint: Endpoint,
    /// The endpoint of STS.
    pub sts_endpoint: Endpoint,
    /// The region of requests, if the endpoint needs one.
    pub region: Option<Region>,
    /// The source of the account's credential.
    pub credentials: Credentials,
    /// How to poll its users. The timeout is at most the interval.
    pub poll: poll::Settings,
    /// How to evaluate its keys.
    pub keys: Keys,
    /// What shards divide.
    pub shard_by: ShardBy,
    /// The shard that these users belong to.
    pub shard: Shard,
}

/// How to evaluate an account's keys, and how to show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The policy for all users, without exemptions. The limit is 1 to 1000 keys. Durations are between an hour, below
    /// which an alert would only measure the polling, and ten years.
    pub policy: Arc<Policy>,
    /// Other settings for some users.
    pub overrides: Arc<[Override]>,
    /// The time zone of `CreateTime`, which has none.
    pub time_zone: Offset,
    /// How to show a key's id.
    pub id_label: IdLabel,
}

// === impl Config ===

impl Config {
    /// Reads the file at `path`. Variables of `environment` override it.
    ///
    /// # Errors
    /// All faults. They do not name the file.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Faults> {
        let content = read(path)?;
        let folder = content.folder(path);
        Self::decode(content.bytes, folder, environment)
    }

    /// Reads `content` as that of a file in `folder`. Variables of `environment` override it.
    ///
    /// # Errors
    /// All faults.
    pub fn decode(content: Vec<u8>, folder: &Path, environment: &Environment) -> Result<Self, Faults> {
        Self::read(&yaml::text(content)?, folder, environment, None)
    }

    /// As [`Config::load`], and reads each `uins_file` into `uins`. The exporter itself reads these files later, because they
    /// may not exist yet.
    ///
    /// # Errors
    /// All faults, including those of these files.
    pub fn check(path: &Path, environment: &Environment, now: Timestamp) -> Result<Self, Faults> {
        let content = read(path)?;
        let folder = content.folder(path);
        Self::read(&yaml::text(content.bytes)?, folder, environment, Some(now))
    }

    /// Reads `text` as the content of a file in the working directory. Variables of `environment` override it.
    ///
    /// # Errors
    /// All faults.
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

    /// What is valid, but probably a mistake. The configuration must come from [`Config::check`], because users in files
    /// count.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<Fault> {
        overrides::warnings(&self.accounts, now)
    }

    /// The part of `shard`, which may have no accounts.
    #[must_use]
    pub fn shard(mut self, shard: Shard) -> Self {
        self.accounts.retain_mut(|account| {
            if let Some(organization) = &mut account.organization {
                organization.shard = shard;
            }
            match account.shard_by {
                ShardBy::Account if shard.owns_account(&account.name) => true,
                // Its members are not known yet.
                ShardBy::Account => {
                    account.clear_users();
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
    /// Whether this shard polls the user, if it is one of the account.
    #[must_use]
    pub fn owns(&self, uin: Uin) -> bool {
        self.shard.owns_user(&self.name, uin)
    }

    /// The number of exporters that share the account's rate limit, because each polls some of its users.
    #[must_use]
    pub fn rate_share(&self) -> NonZeroU32 {
        self.shard.total()
    }
}

/// The content of the file at `path`. It is opened once, because a pipe can be read only once.
///
/// # Errors
/// It cannot be read, or it is too large.
pub(crate) fn read(path: &Path) -> Result<Content, Faults> {
    files::read_once(path, MAX_BYTES).map_err(unreadable)
}

/// As [`read`], for a regular file only.
///
/// # Errors
/// It cannot be read, it is too large, or it is not a regular file.
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
        files::Error::NotAFile { .. } | files::Error::SlowPipe { .. } | files::Error::Unsettled { .. } => error.into(),
    }
}
