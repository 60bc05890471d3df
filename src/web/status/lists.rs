//! The lists of the overview: accounts, failing users, keys, users at their limit, users who do not exist.

use std::fmt;

use tencentcloud_api::Reason;

use super::{
    query::{List, Of, UserFilter},
    report::Report,
    rows::{Cause, ERROR, UserRow},
    runbook::Runbook,
    table,
    text::{Count, Escaped, Grouped, Prose, Since},
    worst::TopN,
};
use crate::{
    inventory::assessment::{Finding, UserState},
    web::status::foreign::Foreign,
};

/// What is said of users who do not exist.
const ABSENT: Cause = Cause::Known(Reason::UserNotFound, None);

/// The most causes of failures that are listed one by one.
const CAUSES: usize = 12;

/// The lists of a report.
#[derive(Debug)]
pub(super) struct Lists<'a>(pub(super) &'a Report);

/// The heading of a list: how it is called, and how many of how many it shows.
struct Heading<'a> {
    id: &'a str,
    title: &'a str,
    shown: usize,
    of: usize,
    /// The whole list.
    all: Of,
    runbook: Option<Runbook>,
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
        Heading::of("accounts", "Accounts", &self.0.accounts, Of::Accounts, None).open(f)?;
        if self.0.accounts.of() == 0 {
            let why = if self.0.config_refused {
                "Nobody is polled until there is a configuration that can be used."
            } else {
                "No account falls to this exporter."
            };
            return writeln!(f, "<p>{why}</p>\n</section>");
        }
        table::open(f, "accounts", &table::ACCOUNTS)?;
        for account in self.0.accounts() {
            write!(f, "{account}")?;
        }
        close(f)
    }

    fn failing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.failing.of() == 0 {
            return Ok(());
        }
        let all = Of::Users(Some(UserFilter::State(UserState::Failing)));
        Heading::of("failing", "Failing users", &self.0.failing, all, Some(Runbook::POLLS)).open(f)?;
        writeln!(f, r#"<ul class="causes">"#)?;
        for report in self.0.causes.iter().take(CAUSES) {
            write!(f, "<li><strong>{}</strong>, {}", report.cause, Count(report.users, "user", "users"))?;
            if let Some((since, now)) = report.since {
                write!(f, ", {}", Since(since, now))?;
            }
            // Where nothing can be said but what the error says, that is shown here as well.
            match (report.cause.advice(), &report.error) {
                (Some(advice), _) => write!(f, ". {}", Prose(advice))?,
                (None, Some(error)) => write!(f, ": {}", Foreign(error, ERROR))?,
                (None, None) => {}
            }
            writeln!(f, "</li>")?;
        }
        if self.0.causes.len() > CAUSES {
            writeln!(f, "<li>And others.</li>")?;
        }
        writeln!(f, "</ul>")?;
        table::open(f, "failing", &["User", "Account", "Why", "Failing", "Next poll", "Last answer"])?;
        for user in self.0.failing.iter() {
            writeln!(
                f,
                r#"<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
                user.who(),
                Escaped(&user.account),
                user.why(),
                user.since(),
                user.next_poll(),
                user.last_answer()
            )?;
        }
        close(f)
    }

    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runbook = Some(Runbook::of_finding(Finding::Stale));
        Heading::of("keys", "Oldest keys", &self.0.keys, Of::Keys(None), runbook).open(f)?;
        if self.0.keys.of() == 0 {
            return writeln!(f, "<p>No key is known.</p>\n</section>");
        }
        table::open(f, "keys", &["Age", "Key", "User", "Account", "Status"])?;
        for key in self.0.keys.iter() {
            writeln!(
                f,
                r#"<tr><td>{}</td><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>"#,
                key.age(&[Finding::VeryStale, Finding::Stale]),
                key.label(),
                key.who(),
                Escaped(&key.account),
                key.status.label()
            )?;
        }
        close(f)
    }

    fn at_limit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.at_limit.of() == 0 {
            return Ok(());
        }
        let all = Of::Users(Some(UserFilter::AtLimit));
        Heading::of(
            "limit",
            "Users at their key limit",
            &self.0.at_limit,
            all,
            Some(Runbook::of_finding(Finding::AtLimit)),
        )
        .open(f)?;
        table::open(f, "limit", &["User", "Account", "Keys"])?;
        for user in self.0.at_limit.iter() {
            three(f, user, user.keys())?;
        }
        close(f)
    }

    fn absent(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.absent.of() == 0 {
            return Ok(());
        }
        let all = Of::Users(Some(UserFilter::State(UserState::Missing)));
        Heading::of("absent", "Users who do not exist", &self.0.absent, all, Some(Runbook::POLLS)).open(f)?;
        writeln!(f, "<p>{}</p>", Prose(ABSENT.advice().unwrap_or_default()))?;
        table::open(f, "absent", &["User", "Account", "Last answer"])?;
        for user in self.0.absent.iter() {
            three(f, user, user.last_answer())?;
        }
        close(f)
    }
}

/// A row of a user with one more cell.
fn three(f: &mut fmt::Formatter<'_>, user: &UserRow, cell: impl fmt::Display) -> fmt::Result {
    let (who, account) = (user.who(), Escaped(&user.account));
    writeln!(f, r#"<tr><th scope="row">{who}</th><td>{account}</td><td>{cell}</td></tr>"#)
}

/// Closes the table, and the part of the page that ends with it.
fn close(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    table::close(f)?;
    writeln!(f, "</section>")
}

// === impl Heading ===

impl<'a> Heading<'a> {
    fn of<R: Ord, T>(id: &'a str, title: &'a str, list: &TopN<R, T>, all: Of, runbook: Option<Runbook>) -> Self {
        Self { id, title, shown: list.shown(), of: list.of(), all, runbook }
    }

    /// Opens a part of the page.
    fn open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, title, shown, of, all, runbook } = self;
        write!(f, r#"<section aria-labelledby="{id}"><h2 id="{id}">{title} <small>"#)?;
        if shown == of {
            write!(f, "{}", Grouped(*of))?;
        } else {
            write!(f, "{} of {}, the worst first", Grouped(*shown), Grouped(*of))?;
        }
        write!(f, "</small>")?;
        if *of > 0 {
            write!(f, r#" <a href="{}">All {}</a>"#, List::new(*all), Grouped(*of))?;
        }
        if let Some(runbook) = runbook.filter(|_| *of > 0) {
            write!(f, " {runbook}")?;
        }
        writeln!(f, "</h2>")
    }
}
