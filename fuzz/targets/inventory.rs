//! The inventory, and its exposition, against a simple model.

#![no_main]

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use arbitrary::Arbitrary;
use exporter_toolkit::{Names, Pieces as _};
use fuzz::{NOW, paused};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};
use tencentcloud_api::{AccessKey, AccessKeyId, Clock, KeyStatus, LastUse, Reason, Uin};
use tencentcloud_cam_exporter::{
    inventory::{
        Account, AccountSettings, ConfiguredListings, Failure, Found, FoundUser, IdLabel, Inventory, Key, Listing,
        ListingFailure, Policy, User,
    },
    metrics::{Families, Format, Metrics, Own, of_inventory},
    state::State,
};

/// How the names of the families begin that the model does not know.
const NOT_MODELLED: [&str; 15] = [
    "process_",
    "tencentcloud_cam_exporter_",
    "tencentcloud_cam_access_key_age_seconds",
    "tencentcloud_cam_access_key_auto_disable_timestamp_seconds",
    "tencentcloud_cam_access_key_finding",
    "tencentcloud_cam_user_finding",
    "tencentcloud_cam_access_key_max_age_seconds",
    "tencentcloud_cam_account_up",
    "tencentcloud_cam_account_outage",
    "tencentcloud_cam_account_poll_interval_seconds",
    "tencentcloud_cam_account_shortest_poll_interval_seconds",
    "tencentcloud_cam_account_last_used_complete",
    "tencentcloud_cam_account_inventory_complete",
    "tencentcloud_cam_account_user_discovery_last_success_timestamp_seconds",
    "tencentcloud_cam_account_organization_last_success_timestamp_seconds",
];

/// In the order of [`Listing::ALL`].
const LISTINGS: [&str; 5] = ["uins_file_up", "caller_up", "user_discovery_up", "organization_up", "last_used_up"];

#[derive(Arbitrary, Debug)]
enum Step {
    SetUsers(BTreeSet<u8>),
    SetFound(BTreeMap<u8, (String, Option<bool>)>),
    SetCaller(Option<u8>),
    SetMembers(Option<BTreeSet<u8>>),
    Listed(u8, BTreeMap<u8, (u8, u16)>),
    Failed(u8, u8),
    Used(u8, BTreeMap<u8, Option<Option<u16>>>),
    ForgetLastUse,
    CorrectAnswered(u8, i16),
    Restore(u8, Option<bool>, Option<u16>, Option<BTreeMap<u8, (u8, u16)>>),
    SetSettings { limit: u8, id_label: u8, listings: u8 },
    Listing(u8, Option<bool>),
    Begin,
    Recalled,
    Wait(u16),
    Scrape(u8, u16),
}

#[derive(Clone, Default)]
struct ModelUser {
    up: Option<bool>,
    answered: Option<i64>,
    failing: Option<i64>,
    /// By the number of the id.
    keys: Option<BTreeMap<u8, ModelKey>>,
    name: Option<String>,
    console_login: Option<bool>,
}

#[derive(Clone, Copy)]
struct ModelKey {
    status: KeyStatus,
    created: i64,
    last_use: Option<LastUse>,
}

#[derive(Default)]
struct Model {
    listed: BTreeSet<u64>,
    found: BTreeMap<u64, (String, Option<bool>)>,
    caller: Option<u64>,
    members: Option<usize>,
    users: BTreeMap<u64, ModelUser>,
    listings: [Option<bool>; Listing::ALL.len()],
    lists_types: bool,
    id_label: IdLabel,
    limit: u32,
}

#[derive(Debug)]
struct Hand(Timestamp);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn number(byte: u8) -> u64 {
    100_013_065_900 + u64::from(byte % 12)
}

