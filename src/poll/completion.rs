//! What the end of a request means.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{
    AccessKey, AccessKeyId, Caller, Connection, Error as ApiError, LastUse, MembersPage, NamedUser, Reason, Uin, later,
};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{
    Poller,
    last_use::Batch,
    members::{Page, Pages},
    request::{CallerIdentity, Completed, Failure, RequestKind, Response, SigningIdentity},
    schedule::Slot,
    time_keeper::Noted,
};
use crate::{
    backoff, credentials,
    inventory::{Failure as UserFailure, Found, FoundUser, Listing, ListingFailure, error_text},
};

/// How far the `Date` of an accepted request may be from the time it was signed with. The API allows five minutes: what
/// is further off was not said by the API, or says nothing of the time.
const PLAUSIBLE: SignedDuration = SignedDuration::from_mins(6);

/// How long after one page of members the next is asked for. How often the API takes that is not documented.
const BETWEEN_PAGES: Duration = Duration::from_millis(250);

const A_ROLE: &str = "the caller is a role, which has no keys of its own: leave include_self out";

// === impl Poller ===

impl Poller {
    pub(super) fn settle(&mut self, ended: Completed) {
        let Completed { subject, permit, connection, signed_at, signer, credential_problem, outcome } = ended;
        self.budget.give_back(permit);
        if let Ok(problem) = credential_problem {
            self.note_credential(problem);
        }
        self.note_signer(signer.as_ref());
        let is_poll = matches!(subject, RequestKind::Poll(_));
        match outcome {
            Ok(answer) => {
                let plausible = |time: &Timestamp| time.duration_since(signed_at).abs() < PLAUSIBLE;
                if let Some(time) = answer.server_time.filter(plausible) {
                    self.note_time(&subject, time);
                }
                self.answered(subject, answer.value, signer);
            }
            Err(Failure::Api(ApiError::StaleConnection(cause))) if connection == Connection::Pooled => {
                debug!(account = %self.deps.account.name(), %cause, "the API closed a kept connection: retrying");
                return self.again(&subject);
            }
            Err(failure) => {
                if let Failure::Api(error) = &failure
                    && let Some(code) = error.counts_as()
                {
                    self.metrics_of(&subject).error(&code);
                }
                if let Failure::Api(ApiError::Api { server_time: Some(time), .. }) = &failure
                    && failure.reason() == Reason::ClockSkew
                    && self.time.refused(*time, signed_at, self.deps.clock.now(), self.now())
                {
                    return self.again(&subject);
                }
                if let Some(wait) = self.another_credential(&failure, signer) {
                    debug!(account = %self.deps.account.name(), error = %failure, "credential rejected: retrying with the next one");
                    return self.later(&subject, wait);
                }
                if failure.reason() == Reason::Throttled {
                    self.budget.throttled();
                }
                if !self.failed(subject, &failure) {
                    return;
                }
            }
        }
        if is_poll {
            (self.deps.on_attempt)();
        }
    }

    /// The same request, at once.
    fn again(&mut self, subject: &RequestKind) {
        match subject {
            RequestKind::Poll(turn) => self.schedule.again(*turn),
            RequestKind::Caller => self.asks_caller.again(),
            RequestKind::Users => self.asks_users.again(),
            RequestKind::Members(_) => self.asks_members.again(),
            RequestKind::LastUse(_) => self.asks_last_use.again(),
        }
    }

    /// The same request, after `wait`.
    fn later(&mut self, subject: &RequestKind, wait: Duration) {
        match subject {
            RequestKind::Poll(turn) => self.schedule.later(*turn, wait),
            RequestKind::Caller => self.asks_caller.later(wait),
            RequestKind::Users => self.asks_users.later(wait),
            RequestKind::Members(_) => self.asks_members.later(wait),
            RequestKind::LastUse(_) => self.asks_last_use.later(wait),
        }
    }

