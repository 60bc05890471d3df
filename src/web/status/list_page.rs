//! A page of a whole list as it is written.

use std::fmt;

use exporter_toolkit::TelemetryPath;

use super::{
    frame::{self, Mark},
    list::{Listed, Rows},
    query::{List, Of, UserFilter},
    rows::{KeyRow, UserRow},
    runbook::Runbook,
    table,
    text::{Escaped, Grouped, Utc},
};
use crate::inventory::assessment::{Finding, UserState};

/// A page of a list, to be written as an HTML document.
#[derive(Debug)]
pub(super) struct ListPage<'a> {
    pub(super) listed: &'a Listed,
    pub(super) telemetry_path: &'a TelemetryPath,
}

impl fmt::Display for ListPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.listed.list.of.title();
        frame::head(f, title, Mark::Plain, None)?;
        writeln!(f, "<body>")?;
        frame::header(f, None, self.telemetry_path)?;
        writeln!(f, "<main>")?;
        self.filters(f)?;
        writeln!(f, r#"<section aria-labelledby="list"><h2 id="list">{title} <small>{}</small>"#, self.scope())?;
        if let Some(runbook) = self.listed.list.of.runbook() {
            write!(f, " {runbook}")?;
        }
        writeln!(f, "</h2>")?;
        if self.listed.of == 0 {
            writeln!(f, "<p>None.</p>")?;
        } else {
            self.rows(f)?;
        }
        writeln!(f, "</section>")?;
        self.pager(f)?;
        writeln!(f, "</main>")?;
        writeln!(
            f,
            "<footer>Made at {}. In the order of the configuration and of UINs.</footer>\n</body>\n</html>",
            Utc(self.listed.made)
        )
    }
}

impl ListPage<'_> {
    /// How many rows there are, and of what.
    fn scope(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{}", Grouped(self.listed.of))?;
            if let Some(account) = &self.listed.list.account {
                write!(f, " in account {}", Escaped(account))?;
            }
            match self.listed.list.uin {
                Some(uin) => write!(f, " of user {uin}"),
                None => Ok(()),
            }
        })
    }

    /// The ways to the whole list, and to each part of it.
    fn filters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<nav class="filters" aria-label="Lists"><a href="?">Overview</a>"#)?;
        let all = match self.listed.list.of {
            Of::Accounts => vec![],
            Of::Users(_) => [None].into_iter().chain(UserFilter::ALL.map(Some)).map(Of::Users).collect(),
            Of::Keys(_) => [None].into_iter().chain(Finding::OF_KEYS.map(Some)).map(Of::Keys).collect(),
        };
        for of in all {
            let current = if of == self.listed.list.of { r#" aria-current="page""# } else { "" };
            let list = List { of, page: std::num::NonZeroUsize::MIN, ..self.listed.list.clone() };
            write!(f, r#" <a href="{list}"{current}>{}</a>"#, of.title())?;
        }
        writeln!(f, "</nav>")
    }

    fn rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listed.rows {
            Rows::Accounts(accounts) => {
                table::open(f, "accounts", &table::ACCOUNTS)?;
                accounts.iter().try_for_each(|account| write!(f, "{account}"))?;
            }
            Rows::Users(users) => {
                table::open(f, "users", &["User", "Account", "State", "Keys", "Next poll", "Last answer"])?;
                users.iter().try_for_each(|user| user_row(f, user))?;
            }
            Rows::Keys(keys) => {
                table::open(f, "keys", &["Age", "Key", "User", "Account", "Status", "Last use"])?;
                keys.iter().try_for_each(|key| key_row(f, key))?;
            }
        }
        table::close(f)
    }

    fn pager(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (page, pages) = (self.listed.list.page, self.listed.pages());
        if pages.get() == 1 {
            return Ok(());
        }
        let link = |f: &mut fmt::Formatter<'_>, to: usize, text: &str| match std::num::NonZeroUsize::new(to) {
            Some(to) if to != page && to <= pages => {
                write!(f, r#"<a href="{}">{text}</a> "#, List { page: to, ..self.listed.list.clone() })
            }
            _ => Ok(()),
        };
        write!(f, r#"<nav class="pages" aria-label="Pages">"#)?;
        link(f, 1, "First")?;
        link(f, page.get() - 1, "Previous")?;
        write!(f, "<span>Page {} of {}</span> ", Grouped(page.get()), Grouped(pages.get()))?;
        link(f, page.get() + 1, "Next")?;
        link(f, pages.get(), "Last")?;
        writeln!(f, "</nav>")
    }
}