fn uin(number: u64) -> Uin {
    number.try_into().expect("a UIN")
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn id(number: u8) -> AccessKeyId {
    format!("AKID{number:032}").as_str().into()
}

fn status(number: u8) -> KeyStatus {
    KeyStatus::ALL[usize::from(number) % KeyStatus::ALL.len()]
}

fn created(number: u16) -> i64 {
    AccessKey::EARLIEST.as_second() + i64::from(number) * 86_400 / 10
}

fn label(kind: IdLabel, number: u8) -> String {
    let id = format!("AKID{number:032}");
    match kind {
        IdLabel::Full => id,
        IdLabel::Masked => format!("{}****{}", &id[..8], &id[32..]),
        IdLabel::Hashed => hex::encode(Sha256::digest(id))[..16].to_owned(),
    }
}

fn keys(keys: &BTreeMap<u8, (u8, u16)>) -> BTreeMap<u8, ModelKey> {
    let key = |(id, (number, day)): (&u8, &(u8, u16))| {
        (*id, ModelKey { status: status(*number), created: created(*day), last_use: None })
    };
    keys.iter().map(key).collect()
}

// === impl Model ===

impl Model {
    fn set_sources(&mut self) {
        let Self { listed, found, caller, users, .. } = self;
        users.retain(|uin, _| listed.contains(uin) || found.contains_key(uin) || *caller == Some(*uin));
        for uin in listed.iter().chain(found.keys()).chain(caller.as_ref()) {
            let user = users.entry(*uin).or_default();
            user.name = found.get(uin).map(|(name, _)| name.clone());
            user.console_login = found.get(uin).and_then(|(_, console_login)| *console_login);
        }
    }

    /// Does the step, here and in `account`, where it is `now`.
    fn step(&mut self, step: Step, account: &Account, now: i64) {
        match step {
            Step::SetUsers(users) => {
                self.listed = users.into_iter().map(number).collect();
                self.set_sources();
                account.set_configured(&self.listed.iter().copied().map(uin).collect());
            }
            Step::SetFound(found) => {
                self.found = found.into_iter().map(|(byte, user)| (number(byte), user)).collect();
                self.set_sources();
                let user = |(number, (name, console_login)): (&u64, &(String, Option<bool>))| {
                    (uin(*number), FoundUser { name: name.as_str().into(), console_login: *console_login })
                };
                account.set_found(self.found.iter().map(user).collect());
            }
            Step::SetCaller(caller) => {
                self.caller = caller.map(number);
                self.set_sources();
                account.set_caller(self.caller.map(uin));
            }
            Step::SetMembers(members) => {
                let members = members
                    .map(|members| members.into_iter().map(|byte| (uin(number(byte)), "m".into())).collect::<Found>());
                self.members = members.as_ref().map(Found::len);
                account.set_members(members);
            }
            Step::Listed(byte, listed) => {
                let answer: Vec<AccessKey> = listed
                    .iter()
                    .map(|(number, (kind, day))| AccessKey {
                        id: id(*number),
                        status: status(*kind),
                        created: second(created(*day)),
                    })
                    .collect();
                account.poll_succeeded(uin(number(byte)), &answer, second(now));
                if let Some(user) = self.users.get_mut(&number(byte)) {
                    let mut new = keys(&listed);
                    for (id, key) in user.keys.iter().flatten() {
                        if let Some(new) = new.get_mut(id).filter(|new| new.created == key.created) {
                            new.last_use = key.last_use;
                        }
                    }
                    (user.up, user.answered, user.keys, user.failing) = (Some(true), Some(now), Some(new), None);
                }
            }
            Step::Failed(byte, reason) => {
                let reason = Reason::ALL[usize::from(reason) % Reason::ALL.len()];
                account.poll_failed(uin(number(byte)), Failure::new(reason, None, &"no", second(now)));
                if let Some(user) = self.users.get_mut(&number(byte)) {
                    user.up = Some(false);
                    user.failing.get_or_insert(now);
                    if reason == Reason::UserNotFound {
                        (user.answered, user.keys) = (Some(now), None);
                    }
                }
            }
            Step::Used(byte, uses) => {
                let uses: BTreeMap<u8, Option<LastUse>> = uses
                    .into_iter()
                    .map(|(id, used)| {
                        (id, used.map(|day| day.map_or(LastUse::Never, |day| LastUse::At(second(created(day))))))
                    })
                    .collect();
                let ids: Vec<AccessKeyId> = uses.keys().map(|number| id(*number)).collect();
                let by_id: BTreeMap<String, Option<LastUse>> =
                    uses.iter().map(|(number, used)| (id(*number).expose().to_owned(), *used)).collect();
                account.used(uin(number(byte)), &ids, |id| by_id.get(id.expose()).copied().flatten());
                for (id, key) in
                    self.users.get_mut(&number(byte)).and_then(|user| user.keys.as_mut()).into_iter().flatten()
                {
                    key.last_use = uses.get(id).copied().flatten().or(key.last_use);
                }
            }
            Step::ForgetLastUse => {
                account.forget_last_use();
                let keys = self.users.values_mut().filter_map(|user| user.keys.as_mut());
                keys.flat_map(BTreeMap::values_mut).for_each(|key| key.last_use = None);
            }
            Step::CorrectAnswered(byte, by) => {
                account.correct_answered(uin(number(byte)), SignedDuration::from_secs(by.into()));
                if let Some(answered) = self.users.get_mut(&number(byte)).and_then(|user| user.answered.as_mut()) {
                    *answered += i64::from(by);
                }
            }
            Step::Restore(byte, up, answered, restored) => {
                let restored = restored.map(|restored| keys(&restored));
                let key = |(id, key): (&u8, &ModelKey)| Key {
                    label: label(self.id_label, *id).into(),
                    status: key.status,
                    created: second(key.created),
                    last_use: key.last_use,
                };
                let shown = restored.as_ref().map(|restored| restored.iter().map(key).collect());
                let answered = answered.map(created);
                let user = User { up, answered: answered.map(second).into(), keys: shown, ..User::default() };
                let was_restored = account.restore(uin(number(byte)), user);
                let known = self.users.get_mut(&number(byte));
                let known = known.filter(|user| user.up.is_none() && user.answered.is_none() && user.keys.is_none());
                assert_eq!(was_restored, known.is_some());
                if let Some(known) = known {
                    (known.up, known.answered, known.keys, known.failing) = (up, answered, restored, None);
                }
            }
            Step::SetSettings { limit, id_label, listings } => {
                let id_label = [IdLabel::Masked, IdLabel::Full, IdLabel::Hashed][usize::from(id_label % 3)];
                if id_label != self.id_label {
                    for user in self.users.values_mut() {
                        let ModelUser { name, console_login, .. } = std::mem::take(user);
                        *user = ModelUser { name, console_login, ..ModelUser::default() };
                    }
                }
                (self.id_label, self.limit) = (id_label, limit.into());
                let is = |bit: u8| listings & (1 << bit) != 0;
                self.lists_types = is(5);
                let listings = ConfiguredListings {
                    uins_file: is(0),
                    caller: is(1),
                    users: is(2),
                    typed_users: self.lists_types,
                    members: is(3),
                    last_uses: is(4),
                };
                let policy = Policy { limit: limit.into(), ..Policy::default() }.into();
                account.set_settings(AccountSettings { policy, id_label, listings, ..AccountSettings::default() });
            }
            Step::Listing(place, ended) => {
                let place = usize::from(place) % Listing::ALL.len();
                let listing = Listing::ALL[place];
                self.listings[place] = ended;
                match ended {
                    Some(true) => account.listing_succeeded(listing, second(now)),
                    Some(false) => {
                        let failure =
                            ListingFailure { reason: None, code: None, error: "no".into(), since: second(now) };
                        account.listing_failed(listing, failure);
                    }
                    None => account.forget_listing(listing),
                }
            }
            Step::Begin => account.begin(),
            Step::Recalled => account.recalled(second(now)),
            Step::Wait(_) | Step::Scrape(..) => {}
        }
    }

    /// The samples that it knows, as they are written.
    fn samples(&self) -> BTreeSet<String> {
        let mut samples = BTreeSet::new();
        let mut add = |family: &str, labels: String, value: i64| {
            samples.insert(format!("tencentcloud_cam_{family}{{account=\"prod\"{labels}}} {value}"));
        };
        let mut all = [0; KeyStatus::ALL.len()];
        for (uin, user) in &self.users {
            let labels = |more: String| format!(",uin=\"{uin}\"{more}");
            for (place, kind) in KeyStatus::ALL.into_iter().enumerate() {
                let Some(keys) = &user.keys else { continue };
                let count = keys.values().filter(|key| key.status == kind).count() as i64;
                all[place] += count;
                add("access_keys", labels(format!(",status=\"{}\"", kind.label())), count);
            }
            for (id, key) in user.keys.iter().flatten() {
                let id = format!(",access_key_id=\"{}\"", label(self.id_label, *id));
                add("access_key_created_timestamp_seconds", labels(id.clone()), key.created);
                for kind in KeyStatus::ALL {
                    let labels = labels(format!("{id},status=\"{}\"", kind.label()));
                    add("access_key_status", labels, (kind == key.status).into());
                }
                if let Some(LastUse::At(time)) = key.last_use {
                    add("access_key_last_used_timestamp_seconds", labels(id.clone()), time.as_second());
                }
                if let Some(last_use) = key.last_use {
                    add("access_key_never_used", labels(id), (last_use == LastUse::Never).into());
                }
            }
            if let Some(console_login) = user.console_login {
                add("user_console_login", labels(String::new()), console_login.into());
            }
            if let Some(name) = &user.name {
                let name = name.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
                add("user_info", labels(format!(",user_name=\"{name}\"")), 1);
            }
            if let Some(up) = user.up {
                add("user_up", labels(String::new()), up.into());
            }
            if user.up == Some(false) {
                if user.answered.is_some() && user.keys.is_none() {
                    add("user_missing", labels(String::new()), 1);
                }
                if let Some(since) = user.answered.or(user.failing) {
                    add("user_failing_since_timestamp_seconds", labels(String::new()), since);
                }
            }
            if let Some(answered) = user.answered {
                add("user_last_success_timestamp_seconds", labels(String::new()), answered);
            }
        }
        for (count, kind) in all.into_iter().zip(KeyStatus::ALL) {
            add("account_access_keys", format!(",status=\"{}\"", kind.label()), count);
        }
        let unanswered = self.users.values().filter(|user| user.answered.is_none()).count();
        add("account_users", String::new(), self.users.len() as i64);
        add("account_users_unanswered", String::new(), unanswered as i64);
        add("access_keys_limit", String::new(), self.limit.into());
        let [uins_file, caller, users, typed_users, members, last_uses] = self.listings;
        let discovery = match (users, typed_users) {
            (users, _) if !self.lists_types => users,
            (Some(false), _) | (_, Some(false)) => Some(false),
            (users, typed_users) => users.and(typed_users),
        };
        for (up, name) in [uins_file, caller, discovery, members, last_uses].into_iter().zip(LISTINGS) {
            up.into_iter().for_each(|up| add(&format!("account_{name}"), String::new(), up.into()));
        }
        self.members.into_iter().for_each(|members| add("account_organization_members", String::new(), members as i64));
        samples
    }
}

/// The samples of an exposition in one of the text formats. Panics if it is not one.
fn parse(text: &str, format: Format) -> Vec<&str> {
    let text = match format {
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("the end of OpenMetrics"),
        Format::Text | Format::Protobuf => text,
    };
    assert!(text.is_empty() || text.ends_with('\n'));
    let (mut families, mut series, mut samples) = (HashSet::new(), HashSet::new(), vec![]);
    let mut family = "";
    for line in text.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap_or_default();
            assert!(families.insert(family), "the family {family} twice");
        } else if !line.starts_with("# ") {
            let (labelled, value) = line.rsplit_once(' ').expect("a value");
            let name = labelled.split('{').next().unwrap_or_default();
            assert!(!family.is_empty() && name.starts_with(family), "{name} in the family {family}");
            assert!(value.parse::<f64>().is_ok(), "no number: {line}");
            assert!(series.insert(labelled), "twice: {labelled}");
            samples.push(line);
        }
    }
    samples
}

