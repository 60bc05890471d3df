//! The pages in Chinese: no sentence is left in English.

use std::collections::BTreeSet;

use super::*;
use crate::{
    inventory::assessment::Moment,
    web::status::{
        account::AccountReport,
        list::Listed,
        list_page::list_page,
        note::{self, Note},
        query::{List, Of, UserFilter},
        text::prose,
    },
};

/// What is left of HTML without tags, text from elsewhere and what is to be typed; with the labels of its elements.
fn words(html: &str) -> String {
    let without = |text: String, (from, to): (&str, &str)| {
        let mut pieces = text.split(from);
        let first = pieces.next().unwrap().to_owned();
        pieces.fold(first, |text, piece| text + " " + piece.split_once(to).unwrap().1)
    };
    let labels: String = html.split("aria-label=\"").skip(1).map(|after| after.split('"').next().unwrap()).collect();
    let parts = [("<style>", "</style>"), ("<code>", "</code>"), ("<bdi>", "</bdi>"), ("<", ">")];
    parts.into_iter().fold(html.replace(env!("BUILD_REVISION"), ""), without) + " " + &labels
}

/// Fails if there is a word of Latin letters that Chinese text does not have.
fn assert_chinese(html: &str) {
    let labels: BTreeSet<&str> =
        Reason::ALL.map(Reason::label).into_iter().chain(Finding::ALL.map(Finding::label)).collect();
    let names = ["API", "CAM", "exporter", "UIN", "UTC", "ID", "DNS", "prod"];
    let text = words(html);
    let words = text.split(|character: char| !character.is_ascii_alphabetic() && character != '_');
    let english: BTreeSet<&str> =
        words.filter(|word| word.len() > 1 && !labels.contains(word) && !names.contains(word)).collect();
    assert_eq!(english, BTreeSet::new());
}

fn chinese(accounts: &[Arc<Account>]) -> Report {
    Report::of(Language::Chinese, &Inventory::new(accounts.to_vec()), now(), Duration::from_secs(95))
}

#[tokio::test(start_paused = true)]
async fn no_sentence_of_the_overview_is_in_english() {
    assert_chinese(&page(&chinese(&everything_wrong())));
    // Nothing yet, nothing to poll, and nothing but listings that are awaited.
    let (unknown, awaiting, silent) = (account("prod", 3), account("prod", 0), account("prod", 1));
    awaiting.set_settings(AccountSettings { listings: EVERY_LISTING, ..awaiting.settings() });
    let missing = account("prod", 1);
    missing.poll_failed(uin(1), failure(Reason::UserNotFound, None, now()));
    let failing = account("prod", 1);
    failing.poll_failed(uin(1), failure(Reason::Credentials, None, now()));
    let good = account("prod", 1);
    good.poll_succeeded(uin(1), &[key("a", 1)], now());
    let of = |accounts: &[&Arc<Account>]| -> Vec<Arc<Account>> { accounts.iter().map(|of| Arc::clone(of)).collect() };
    for accounts in [
        vec![],
        of(&[&unknown]),
        of(&[&awaiting]),
        of(&[&account("prod", 0)]),
        of(&[&good]),
        of(&[&missing, &failing]),
        of(&[&unknown, &awaiting, &missing, &failing, &good]),
    ] {
        assert_chinese(&page(&chinese(&accounts)));
    }
    assert_chinese(&page(&Report { config_refused: true, ..chinese(&[]) }));
    advance(SILENCE + Duration::from_millis(1)).await;
    let page = page(&chinese(&[silent]));
    assert!(page.contains("已停止轮询"), "{page}");
    assert_chinese(&page);
}

#[test]
fn no_sentence_of_a_list_is_in_english() {
    let inventory = Inventory::new(everything_wrong());
    let users = [None].into_iter().chain(UserFilter::ALL.map(Some)).map(Of::Users);
    let keys = [None].into_iter().chain(Finding::OF_KEYS.map(Some)).map(Of::Keys);
    for of in users.chain(keys).chain([Of::Accounts]) {
        let list = List::new(of).of_user(uin(1));
        let listed = Listed::of(&list, &inventory, now()).unwrap();
        let page = list_page(Language::Chinese, &listed, &"/metrics".parse().unwrap()).into_string();
        assert!(page.contains(r#"<html lang="zh-CN">"#));
        assert_chinese(&page);
    }
    let paged = Listed::of(&List::new(Of::Keys(None)), &inventory, now()).unwrap();
    let page = list_page(Language::Chinese, &paged, &"/metrics".parse().unwrap()).into_string();
    assert!(page.contains("第 1 页，共 288 页") && page.contains(">下一页</a>"), "{page}");
}

#[test]
fn every_problem_has_a_note_in_chinese() {
    let accounts = everything_wrong();
    let of = |account: &Arc<Account>| AccountReport::of(0, account, &account.snapshot(), Moment::now(now()));
    let reports = [of(&accounts[0]), of(&account("prod", 0)), of(&account("prod", 2))];
    let of_listings = Listing::ALL.map(AccountProblem::ListingFailed);
    let others = [
        AccountProblem::Silent,
        AccountProblem::Down,
        AccountProblem::Outage,
        AccountProblem::CredentialNotRenewed,
        AccountProblem::ClockSkew(SignedDuration::from_mins(-2)),
        AccountProblem::ClockSkew(SignedDuration::from_hours(50)),
        AccountProblem::Throttled,
        AccountProblem::IntervalTooShort(MINUTE),
    ];
    for problem in of_listings.into_iter().chain(others) {
        for report in &reports {
            assert_chinese(&Note::of(Language::Chinese, problem, report).html(Language::Chinese, 100).into_string());
        }
    }
    for listing in Listing::ALL {
        assert_chinese(&prose(note::awaited(Language::Chinese, listing)).into_string());
    }
}

#[test]
fn a_chinese_page_is_no_longer_than_it_may_be() {
    let page = page(&chinese(&everything_wrong()));
    assert!(page.contains("<html lang=\"zh-CN\">") && page.len() < MAX_BYTES, "{} bytes", page.len());
}

#[test]
fn a_chinese_page_says_the_same() {
    let account = account("prod", 1);
    account.poll_succeeded(uin(1), &[], ago(30));
    let denied = failure(Reason::Denied, Some("UnauthorizedOperation"), ago(20));
    account.poll_failed(uin(1), Failure { next_poll: Some(ago(-5)), ..denied });
    let page = page(&chinese(&[account]));
    for shown in [
        "<title>3 个问题 – 腾讯云 CAM exporter</title>",
        "1 个账号不可用：prod",
        "1 个用户无法轮询",
        r#"始于 <time datetime="2025-12-31T23:40:00Z">2025-12-31 23:40:00 UTC</time>，已 20 分钟"#,
        "5 分钟后轮询",
        "30 分钟前响应",
        "请为调用者关联对资源 <code>*</code> 允许 <code>cam:ListAccessKeys</code> 的策略",
        "/docs/zh-CN/alerts/TencentCloudCamPollFailing.md\">处理手册</a>",
    ] {
        assert!(page.contains(shown), "no {shown}: {page}");
    }
}