    fn answered(&mut self, subject: RequestKind, said: Response, signer: Option<SigningIdentity>) {
        match (subject, said) {
            (RequestKind::Poll(turn), Response::Keys(keys)) => self.succeeded(turn, keys),
            (RequestKind::LastUse(batch), Response::LastUse(uses)) => {
                self.used(&batch, |id| uses.get(id).copied());
            }
            (_, Response::Users(users)) => self.listed(users),
            (RequestKind::Members(number), Response::Members(page)) => self.turned(number, page),
            (_, Response::Caller(caller)) => self.called(caller, signer),
            // No request is answered with what another asks for.
            (_, Response::Keys(_) | Response::LastUse(_) | Response::Members(_)) => {}
        }
    }

    /// Tells whether the request has ended with that.
    fn failed(&mut self, subject: RequestKind, failure: &Failure) -> bool {
        let text = self.text_of(&subject, failure);
        let (account, reason, now) = (&self.deps.account, failure.reason(), self.now());
        let interval = self.plan.settings.interval.get();
        let (periodic, wait) = match subject {
            RequestKind::Poll(turn) => return self.poll_failed(turn, failure, &text),
            // What has been switched off meanwhile has not failed.
            RequestKind::Caller if !self.plan.include_self => {
                self.asks_caller.done(None);
                return true;
            }
            RequestKind::Caller => {
                account.listing_failed(Listing::Caller, listing_failure(failure, &text, now));
                (&mut self.asks_caller, interval)
            }
            RequestKind::Users => {
                let Some(discovery) = &self.plan.discovery else {
                    self.asks_users.done(None);
                    return true;
                };
                account.listing_failed(Listing::Users, listing_failure(failure, &text, now));
                (&mut self.asks_users, discovery.interval.get())
            }
            RequestKind::Members(_) => {
                // Whatever changed while it failed is not told by pages from before.
                self.pages = Pages::default();
                let Some(organization) = &self.plan.organization else {
                    self.asks_members.done(None);
                    return true;
                };
                account.listing_failed(Listing::Members, listing_failure(failure, &text, now));
                (&mut self.asks_members, organization.members.interval.get())
            }
            RequestKind::LastUse(batch) => {
                let Some(every) = self.plan.settings.last_used else {
                    self.asks_last_use.done(None);
                    return true;
                };
                account.listing_failed(Listing::LastUses, listing_failure(failure, &text, now));
                let wait = if reason == Reason::Denied {
                    every.get()
                } else if reason.is_user_specific() {
                    self.last_use.refused(&batch, every.get());
                    Duration::ZERO
                } else {
                    interval.min(every.get())
                };
                (&mut self.asks_last_use, wait)
            }
        };
        if failure.is_transient() {
            periodic.failed_for_now(reason, &text, wait, &mut self.deps.random);
        } else {
            periodic.failed(reason, &text, wait);
        }
        true
    }

    /// The failure in words, with the endpoint where the API itself did not answer.
    fn text_of(&self, subject: &RequestKind, failure: &Failure) -> String {
        let client = match subject {
            RequestKind::Poll(_) | RequestKind::Users | RequestKind::LastUse(_) => Some(&self.plan.client),
            RequestKind::Caller => Some(&self.plan.sts),
            RequestKind::Members(_) => self.plan.organization.as_ref().map(|organization| &organization.client),
        };
        match (failure, client) {
            (Failure::Api(ApiError::Api { .. }) | Failure::Credentials(_), _) | (_, None) => failure.to_string(),
            (Failure::Api(error), Some(client)) => format!("{error} ({})", client.endpoint()),
        }
    }

    fn succeeded(&mut self, turn: Slot, keys: Vec<AccessKey>) {
        self.note_sweep(turn);
        let is_first = self.deps.account.listed(turn.uin(), &keys, self.now());
        self.deps.metrics.poll_succeeded();
        self.outages.over(turn.uin());
        self.schedule.done(turn);
        if is_first {
            // Users that were refused during the outage would wait up to an hour more, and the outage with them.
            self.schedule.reset_failures();
        }
        // Whoever has gone meanwhile has no keys to ask about.
        if self.plan.settings.last_used.is_some() && self.deps.account.users().contains_key(&turn.uin()) {
            self.last_use.listed(turn.uin(), keys.into_iter().map(|key| key.id).collect());
        }
    }