/// How many messages there are, each after its length. Panics if they do not end with the exposition.
fn messages(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let (byte, rest) = bytes.split_first().expect("a length");
            length |= usize::from(byte & 0x7f) << shift;
            (bytes, shift) = (rest, shift + 7);
            if byte & 0x80 == 0 {
                break;
            }
        }
        bytes = bytes.get(length..).expect("a whole message");
        count += 1;
    }
    count
}

/// The exposition in `format`, taken in pieces.
fn scrape(inventory: &Arc<Inventory>, format: Format, piece: usize, now: i64) -> Vec<u8> {
    let own = Own::new().expect("metrics");
    let metrics =
        Metrics::new(Arc::clone(inventory), &own, Arc::new(Hand(second(now))), Families::default()).expect("metrics");
    let (mut cursor, mut all) = (metrics.scrape(format, &Names::default()).expect("a scrape"), vec![]);
    loop {
        let mut out = vec![];
        let more = cursor.fill(&mut out, piece);
        all.append(&mut out);
        if !more {
            return all;
        }
    }
}

fn assert_same(samples: &[&str], model: &Model) {
    let modelled = |sample: &&&str| !NOT_MODELLED.iter().any(|begin| sample.starts_with(begin));
    let found: BTreeSet<String> = samples.iter().filter(modelled).map(|sample| (*sample).to_owned()).collect();
    let expected = model.samples();
    let (more, less): (Vec<_>, Vec<_>) = (found.difference(&expected).collect(), expected.difference(&found).collect());
    assert!(more.is_empty() && less.is_empty(), "exposed: {more:#?}, expected: {less:#?}");

    let ups: Vec<bool> = model.users.values().filter_map(|user| user.up).collect();
    let up = format!("tencentcloud_cam_account_up{{account=\"prod\"}} {}", u8::from(ups.contains(&true)));
    assert!(ups.is_empty() || samples.contains(&up.as_str()), "not {up}");
}

