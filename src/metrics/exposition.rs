//! The exposition, prepared: what does not change from one scrape to the next is neither written nor compressed again.
//!
//! It holds a copy of the inventory in blocks of users, each with the text of its series. Bringing that up to date takes
//! an account's lock for one block at a time, so that a poll waits for microseconds, and a scrape waits for no poll. A
//! body is then put together of stretches, most of which it shares with the bodies before.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus::{Registry, TextEncoder};

use super::{
    Error, Format,
    accounts::{self, View},
    block::Block,
    body::{self, Body},
    family::Family,
    gzip::{Compressor, Member},
    openmetrics,
    part::Part,
    protobuf, text,
    users::UserFamily,
};
use crate::inventory::{Account, AccountName, Inventory};

/// The inventory as of the time that it was last looked at.
#[derive(Debug)]
pub(super) struct Exposition {
    accounts: Vec<Prepared>,
    /// What begins each of the users' families.
    heads: [Part; UserFamily::ALL.len()],
}

/// An account and its users.
#[derive(Debug)]
struct Prepared {
    account: Arc<Account>,
    /// Its number of changes before it was last read.
    changes: Option<u64>,
    blocks: Vec<Block>,
    view: View,
    /// The time to go by.
    now: Timestamp,
}

// === impl Exposition ===

impl Exposition {
    pub(super) fn new() -> Self {
        Self { accounts: vec![], heads: UserFamily::ALL.map(|family| Part::new(family.family().head())) }
    }

    /// Looks at the `inventory`, where the machine's clock says `local`.
    pub(super) fn update(&mut self, inventory: &Inventory, local: Timestamp) {
        let mut before = std::mem::take(&mut self.accounts);
        for account in inventory.accounts() {
            let known = before.iter().position(|prepared| Arc::ptr_eq(&prepared.account, &account));
            let mut prepared = match known {
                Some(index) => before.remove(index),
                None => Prepared::new(account, local),
            };
            prepared.update(local);
            self.accounts.push(prepared);
        }
    }

    /// The body in a text format; the metrics of `registry` come last.
    pub(super) fn text(&mut self, format: Format, registry: &Registry, gzip: bool) -> Result<Body, Error> {
        let mut rest = String::new();
        self.account_families(|family, samples| {
            rest.push_str(&family.head());
            for (account, value) in samples {
                text::account_sample(&mut rest, family.name, account, *value);
            }
        });
        match format {
            Format::OpenMetrics => openmetrics::encode(&registry.gather(), &mut rest),
            Format::Text | Format::Protobuf => TextEncoder::new().encode_utf8(&registry.gather(), &mut rest)?,
        }
        let mut rest = Part::new(rest);

        whole(self.parts().into_iter().chain([&mut rest]), gzip)
    }

    /// The body as delimited protocol buffers. It is written from scratch: only Prometheus servers with an experimental
    /// feature ask for it.
    pub(super) fn protobuf(&self, registry: &Registry, gzip: bool) -> Result<Body, Error> {
        let mut families = vec![];
        for family in UserFamily::ALL {
            let mut gauges = protobuf::Gauges::default();
            for prepared in &self.accounts {
                let account = prepared.account.name().as_str();
                for (uin, user) in prepared.blocks.iter().flat_map(Block::users) {
                    let uin = uin.to_string();
                    family.samples(user, prepared.now, |further, value| {
                        #[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^52")]
                        gauges.add(&[&[("account", account), ("uin", &uin)], further].concat(), value as f64);
                    });
                }
            }
            families.extend(gauges.end(family.family()));
        }
        self.account_families(|family, samples| {
            let mut gauges = protobuf::Gauges::default();
            for (account, value) in samples {
                gauges.add(&[("account", account.as_str())], *value);
            }
            families.extend(gauges.end(family));
        });
        families.extend(registry.gather().iter().map(protobuf::gathered));

        let mut parts: Vec<Part> = families.into_iter().map(Part::new).collect();
        whole(parts.iter_mut(), gzip)
    }

    /// What is exposed of users, in order. A family without a series is no family.
    fn parts(&mut self) -> Vec<&mut Part> {
        let Self { accounts, heads } = self;
        let mut blocks: Vec<_> =
            accounts.iter_mut().flat_map(|prepared| &mut prepared.blocks).map(Block::parts).collect();
        let mut all = vec![];
        for head in heads {
            // Each block's parts are in the order of the families.
            let parts: Vec<&mut Part> =
                blocks.iter_mut().filter_map(Iterator::next).filter(|part| !part.text().is_empty()).collect();
            if !parts.is_empty() {
                all.push(head);
                all.extend(parts);
            }
        }
        all
    }

    fn account_families(&self, mut take: impl FnMut(&'static Family, &[(&AccountName, f64)])) {
        for family in &accounts::FAMILIES {
            let samples: Vec<(&AccountName, f64)> = self
                .accounts
                .iter()
                .filter_map(|prepared| Some((prepared.account.name(), (family.value)(&prepared.view)?)))
                .collect();
            if !samples.is_empty() {
                take(&family.family, &samples);
            }
        }
    }
}

/// The body that the `parts` make.
fn whole<'a>(parts: impl Iterator<Item = &'a mut Part>, gzip: bool) -> Result<Body, Error> {
    if !gzip {
        return Ok(body::joined(parts.map(|part| part.text())));
    }
    let (mut compressor, mut member) = (Compressor::new(), Member::new());
    for part in parts {
        member.add(part.piece(&mut compressor)?);
    }
    Ok(body::joined(&member.end()))
}

// === impl Prepared ===

impl Prepared {
    fn new(account: Arc<Account>, local: Timestamp) -> Self {
        let view = View::of(&account, local, 0, None);
        Self { account, changes: None, blocks: vec![], view, now: local }
    }

    fn update(&mut self, local: Timestamp) {
        let changes = self.account.changes();
        let before = std::mem::replace(&mut self.now, self.account.correct(local));
        if self.changes != Some(changes) {
            self.read();
            self.changes = Some(changes);
        }
        if self.now.as_second() != before.as_second() {
            for block in &mut self.blocks {
                block.age(self.account.name(), self.now);
            }
        }
        let users = || self.blocks.iter().flat_map(Block::users);
        let up = users().filter_map(|(_, user)| user.up).reduce(|any, up| any || up);
        self.view = View::of(&self.account, local, users().count(), up);
    }

    fn read(&mut self) {
        let mut users = Vec::with_capacity(Block::USERS);
        let mut next = None;
        for index in 0.. {
            users.clear();
            {
                let all = self.account.users();
                let range = match next {
                    None => all.range(..),
                    Some(last) => all.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)),
                };
                users.extend(range.take(Block::USERS).map(|(uin, user)| (*uin, crate::inventory::User::clone(user))));
            }
            let Some((last, _)) = users.last() else {
                self.blocks.truncate(index);
                break;
            };
            next = Some(*last);
            if index == self.blocks.len() {
                self.blocks.push(Block::default());
            }
            self.blocks[index].update(self.account.name(), &mut users, self.now);
        }
    }
}
