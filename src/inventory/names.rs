//! What accounts and keys are called in labels.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use sha2::{Digest, Sha256};
use thiserror::Error;

use tencentcloud_api::AccessKeyId;

/// The fewest digits of a hash that set two alike labels apart, and all that a hash has.
const SUFFIX_DIGITS: usize = 8;
const HASH_DIGITS: usize = 64;

/// The name of an account, the label `account`: letters, digits, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(Arc<str>);

/// Text that is not an [`AccountName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an account name: expected 1 to 64 letters, digits, _ or -")]
pub struct NotAnAccountName;

/// How an access key's id is shown in the label `access_key_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdLabel {
    /// The first 8 and the last 4 characters: enough to find the key in the console, too little to use it.
    #[default]
    Masked,
    /// The whole id.
    Full,
    /// The first 16 hexadecimal digits of the id's SHA-256.
    Hashed,
}

/// Text that names no [`IdLabel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an id label: expected masked, full or hashed")]
pub struct NotAnIdLabel;

// === impl AccountName ===

impl AccountName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = NotAnAccountName;

    fn from_str(text: &str) -> Result<Self, NotAnAccountName> {
        let named = (1..=64).contains(&text.len());
        if named && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            Ok(Self(text.into()))
        } else {
            Err(NotAnAccountName)
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl IdLabel ===

impl IdLabel {
    /// The labels of a user's keys, in their order. Where two ids have the same mask, both carry a piece of their hash:
    /// 8 digits, or as many as set them apart. So labels are distinct, and each depends only on which keys there are, not
    /// on their order.
    pub fn labels<'a>(self, ids: impl IntoIterator<Item = &'a AccessKeyId>) -> Vec<String> {
        let ids: Vec<&str> = ids.into_iter().map(AccessKeyId::expose).collect();
        let mut labels: Vec<String> = ids.iter().map(|id| self.label(id)).collect();
        let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, label) in labels.iter().enumerate() {
            alike.entry(label.clone()).or_default().push(place);
        }
        for places in alike.into_values().filter(|places| places.len() > 1) {
            let suffixes = suffixes(&places.iter().map(|place| ids[*place]));
            for (place, suffix) in places.into_iter().zip(suffixes) {
                labels[place] = format!("{}-{suffix}", labels[place]);
            }
        }
        labels
    }

    fn label(self, id: &str) -> String {
        match self {
            Self::Masked => mask(id),
            Self::Full => id.to_owned(),
            Self::Hashed => hash(id, 16),
        }
    }
}

impl FromStr for IdLabel {
    type Err = NotAnIdLabel;

    fn from_str(text: &str) -> Result<Self, NotAnIdLabel> {
        match text {
            "masked" => Ok(Self::Masked),
            "full" => Ok(Self::Full),
            "hashed" => Ok(Self::Hashed),
            _ => Err(NotAnIdLabel),
        }
    }
}

fn mask(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    let text = |chars: &[char]| chars.iter().collect::<String>();
    // Of a short id, both ends together would be all or nearly all.
    if chars.len() < 20 {
        format!("{}****", text(&chars[..chars.len().min(4)]))
    } else {
        format!("{}****{}", text(&chars[..8]), text(&chars[chars.len() - 4..]))
    }
}

/// The shortest pieces of the ids' hashes that set them apart.
fn suffixes<'a>(ids: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<String> {
    let mut digits = SUFFIX_DIGITS;
    loop {
        let suffixes: Vec<String> = ids.clone().map(|id| hash(id, digits)).collect();
        let distinct = suffixes.iter().collect::<HashSet<_>>().len() == suffixes.len();
        if distinct || digits >= HASH_DIGITS {
            return suffixes;
        }
        digits *= 2;
    }
}

fn hash(id: &str, digits: usize) -> String {
    let mut hash = hex::encode(Sha256::digest(id));
    hash.truncate(digits);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kind: IdLabel, ids: &[&str]) -> Vec<String> {
        let ids: Vec<AccessKeyId> = ids.iter().map(|id| AccessKeyId::from(*id)).collect();
        kind.labels(&ids)
    }

    #[test]
    fn account_names_are_plain() {
        assert!("prod-1_a".parse::<AccountName>().is_ok());
        for wrong in ["", "a b", "a\"b", "ä", &"a".repeat(65)] {
            assert!(wrong.parse::<AccountName>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_mask_shows_both_ends_of_a_long_id_and_little_of_a_short_one() {
        let id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
        assert_eq!(labels(IdLabel::Masked, &[id]), ["AKIDz8kr****MPLE"]);
        assert_eq!(labels(IdLabel::Masked, &["AKIDz8krMPLE"]), ["AKID****"]);
        assert_eq!(labels(IdLabel::Masked, &["é"]), ["é****"]);
        assert_eq!(labels(IdLabel::Full, &[id]), [id]);
    }

    #[test]
    fn a_hash_is_the_start_of_the_sha256() {
        // printf AKID | sha256sum
        assert_eq!(labels(IdLabel::Hashed, &["AKID"]), ["2c8a2a08ad81dddf"]);
    }

    #[test]
    fn keys_that_look_alike_are_told_apart_the_same_way_in_any_order() {
        let (a, b) = ("AKIDz8krAAAAAAAAAAAAAAAA1234", "AKIDz8krBBBBBBBBBBBBBBBB1234");
        let mut forward = labels(IdLabel::Masked, &[a, b]);
        let backward = labels(IdLabel::Masked, &[b, a]);
        assert_ne!(forward[0], forward[1]);
        assert!(forward[0].starts_with("AKIDz8kr****1234-"));
        forward.reverse();
        assert_eq!(forward, backward);
    }

    #[test]
    fn labels_are_distinct_even_where_hashes_start_alike() {
        // Both masks and the first eight digits of both hashes are the same.
        let ids = ["AKIDaaaa000000000000000018180001", "AKIDaaaa000000000000000263090001"];
        let third = "AKIDaaaa000000000000000000000001";
        for kind in [IdLabel::Masked, IdLabel::Full, IdLabel::Hashed] {
            let forward = labels(kind, &[ids[0], ids[1], third]);
            let backward = labels(kind, &[third, ids[1], ids[0]]);
            assert_eq!(forward.iter().collect::<HashSet<_>>().len(), 3, "{forward:?}");
            assert!(forward.iter().eq(backward.iter().rev()), "{forward:?} {backward:?}");
        }
        assert_eq!(labels(IdLabel::Masked, &ids)[0].len(), "AKIDaaaa****0001-".len() + 16);
        assert_eq!(labels(IdLabel::Masked, &[ids[0]]), ["AKIDaaaa****0001"]);
    }
}
