//! A few hundred users of one account, with their part of the exposition as text.
//!
//! Of all that is exposed of a user, only ages change without a poll, and only the time of the last success changes at a
//! poll that brings the same keys. So a block keeps the text of each family: that of the last successes is written
//! anew when there was one, in that of the ages the digits are written over at each scrape, and the rest is left alone
//! until a user's keys change.

use jiff::Timestamp;

use super::{
    part::Part,
    text,
    users::{UserFamily, age},
};
use crate::{
    inventory::{AccountName, User},
    tencent::Uin,
};

/// Users, and their series.
#[derive(Debug, Default)]
pub(super) struct Block {
    users: Vec<(Uin, User)>,
    /// By the family's number.
    parts: [Part; UserFamily::ALL.len()],
    ages: Vec<Age>,
}

/// Where the age of a key stands among the ages.
#[derive(Debug)]
struct Age {
    created: Timestamp,
    start: u32,
    digits: u32,
}

// === impl Block ===

impl Block {
    /// How many users a block has. A poll waits for as long as so many are looked through, some microseconds, and a
    /// change to one of them has the text of as many written anew, a fraction of a millisecond.
    pub(super) const USERS: usize = 512;

    pub(super) fn users(&self) -> &[(Uin, User)] {
        &self.users
    }

    /// What is exposed of them, in the order of the families.
    pub(super) fn parts(&mut self) -> std::slice::IterMut<'_, Part> {
        self.parts.iter_mut()
    }

    /// These are the block's users, as they are now. What they were is left in `users`.
    pub(super) fn update(&mut self, account: &AccountName, users: &mut Vec<(Uin, User)>, now: Timestamp) {
        let same = users.len() == self.users.len() && users.iter().zip(&self.users).all(|(new, old)| same(new, old));
        let answered = same && users.iter().zip(&self.users).any(|(new, old)| new.1.answered != old.1.answered);
        std::mem::swap(&mut self.users, users);
        if !same {
            for family in UserFamily::ALL {
                self.write(family, account, now);
            }
        } else if answered {
            self.write(UserFamily::LastSuccess, account, now);
        }
    }

    /// Writes the ages as of `now`.
    pub(super) fn age(&mut self, account: &AccountName, now: Timestamp) {
        let ages = &self.ages;
        let mut fit = true;
        self.parts[UserFamily::KeyAge as usize].edit(|text| {
            let mut digits = itoa::Buffer::new();
            for place in ages {
                let digits = digits.format(age(place.created, now)).as_bytes();
                let (start, length) = (place.start as usize, place.digits as usize);
                match text.get_mut(start..start + length) {
                    Some(old) if length == digits.len() => old.copy_from_slice(digits),
                    _ => fit = false,
                }
            }
        });
        // A key has come to an age with one digit more.
        if !fit {
            self.write(UserFamily::KeyAge, account, now);
        }
    }

    fn write(&mut self, family: UserFamily, account: &AccountName, now: Timestamp) {
        let name = family.family().name;
        let mut out = String::with_capacity(self.parts[family as usize].text().len());
        if family == UserFamily::KeyAge {
            self.ages.clear();
        }
        for (uin, user) in &self.users {
            let mut keys = user.keys.iter().flat_map(|keys| keys.iter());
            family.samples(user, now, |labels, value| {
                text::user_sample(&mut out, name, (account, *uin), labels, value);
                if family == UserFamily::KeyAge
                    && let Some(key) = keys.next()
                {
                    self.ages.push(Age::at_end(out.as_bytes(), key.created));
                }
            });
        }
        self.parts[family as usize] = Part::new(bytes::Bytes::from(out.into_bytes().into_boxed_slice()));
    }
}

// === impl Age ===

impl Age {
    /// The last sample of `text`: its value ends before the line's end.
    fn at_end(text: &[u8], created: Timestamp) -> Self {
        let digits = text.iter().rev().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        let bounded = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Self { created, start: bounded(text.len() - 1 - digits), digits: bounded(digits) }
    }
}

/// Whether two users have the same series, with the same values but for the time of the last success.
fn same((uin, new): &(Uin, User), (old_uin, old): &(Uin, User)) -> bool {
    let keys = match (&new.keys, &old.keys) {
        // The inventory keeps a list for as long as it is the same.
        (Some(new), Some(old)) => std::sync::Arc::ptr_eq(new, old),
        (new, old) => new.is_none() && old.is_none(),
    };
    uin == old_uin
        && keys
        && new.name == old.name
        && new.up == old.up
        && new.answered.is_some() == old.answered.is_some()
}
