//! The lists of the page: accounts, failing users, users at their limit, keys.

use std::fmt;

use super::{
    account::{AccountReport, BudgetReport, SweepReport},
    problems::Gravity,
    report::{Absent, AtLimit, Cause, Failing, OldKey, Report},
    text::{Count, Escaped, Grouped, PerSecond, Prose, Span, span},
    worst::Worst,
};
use crate::{
    advice::{advice, beside_the_error},
    inventory::{
        Listing, ListingFailure,
        assessment::{AccountProblem, AccountState},
    },
    tencent::{Reason, code::OTHER},
};

/// What is said of users who do not exist.
const ABSENT: Cause = Cause::Known(Reason::UserNotFound, None);

/// The lists of a report.
#[derive(Debug)]
pub(super) struct Lists<'a>(pub(super) &'a Report);

/// The heading of a list: how it is called, and how many of how many it shows.
struct Heading<'a> {
    id: &'a str,
    title: &'a str,
    shown: usize,
    of: usize,
}

// === impl Lists ===

impl fmt::Display for Lists<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.accounts(f)?;
        self.failing(f)?;
        writeln!(f, r#"<div class="halves">"#)?;
        self.keys(f)?;
        writeln!(f, "<div>")?;
        self.at_limit(f)?;
        self.absent(f)?;
        writeln!(f, "</div>\n</div>")
    }
}

impl Lists<'_> {
    fn accounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Heading::of("accounts", "Accounts", &self.0.accounts).open(f)?;
        if self.0.accounts.of() == 0 {
            let why = if self.0.config_refused {
                "Nobody is polled until there is a configuration that can be used."
            } else {
                "No account falls to this exporter."
            };
            return writeln!(f, "<p>{why}</p>\n</section>");
        }
        columns(f, "accounts", &["Account", "Users", "Requests", "Sweep", "Freshness"])?;
        for account in self.0.accounts() {
            write!(f, "{account}")?;
        }
        close(f)
    }

    fn failing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.failing.of() == 0 {
            return Ok(());
        }
        Heading::of("failing", "Failing users", &self.0.failing).open(f)?;
        writeln!(f, r#"<ul class="causes">"#)?;
        for (cause, users) in &self.0.causes {
            let (users, advice) = (Count(*users, "user", "users"), Prose(cause.advice()));
            writeln!(f, "<li><strong>{cause}</strong>, {users}. {advice}</li>")?;
        }
        writeln!(f, "</ul>")?;
        columns(f, "failing", &["User", "Account", "Why", "Failing", "Last answer"])?;
        for user in self.0.failing.iter() {
            let Failing { account, uin, cause, since, answered, .. } = user;
            let since =
                since.map_or_else(|| "since before the restart".to_owned(), |since| format!("for {}", span(since)));
            let answered =
                answered.map_or_else(|| "never answered".to_owned(), |ago| format!("answered {} ago", span(ago)));
            writeln!(
                f,
                r#"<tr><th scope="row">{uin}</th><td>{}</td><td>{cause}</td><td>{since}</td><td>{answered}</td></tr>"#,
                Escaped(account)
            )?;
        }
        close(f)
    }

    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Heading::of("keys", "Oldest keys", &self.0.keys).open(f)?;
        if self.0.keys.of() == 0 {
            return writeln!(f, "<p>No key is known.</p>\n</section>");
        }
        columns(f, "keys", &["Age", "Key", "User", "Account", "Status"])?;
        for OldKey { account, uin, label, status, age, is_stale, .. } in self.0.keys.iter() {
            let days = usize::try_from(age.as_secs() / 86_400).unwrap_or_default();
            let days = Count(days, "day", "days");
            let stale = if *is_stale { r#" <span class="act">stale</span>"# } else { "" };
            writeln!(
                f,
                r#"<tr><td>{days}{stale}</td><th scope="row"><code>{}</code></th><td>{uin}</td><td>{}</td><td>{}</td></tr>"#,
                Escaped(label),
                Escaped(account),
                status.label()
            )?;
        }
        close(f)
    }

    fn at_limit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.at_limit.of() == 0 {
            return Ok(());
        }
        Heading::of("limit", "Users at their key limit", &self.0.at_limit).open(f)?;
        columns(f, "limit", &["User", "Account", "Keys"])?;
        for AtLimit { account, uin, keys, limit, is_over, .. } in self.0.at_limit.iter() {
            let over = if *is_over { r#" <span class="act">over</span>"# } else { "" };
            writeln!(
                f,
                r#"<tr><th scope="row">{uin}</th><td>{}</td><td>{keys} of {limit}{over}</td></tr>"#,
                Escaped(account)
            )?;
        }
        close(f)
    }

    fn absent(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.absent.of() == 0 {
            return Ok(());
        }
        Heading::of("absent", "Users who do not exist", &self.0.absent).open(f)?;
        writeln!(f, "<p>{}</p>", Prose(ABSENT.advice()))?;
        columns(f, "absent", &["User", "Account", "Last asked"])?;
        for Absent { account, uin, answered, .. } in self.0.absent.iter() {
            let answered = answered.map_or_else(|| "–".to_owned(), |ago| format!("asked {} ago", span(ago)));
            writeln!(f, r#"<tr><th scope="row">{uin}</th><td>{}</td><td>{answered}</td></tr>"#, Escaped(account))?;
        }
        close(f)
    }
}