fuzz_target!(|steps: Vec<Step>| {
    paused().block_on(async {
        let settings = AccountSettings::default();
        let mut model = Model { limit: settings.policy.limit, ..Model::default() };
        let account = Arc::new(Account::new("prod".parse().expect("a name"), settings, []));
        let inventory = Arc::new(Inventory::new(vec![Arc::clone(&account)]));
        let mut now = NOW.as_second();
        for step in steps.into_iter().take(64) {
            let (before, changes) = (State::of(&inventory), inventory.changes());
            match step {
                Step::Wait(seconds) => {
                    tokio::time::advance(Duration::from_secs(seconds.into())).await;
                    now += i64::from(seconds);
                }
                Step::Scrape(format, piece) => {
                    let piece = usize::from(piece) + 1;
                    match format % 3 {
                        0 => assert_same(
                            &parse(
                                str::from_utf8(&scrape(&inventory, Format::Text, piece, now)).expect("text"),
                                Format::Text,
                            ),
                            &model,
                        ),
                        1 => {
                            let text = scrape(&inventory, Format::OpenMetrics, piece, now);
                            assert_same(&parse(str::from_utf8(&text).expect("text"), Format::OpenMetrics), &model);
                        }
                        _ => assert!(messages(&scrape(&inventory, Format::Protobuf, piece, now)) > 0),
                    }
                }
                step => model.step(step, &account, now),
            }
            assert!(State::of(&inventory) == before || inventory.changes() > changes, "a change that is not counted");
        }
        let text = of_inventory(&inventory, second(now));
        assert_same(&parse(str::from_utf8(&text).expect("text"), Format::Text), &model);
    });
});