    fn poll_failed(&mut self, turn: Slot, failure: &Failure, text: &str) -> bool {
        let (uin, reason) = (turn.uin(), failure.reason());
        let random = &mut self.deps.random;
        if reason == Reason::Throttled
            && !self.deps.polls_once
            && self.schedule.defer(turn, |postponed| backoff::wait(postponed, random))
        {
            debug!(account = %self.deps.account.name(), %uin, error = %failure, "throttled");
            return false;
        }
        if reason == Reason::UserNotFound {
            self.last_use.listed(uin, vec![]);
        }
        self.deps.metrics.poll_failed(reason);
        self.outages.began(uin, reason, &text);
        self.note_sweep(turn);
        let next = if failure.is_transient() {
            let random = &mut self.deps.random;
            self.schedule.retry(turn, |retry| backoff::wait(retry, random))
        } else if reason.is_user_specific() {
            self.schedule.fail_permanently(turn)
        } else {
            self.schedule.done(turn)
        };
        let now = self.now();
        let next_poll = next.map(|next| later(now, next.saturating_duration_since(Instant::now())));
        if !reason.is_user_specific() {
            self.deps.account.note(|progress| progress.failed_polls += 1);
        }
        let failed = UserFailure { next_poll, ..UserFailure::new(reason, failure.code(), &text, now) };
        self.deps.account.failed(uin, failed);
        true
    }

    /// The API told when keys were last used.
    fn used(&mut self, batch: &Batch, last_use: impl Fn(&AccessKeyId) -> Option<LastUse>) {
        // It may have been switched off meanwhile.
        let Some(every) = self.plan.settings.last_used else { return self.asks_last_use.done(None) };
        for uin in batch.iter().map(|(uin, _)| *uin).collect::<HashSet<Uin>>() {
            self.deps.account.used(uin, self.last_use.ids(uin), &last_use);
        }
        self.last_use.asked(batch, every.get());
        self.asks_last_use.done(Some(Duration::ZERO));
        self.deps.account.listing_succeeded(Listing::LastUses, self.now());
    }

    /// The API listed the account's users.
    fn listed(&mut self, users: Vec<NamedUser>) {
        let Some(every) = self.plan.discovery.as_ref().map(|discovery| discovery.interval.get()) else {
            return self.asks_users.done(None);
        };
        let account = Arc::clone(&self.deps.account);
        let before = account.sources().found;
        let users = users
            .into_iter()
            .map(|NamedUser { uin, name, console_login }| (uin, FoundUser { name: name.into(), console_login }));
        if let Err(error) = self.last_list.take(users.collect(), before.len()) {
            account.listing_failed(Listing::Users, not_believed(&error, self.now()));
            return self.asks_users.failed(Reason::Malformed, &error, every);
        }
        self.take_over_found();
        self.take_over_users();
        self.asks_users.done(Some(every));
        account.listing_succeeded(Listing::Users, self.now());
        let found = account.sources().found;
        let of_one_only = |one: &Found, other: &Found| one.keys().filter(|uin| !other.contains_key(uin)).count();
        let (new, gone) = (of_one_only(&found, &before), of_one_only(&before, &found));
        if new + gone > 0 {
            info!(account = %account.name(), new, gone, users = found.len(), "users listed");
            self.warn_if_short();
        }
    }

    /// The API gave a page of the organisation's members.
    fn turned(&mut self, number: u64, page: MembersPage) {
        let Some(every) = self.plan.organization.as_ref().map(|organization| organization.members.interval.get())
        else {
            return self.asks_members.done(None);
        };
        // Switched off and on meanwhile, it begins anew.
        if number != self.pages.next() {
            return self.asks_members.done(Some(BETWEEN_PAGES));
        }
        let account = Arc::clone(&self.deps.account);
        let members = match self.pages.turn(page) {
            Ok(Page::More) => return self.asks_members.done(Some(BETWEEN_PAGES)),
            Ok(Page::Complete(members)) => members,
            Err(error) => {
                account.listing_failed(Listing::Members, not_believed(&error, self.now()));
                return self.asks_members.failed_for_now(Reason::Malformed, &error, every, &mut self.deps.random);
            }
        };
        let before = account.members().unwrap_or_default();
        if let Err(error) = self.last_members.take(members, before.len()) {
            account.listing_failed(Listing::Members, not_believed(&error, self.now()));
            return self.asks_members.failed(Reason::Malformed, &error, every);
        }
        self.asks_members.done(Some(every));
        account.listing_succeeded(Listing::Members, self.now());
        self.take_over_members();
        let members = account.members().unwrap_or_default();
        let of_one_only = |one: &Found, other: &Found| one.keys().filter(|uin| !other.contains_key(uin)).count();
        let (new, gone) = (of_one_only(&members, &before), of_one_only(&before, &members));
        if new + gone > 0 {
            info!(account = %account.name(), new, gone, members = members.len(), "organization members listed");
        }
    }

