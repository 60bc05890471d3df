//! Who may ask: names and bcrypt hashes.

use std::collections::BTreeMap;

use bcrypt::HashParts;
use secrecy::SecretString;
use thiserror::Error;

use crate::yaml::{Node, Notes, Refused};

/// The least cost there is.
const LEAST_COST: u32 = 4;

/// The most that bcrypt has. A check takes days then.
const MOST_COST: u32 = 31;

/// The most for a check of about a second. Each step doubles it. Those that cost more are checked in a lane of their own.
const MOST_QUICK_COST: u32 = 14;

/// The users by name. Without users, no authentication is required.
pub(super) type Users = BTreeMap<String, PasswordHash>;

/// What bcrypt made of a password.
#[derive(Clone, Debug)]
pub(super) struct PasswordHash {
    text: SecretString,
    cost: u32,
}

/// Text that is not a [`PasswordHash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Unfit {
    #[error(
        "not a bcrypt hash: expected the 60 characters that htpasswd -nBC 10 \"\" prints after the colon, not the password"
    )]
    NotAHash,
    #[error("a bcrypt hash of cost {0}: expected a cost of 4 to 31, and better one of 10 to 14")]
    Cost(u32),
}

/// What `basic_auth_users` holds.
pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Users, Refused> {
    let mut users = Users::new();
    for (name, value) in node.entries(notes)? {
        let text = if value.is_null() { Ok("") } else { value.text(notes) };
        // What is no hash may be the password: it stays unsaid.
        let hash = text.and_then(|text| PasswordHash::parse(text).map_err(|unfit| value.refuse(notes, unfit)));
        if let Ok(hash) = hash {
            users.insert(name.to_owned(), hash);
        }
    }
    Ok(users)
}

// === impl PasswordHash ===

impl PasswordHash {
    pub(super) fn parse(text: &str) -> Result<Self, Unfit> {
        let cost = text.parse::<HashParts>().map_err(|_| Unfit::NotAHash)?.get_cost();
        if !(LEAST_COST..=MOST_COST).contains(&cost) {
            return Err(Unfit::Cost(cost));
        }
        Ok(Self { text: text.into(), cost })
    }

    /// A hash that is as much work as this one, and no password's that anybody knows.
    pub(super) fn decoy(&self) -> Self {
        let text = format!("$2b${:02}$m6ZqGkxZ3bqTx0w0o3cJHOw4Jq9Ff9C5bG1sK8dV0yT2uX7nL6rEa", self.cost);
        Self { text: text.into(), cost: self.cost }
    }

    /// Whether a check takes seconds or more.
    pub(super) fn is_slow(&self) -> bool {
        self.cost > MOST_QUICK_COST
    }

    /// What is unwise about it, if anything is.
    pub(super) fn warning(&self) -> Option<String> {
        self.is_slow().then(|| {
            let seconds = 1_u64 << (self.cost - MOST_QUICK_COST);
            format!("a bcrypt hash of cost {}: each check takes some {seconds} s: use a cost of 10 to 14", self.cost)
        })
    }

    /// The hash as text.
    pub(super) fn text(&self) -> &SecretString {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoy_is_a_hash_of_the_same_cost() {
        for cost in LEAST_COST..=MOST_COST {
            let text = format!("$2y${cost:02}$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi");
            let decoy = PasswordHash::parse(&text).unwrap().decoy();
            let parsed = PasswordHash::parse(secrecy::ExposeSecret::expose_secret(decoy.text())).unwrap();
            assert_eq!(parsed.cost, cost);
        }
    }
}