fn user_row(f: &mut fmt::Formatter<'_>, user: &UserRow) -> fmt::Result {
    writeln!(
        f,
        r#"<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
        user.who(),
        Escaped(&user.account),
        user.state(),
        user.keys(),
        user.next_poll(),
        user.last_answer()
    )
}

fn key_row(f: &mut fmt::Formatter<'_>, key: &KeyRow) -> fmt::Result {
    writeln!(
        f,
        r#"<tr><td>{}</td><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
        key.age(&Finding::OF_KEYS),
        key.label(),
        key.who(),
        Escaped(&key.account),
        key.status.label(),
        key.last_use()
    )
}

// === impl Of ===

impl Of {
    /// What the list is called.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Accounts => "Accounts",
            Self::Users(None) => "All users",
            Self::Users(Some(UserFilter::State(UserState::Failing))) => "Failing users",
            Self::Users(Some(UserFilter::State(UserState::Missing))) => "Users who do not exist",
            Self::Users(Some(UserFilter::State(UserState::Unknown))) => "Users not polled yet",
            Self::Users(Some(UserFilter::State(UserState::Up))) => "Users that are up",
            Self::Users(Some(UserFilter::Late)) => "Users with a late answer",
            Self::Users(Some(UserFilter::AtLimit)) => "Users at their key limit",
            Self::Users(Some(UserFilter::OverLimit)) => "Users over their key limit",
            Self::Keys(None) => "All keys",
            Self::Users(Some(UserFilter::ConsoleLogin)) => "Users with keys and console login",
            Self::Users(Some(UserFilter::ExemptionEnded)) => "Users whose exemption has ended",
            Self::Keys(Some(Finding::AutoDisableSoon)) => "Keys that will soon be disabled",
            Self::Keys(Some(Finding::VeryStale)) => "Very stale keys",
            Self::Keys(Some(Finding::Stale)) => "Stale keys",
            Self::Keys(Some(Finding::OverLimit)) => "Keys of users over the limit",
            Self::Keys(Some(Finding::Unused)) => "Unused keys",
            Self::Keys(Some(Finding::RotationUnfinished)) => "Keys of unfinished rotations",
            Self::Keys(Some(Finding::ConsoleLogin)) => "Keys of users with console login",
            Self::Keys(Some(Finding::AtLimit)) => "Keys of users at the limit",
            Self::Keys(Some(Finding::Inactive)) => "Inactive keys",
        }
    }

    fn runbook(self) -> Option<Runbook> {
        match self {
            Self::Accounts
            | Self::Keys(None)
            | Self::Users(None | Some(UserFilter::State(UserState::Unknown | UserState::Up))) => None,
            Self::Users(Some(UserFilter::State(UserState::Failing | UserState::Missing))) => Some(Runbook::POLLS),
            Self::Users(Some(UserFilter::Late)) => Some(Runbook::LATE),
            Self::Users(Some(UserFilter::AtLimit)) => Some(Runbook::of_finding(Finding::AtLimit)),
            Self::Users(Some(UserFilter::ConsoleLogin)) => Some(Runbook::of_finding(Finding::ConsoleLogin)),
            Self::Users(Some(UserFilter::ExemptionEnded)) => Some(Runbook::EXEMPTION),
            Self::Users(Some(UserFilter::OverLimit)) => Some(Runbook::of_finding(Finding::OverLimit)),
            Self::Keys(Some(finding)) => Some(Runbook::of_finding(finding)),
        }
    }
}