    /// The API told who asks.
    fn called(&mut self, caller: Caller, signer: Option<SigningIdentity>) {
        let account = Arc::clone(&self.deps.account);
        if !self.plan.include_self {
            return self.asks_caller.done(None);
        }
        let uin = match caller {
            Caller::User(uin) => Some(uin),
            Caller::Role => None,
        };
        self.caller = signer.map(|signer| CallerIdentity { uin, secret_id: signer.credential.secret_id });
        account.set_caller(uin.filter(|uin| (self.plan.owns)(*uin)));
        self.take_over_users();
        if uin.is_some() {
            account.listing_succeeded(Listing::Caller, self.now());
            self.asks_caller.done(None);
        } else {
            let failure = ListingFailure { reason: Some(Reason::Denied), ..not_believed(&A_ROLE, self.now()) };
            account.listing_failed(Listing::Caller, failure);
            let wait = self.plan.settings.interval.get();
            self.asks_caller.failed(Reason::Denied, &A_ROLE, wait);
        }
    }

    /// After how long there may be another credential, where that of a request was refused.
    fn another_credential(&self, failure: &Failure, signer: Option<SigningIdentity>) -> Option<Duration> {
        let Failure::Api(error) = failure else { return None };
        let SigningIdentity { credential, source } = signer.filter(|_| error.is_credential_error())?;
        source.refused(&credential, self.now())
    }

    /// Whoever signs with something new may be somebody else.
    fn note_signer(&mut self, signer: Option<&SigningIdentity>) {
        let (Some(known), Some(signer)) = (&self.caller, signer) else { return };
        if !known.signs_with(&signer.credential.secret_id) {
            self.asks_caller.now();
        }
    }

    fn note_credential(&mut self, problem: Option<credentials::Error>) {
        if problem == self.credential_problem {
            return;
        }
        self.deps.account.set_credential_problem(problem.as_ref().map(error_text), self.now());
        let account = self.deps.account.name();
        if let Some(error) = &problem {
            warn!(%account, %error, "credential refresh failed, keeping the current credential");
        } else {
            info!(%account, "credential refresh succeeds again");
        }
        self.credential_problem = problem;
    }

    fn note_sweep(&mut self, turn: Slot) {
        if let Some(took) = self.schedule.swept(turn) {
            self.deps.account.note(|progress| progress.last_sweep = Some(took));
        }
    }

    /// An accepted answer says that it is `time`.
    fn note_time(&mut self, subject: &RequestKind, time: Timestamp) {
        let account = Arc::clone(&self.deps.account);
        let polled = match subject {
            RequestKind::Poll(turn) => Some(turn.uin()),
            RequestKind::Caller | RequestKind::Users | RequestKind::Members(_) | RequestKind::LastUse(_) => None,
        };
        let Noted { believed, corrected } = self.time.accepted(time, self.deps.clock.now(), polled, account.name());
        account.note(|progress| progress.api_clock = believed);
        if let Some((uin, by)) = corrected {
            account.correct_answered(uin, by);
        }
    }
}

/// That a listing failed at `at`, in words as `text` has it.
fn listing_failure(failure: &Failure, text: &str, at: Timestamp) -> ListingFailure {
    let (reason, code) = (Some(failure.reason()), failure.code());
    ListingFailure { reason, code, error: error_text(&text), since: at }
}

/// That what a listing was answered with at `at` is not believed.
fn not_believed(error: &impl fmt::Display, at: Timestamp) -> ListingFailure {
    ListingFailure { reason: Some(Reason::Malformed), code: None, error: error_text(error), since: at }
}
