//! Where the runbooks of the alerts are.

use maud::{Markup, html};

use crate::{
    inventory::{
        Listing,
        assessment::{Finding, ProblemKind},
    },
    language::Language,
};

/// The folder of the documents, as the alerts' `runbook_url` has it.
const DOCS: &str = "https://github.com/tencentcloud-cam-exporter/tencentcloud-cam-exporter/blob/main/docs";

/// The runbook of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runbook(&'static str);

// === impl Runbook ===

impl Runbook {
    /// Of a configuration that cannot be used.
    pub(super) const CONFIG: Self = Self("TencentCloudCamConfigReloadFailed");
    /// Of users whose polls fail, or who do not exist.
    pub(super) const POLLS: Self = Self("TencentCloudCamPollFailing");
    /// Of answers that are late.
    pub(super) const LATE: Self = Self("TencentCloudCamInventoryStale");
    /// Of exemptions that have ended.
    pub(super) const EXEMPTION: Self = Self("TencentCloudCamExemptionEnded");

    /// Of what is wrong with an account.
    pub(super) fn of_problem(kind: ProblemKind) -> Self {
        Self(match kind {
            ProblemKind::Silent => return Self::LATE,
            ProblemKind::Down | ProblemKind::Outage => "TencentCloudCamAccountDown",
            ProblemKind::ListingFailed(Listing::UinsFile) => "TencentCloudCamUinsFileUnusable",
            ProblemKind::ListingFailed(Listing::Caller) => "TencentCloudCamCallerUnknown",
            ProblemKind::ListingFailed(Listing::Users | Listing::TypedUsers) => "TencentCloudCamUserDiscoveryFailing",
            ProblemKind::ListingFailed(Listing::Members) => "TencentCloudCamOrganizationDiscoveryFailing",
            ProblemKind::ListingFailed(Listing::LastUses) => "TencentCloudCamLastUsedFailing",
            ProblemKind::CredentialNotRenewed => "TencentCloudCamCredentialExpiring",
            ProblemKind::ClockSkew => "TencentCloudCamClockSkewed",
            ProblemKind::Throttled => "TencentCloudCamBudgetThrottled",
            ProblemKind::IntervalTooShort => "TencentCloudCamScheduleOverrun",
        })
    }

    /// Of what is found of a key or of a user.
    pub(super) fn of_finding(finding: Finding) -> Self {
        Self(match finding {
            Finding::AutoDisableSoon => "TencentCloudCamAccessKeyAutoDisableSoon",
            Finding::VeryStale => "TencentCloudCamAccessKeyVeryStale",
            Finding::Stale => "TencentCloudCamAccessKeyStale",
            Finding::OverLimit => "TencentCloudCamUserOverKeyLimit",
            Finding::Unused => "TencentCloudCamAccessKeyUnused",
            Finding::RotationUnfinished => "TencentCloudCamRotationUnfinished",
            Finding::ConsoleLogin => "TencentCloudCamConsoleUserWithKey",
            Finding::AtLimit => "TencentCloudCamUserAtKeyLimit",
            Finding::Inactive => "TencentCloudCamAccessKeyInactiveLingering",
        })
    }

    pub(super) fn link(self, language: Language) -> Markup {
        let (folder, text) = language.choose(("/alerts/", "Runbook"), ("/zh-CN/alerts/", "处理手册"));
        html! { a href={ (DOCS) (folder) (self.0) ".md" } { (text) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_have_the_same_addresses() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");
        let rules = |folder: &str| -> String {
            let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
            let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yml"));
            files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
        };
        let rules = [rules(folder), rules(&format!("{folder}/zh-CN"))];
        let of_listings = Listing::ALL.map(ProblemKind::ListingFailed);
        let kinds = [
            ProblemKind::Silent,
            ProblemKind::Down,
            ProblemKind::Outage,
            ProblemKind::CredentialNotRenewed,
            ProblemKind::ClockSkew,
            ProblemKind::Throttled,
            ProblemKind::IntervalTooShort,
        ];
        let of_problems = of_listings.into_iter().chain(kinds).map(Runbook::of_problem);
        let others = [Runbook::CONFIG, Runbook::POLLS, Runbook::LATE, Runbook::EXEMPTION];
        for runbook in of_problems.chain(Finding::ALL.map(Runbook::of_finding)).chain(others) {
            for (language, rules) in Language::ALL.into_iter().zip(&rules) {
                let link = runbook.link(language).into_string();
                let address = link.split('"').nth(1).unwrap();
                let alert = format!("runbook_url: {address}\n");
                assert!(rules.contains(&alert), "{address}");
            }
        }
    }
}
