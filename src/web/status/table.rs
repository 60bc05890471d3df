//! Tables: how they open and close, and the rows of accounts.

use std::fmt;

use super::{
    account::{AccountReport, BudgetReport, SweepReport},
    note::{Note, awaited},
    problems::Severity,
    query::{List, Of, UserFilter},
    text::{Count, Escaped, Grouped, PerSecond, Prose, Span},
};
use crate::inventory::assessment::{AccountProblem, UserState};

/// The columns of accounts.
pub(super) const ACCOUNTS: [&str; 5] = ["Account", "Users", "Requests", "Sweep", "Freshness"];

/// The most bytes that the error of an account's first problem takes in its row, and those of the others.
const ERRORS: [usize; 2] = [400, 120];

/// Opens a table of that class with these columns. The style sheet selects cells by the class and their number: it is the
/// rows that make the page long.
pub(super) fn open(f: &mut fmt::Formatter<'_>, class: &str, names: &[&str]) -> fmt::Result {
    write!(f, r#"<table class="{class}"><thead><tr>"#)?;
    for name in names {
        write!(f, r#"<th scope="col">{name}</th>"#)?;
    }
    writeln!(f, "</tr></thead><tbody>")
}

/// Closes the table.
pub(super) fn close(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "</tbody></table>")
}

// === impl AccountReport ===

impl fmt::Display for AccountReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<tr><th scope="row">"#)?;
        self.name(f)?;
        write!(f, "</th><td>")?;
        self.users(f)?;
        write!(f, "</td><td>")?;
        self.requests(f)?;
        write!(f, "</td><td>")?;
        self.sweep(f)?;
        write!(f, "</td><td>")?;
        self.freshness(f)?;
        writeln!(f, "</td></tr>")
    }
}

impl AccountReport {
    fn name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, state) = self.state();
        let users = List::new(Of::Users(None)).of_account(&self.name);
        write!(f, r#"<a href="{users}">{}</a> <span class="{class}">{state}</span>"#, Escaped(&self.name))?;
        let said = |problem: &AccountProblem| !matches!(problem, AccountProblem::Silent | AccountProblem::Down);
        for (number, problem) in self.assessment.problems.iter().copied().filter(said).enumerate() {
            let note = Note::of(problem, self);
            let class = Severity::of(problem.kind()).class();
            write!(f, r#"<p class="{class}">{}</p>"#, note.html(ERRORS[number.min(1)]))?;
        }
        for listing in &self.assessment.awaited {
            write!(f, r#"<p class="wait">awaited: {}</p>"#, Prose(awaited(*listing)))?;
        }
        Ok(())
    }

    fn users(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = &self.assessment.users;
        write!(f, "{}", Count(users.total, "user", "users"))?;
        for (number, filter, what) in [
            (users.unknown, UserFilter::State(UserState::Unknown), "not polled yet"),
            (users.failing, UserFilter::State(UserState::Failing), "failing"),
            (users.missing, UserFilter::State(UserState::Missing), "not there"),
        ] {
            if number > 0 {
                let list = List::new(Of::Users(Some(filter))).of_account(&self.name);
                write!(f, r#"<p><a href="{list}">{} {what}</a></p>"#, Grouped(number))?;
            }
        }
        Ok(())
    }

    fn requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(BudgetReport { pace, rate, limit }) = self.budget else { return write!(f, "–") };
        let throttled = if rate < limit { format!(", {} at present", PerSecond(rate)) } else { String::new() };
        write!(
            f,
            r#"{} of {} a second{throttled}<meter min="0" max="{limit}" value="{pace}" aria-label="Requests a second"></meter>"#,
            PerSecond(pace),
            PerSecond(limit)
        )
    }

    fn sweep(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(SweepReport { asked, of, left, is_the_first }) = self.sweep.filter(|sweep| sweep.of > 0) else {
            return write!(f, "–");
        };
        let first = if is_the_first { "first: " } else { "" };
        write!(
            f,
            r#"{first}{} of {} asked, {} left<progress max="{}" value="{asked}" aria-label="Sweep"></progress>"#,
            Grouped(asked),
            Grouped(of),
            Span(left),
            of.max(1)
        )
    }

    fn freshness(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.assessment.oldest_answer {
            Some(oldest) => write!(f, "oldest answer {} ago", Span(oldest))?,
            None => write!(f, "no answer yet")?,
        }
        let interval = Span(self.assessment.effective_interval);
        match self.assessment.users.late {
            0 => write!(f, r#"<p class="quiet">polled every {interval}</p>"#),
            late => write!(f, r#"<p class="blind">{} over three intervals of {interval}</p>"#, Grouped(late)),
        }
    }
}