/// Opens a table of that class with these columns. The style sheet tells cells by the class and their number: it is the
/// rows that make the page long.
fn columns(f: &mut fmt::Formatter<'_>, class: &str, names: &[&str]) -> fmt::Result {
    write!(f, r#"<table class="{class}"><thead><tr>"#)?;
    for name in names {
        write!(f, r#"<th scope="col">{name}</th>"#)?;
    }
    writeln!(f, "</tr></thead><tbody>")
}

/// Closes the table, and the part of the page that ends with it.
fn close(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "</tbody></table>\n</section>")
}

// === impl Heading ===

impl<'a> Heading<'a> {
    fn of<R: Ord, T>(id: &'a str, title: &'a str, list: &Worst<R, T>) -> Self {
        Self { id, title, shown: list.shown(), of: list.of() }
    }

    /// Opens a part of the page.
    fn open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, title, shown, of } = self;
        write!(f, r#"<section aria-labelledby="{id}"><h2 id="{id}">{title} <small>"#)?;
        if shown == of {
            write!(f, "{}", Grouped(*of))?;
        } else {
            write!(f, "{} of {}, the worst first", Grouped(*shown), Grouped(*of))?;
        }
        writeln!(f, "</small></h2>")
    }
}

// === impl AccountReport ===

impl fmt::Display for AccountReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, users) = (Escaped(&self.name), &self.assessment.users);
        write!(f, r#"<tr><th scope="row">{name} "#)?;
        let (class, state) = self.state();
        write!(f, r#"<span class="{class}">{state}</span>"#)?;
        for problem in &self.assessment.problems {
            if let Some(note) = self.note(*problem) {
                write!(f, r#"<p class="{}">{note}</p>"#, Gravity::of(problem.kind()).class())?;
            }
        }
        write!(f, "</th><td>{}", Count(users.total, "user", "users"))?;
        for (number, what) in [(users.failing, "failing"), (users.missing, "not there")] {
            if number > 0 {
                write!(f, r#"<p class="quiet">{} {what}</p>"#, Grouped(number))?;
            }
        }
        write!(f, "</td><td>")?;
        match self.budget {
            Some(BudgetReport { pace, rate, limit }) => {
                let throttled = if rate < limit { format!(", {} at present", PerSecond(rate)) } else { String::new() };
                write!(
                    f,
                    r#"{} of {} a second{throttled}<meter min="0" max="{limit}" value="{pace}" aria-label="Requests a second"></meter>"#,
                    PerSecond(pace),
                    PerSecond(limit)
                )?;
            }
            None => write!(f, "–")?,
        }
        write!(f, "</td><td>")?;
        match self.sweep {
            Some(SweepReport { asked, of, left, is_the_first }) => {
                let first = if is_the_first { "first: " } else { "" };
                write!(
                    f,
                    r#"{first}{} of {} asked, {} left<progress max="{}" value="{asked}" aria-label="Sweep"></progress>"#,
                    Grouped(asked),
                    Grouped(of),
                    Span(left),
                    of.max(1)
                )?;
            }
            None => write!(f, "–")?,
        }
        write!(f, "</td><td>")?;
        match self.assessment.oldest_answer {
            Some(oldest) => write!(f, "oldest answer {} ago", Span(oldest))?,
            None => write!(f, "no answer yet")?,
        }
        let interval = Span(self.poll_interval);
        match users.late {
            0 => write!(f, r#"<p class="quiet">polled every {interval}</p>"#)?,
            late => write!(f, r#"<p class="blind">{} over three intervals of {interval}</p>"#, Grouped(late))?,
        }
        writeln!(f, "</td></tr>")
    }
}

impl AccountReport {
    fn state(&self) -> (&'static str, &'static str) {
        if self.assessment.problems.contains(&AccountProblem::Silent) {
            return ("blind", "no longer polled");
        }
        match self.assessment.state {
            AccountState::Down => ("blind", "down"),
            AccountState::Up => ("good", "up"),
            AccountState::Empty => ("quiet", "no users here"),
            AccountState::Unknown => ("wait", "not polled yet"),
        }
    }

    /// What is to be said of a problem beside the account's state.
    fn note(&self, problem: AccountProblem) -> Option<String> {
        Some(match problem {
            AccountProblem::Silent | AccountProblem::Down => return None,
            AccountProblem::ListingFailed(listing) => {
                let what = match listing {
                    Listing::UinsFile => "its uins_file cannot be used: the last good list stays",
                    Listing::Caller => "who asks cannot be found",
                    Listing::Users => "its users cannot be listed",
                    Listing::Members => "its organization's members cannot be listed",
                    Listing::LastUses => "when keys were last used cannot be found",
                };
                let failure = self.listings.get(listing).failure.as_ref();
                failure.map_or_else(|| what.to_owned(), |failure| format!("{what}: {}", Told(failure)))
            }
            AccountProblem::CredentialNotRenewed => {
                let why = self.credential_problem.as_deref().unwrap_or_default();
                format!("the credential cannot be renewed, the last good one stays in use: {}", Escaped(why))
            }
            AccountProblem::ClockSkew(ahead) => {
                let side = if ahead.is_positive() { "behind" } else { "ahead of" };
                let skew = span(ahead.abs());
                format!("this machine's clock is {skew} {side} the API's: signatures and ages follow the API's")
            }
            AccountProblem::Throttled => "throttled: somebody else uses the limit too".to_owned(),
            AccountProblem::IntervalTooShort(needed) => {
                let needed = Span(needed);
                format!("the limit reaches every user in {needed} at best: raise the interval")
            }
        })
    }
}

/// Why a listing fails, and what to do about it.
struct Told<'a>(&'a ListingFailure);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListingFailure { reason, code, error, .. } = self.0;
        write!(f, "{}", Escaped(error))?;
        match reason.and_then(|reason| beside_the_error(reason, *code)) {
            Some(advice) => write!(f, ". {}", Prose(advice)),
            None => Ok(()),
        }
    }
}

// === impl Cause ===

impl Cause {
    /// What to do about it.
    fn advice(self) -> &'static str {
        match self {
            Self::Known(reason, code) => advice(reason, code),
            Self::BeforeRestart => "Wait: it will be known why once they have been polled again.",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, code) = self.labels();
        write!(f, "{reason}")?;
        match code {
            None | Some(OTHER) => Ok(()),
            Some(code) => write!(f, " <code>{}</code>", Escaped(code)),
        }
    }
}
