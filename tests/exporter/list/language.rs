//! The language of `list`'s table.

use super::*;
use crate::terminal;

/// Runs `list` where these variables are set.
fn list_in(world: &World, flags: &[&str], variables: &[(&str, &str)]) -> Run {
    command(world, &world.config(), flags).envs(variables.iter().copied()).output().unwrap().into()
}

#[test]
fn the_table_is_chinese_where_the_locale_is() {
    let run = list_in(&mixed(), &[], &[("LANG", "zh_CN.UTF-8")]);
    let table = "\
账号  用户          密钥              状态    时长    结论
prod  100013065919  AKIDtwox****xxxx  已启用  200 天  严重超期, 数量超限
prod  100013065918  AKIDoldx****xxxx  已启用  100 天  超期
prod  100013065919  AKIDonex****xxxx  已启用  1 天    数量超限
prod  100013065919  AKIDthre****xxxx  已禁用  300 天  数量超限, 已禁用
prod  100013065917  AKIDoffx****xxxx  已禁用  5 天    已禁用
prod  100013065917  AKIDfine****xxxx  已启用  3 天    正常

1 个账号，4 个用户，6 个密钥：1 严重超期，2 超期，3 数量超限，2 已禁用
";
    assert_eq!(run.stdout, table);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_first_variable_that_is_set_decides() {
    let world = fine();
    for (variables, is_chinese) in [
        (&[][..], false),
        (&[("LANG", "zh_CN.UTF-8")], true),
        (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], false),
        (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "zh_CN.utf8")], true),
        (&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "zh_CN.UTF-8")], true),
        (&[("LANG", "zh_CN.UTF-8"), ("LC_MESSAGES", "en_US.UTF-8")], false),
        (&[("LC_MESSAGES", "zh_CN.UTF-8"), ("LC_ALL", "POSIX")], false),
        (&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "zh_CN.UTF-8")], true),
        (&[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")], false),
        // Another character set would make it unreadable.
        (&[("LANG", "zh_CN.GB18030")], false),
        (&[("LC_CTYPE", "zh_CN.UTF-8"), ("LANGUAGE", "zh_CN")], false),
    ] {
        let run = list_in(&world, &[], variables);
        let head = if is_chinese { "账号  用户 " } else { "ACCOUNT  USER " };
        assert!(run.stdout.starts_with(head), "{variables:?}: {run:?}");
    }
}

#[test]
fn failures_and_advice_are_chinese_and_codes_are_not() {
    let world = World::new([
        (UIN, user([("AKIDfine", "Active", 3)])),
        (UIN + 1, behaving(Behaviour::Denied)),
        (UIN + 2, behaving(Behaviour::DoesNotExist)),
    ]);
    let run = list_in(&world, &[], &[("LC_ALL", "zh_CN.UTF-8")]);
    for text in [
        "失败：denied\n",
        "失败：user_not_found\n",
        "denied：prod：用户 100013065918\n",
        "  AuthFailure.UnauthorizedOperation: ",
        "  请为调用者关联对资源 `*` 允许 `cam:ListAccessKeys` 的策略；其他资源写法不起作用。\n",
        "  从 `uins` 或 `uins_file` 中删除。\n",
        "1 个账号，3 个用户，1 个密钥\n",
    ] {
        assert!(run.stdout.contains(text), "no {text}: {run:?}");
    }
    // Errors of the program are in English, as its log is.
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(2), "tencentcloud-cam-exporter: 2 of 3 user(s) could not be polled\n")
    );
    // The advice beside a file that was left as it was.
    let file = world.folder.path().join("list.txt");
    let run = list_in(&world, &[&format!("--output-file={}", file.display())], &[("LANG", "zh_CN.UTF-8")]);
    assert!(run.stderr.contains("其他资源写法不起作用。") && !file.exists(), "{run:?}");
}

#[test]
fn what_programs_read_is_in_english_in_every_locale() {
    let world = World::new([(UIN, user([("AKIDold", "Active", 100)])), (UIN + 1, behaving(Behaviour::Denied))]);
    for format in ["json", "csv", "metrics"] {
        let run = list_in(&world, &[&format!("--output={format}")], &[("LANG", "zh_CN.UTF-8")]);
        assert!(run.stdout.contains("AKIDoldx****xxxx") && run.stdout.is_ascii(), "{format}: {run:?}");
    }
}

#[test]
fn a_chinese_table_fits_terminals_of_every_width() {
    let demo = format!("{} list --demo 2>/dev/null", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
    for columns in [80, 100, 120, 200] {
        let environment = [("NO_COLOR", "1"), ("LANG", "zh_CN.UTF-8")];
        let (shown, _) = terminal::shown(columns, &demo, &environment);
        let read = terminal::read(&shown);
        // Chinese characters and punctuation take two columns.
        let width = |line: &str| line.chars().map(|character| 1 + usize::from(character >= '\u{3000}')).sum::<usize>();
        assert!(read.lines().all(|line| width(line) <= usize::from(columns)), "{columns}: {read}");
        assert_eq!(read.lines().filter(|line| line.contains(" AKIDDEMO****0")).count(), 37 + 5, "{columns}: {read}");
        let rows: Vec<&str> = read.lines().take_while(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), 40, "{columns}: {read}");
        // The verdicts begin in the same column, whatever is before them.
        let verdict = |row: &str| width(&row[..row.rfind("  ").unwrap()]);
        let begin: Vec<usize> = rows.iter().map(|row| verdict(row)).collect();
        assert!(begin.iter().all(|column| *column == begin[0]), "{columns}: {begin:?} {read}");
        for text in ["腾讯云已公告，将禁用 90 天未使用的密钥", "将于 ", "豁免已到期：demo：用户 "]
        {
            assert!(read.replace('\n', "").contains(text), "{columns}: no {text}: {read}");
        }
    }
}
