//! `uins_file`, against a parser that has nothing but the rules.

#![no_main]

use std::collections::BTreeSet;

use fuzz::{NOW, assert_no_secret, file, with_secret};
use libfuzzer_sys::fuzz_target;
use tencentcloud_cam_exporter::config::UinsFile;

/// A UIN a line, if every line is one or empty.
fn expected(content: &[u8]) -> Option<BTreeSet<u64>> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut uins = BTreeSet::new();
    for line in content.split(|byte| *byte == b'\n') {
        let end = line.iter().position(|byte| *byte == b'#').unwrap_or(line.len());
        let entry = str::from_utf8(&line[..end]).ok()?.trim();
        if !entry.is_empty() {
            if !entry.chars().all(|letter| letter.is_ascii_digit()) {
                return None;
            }
            uins.insert(entry.parse().ok().filter(|uin| *uin > 0)?);
        }
    }
    Some(uins).filter(|uins| !uins.is_empty())
}

fuzz_target!(|data: &[u8]| {
    let content = with_secret(data);
    let read = UinsFile::new(file("uins", &content)).read(NOW);
    if let Err(error) = &read {
        assert_no_secret(&error.to_string());
    }
    let found: Option<BTreeSet<u64>> = read.ok().map(|uins| uins.iter().map(|uin| uin.get()).collect());
    assert_eq!(found, expected(&content));
});
