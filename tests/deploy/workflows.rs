//! The workflows of GitHub: what actionlint, which `.ci/run` runs, does not check.

use std::{fs, path::Path};

fn workflows() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let texts: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert_eq!(texts.len(), 2);
    texts
}

/// A tag can be moved; a commit cannot.
#[test]
fn actions_are_pinned_to_commits() {
    for text in workflows() {
        for action in text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")) {
            let is_own = action.starts_with("./");
            let pinned = action.split_once('@').and_then(|(_, pin)| pin.split_once(" # v"));
            let is_pinned = pinned
                .is_some_and(|(digest, _)| digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(is_own || is_pinned, "{action}");
        }
    }
}

#[test]
fn workflows_may_only_read_unless_a_job_says_more() {
    for text in workflows() {
        assert!(text.contains("\npermissions:\n  contents: read\n\njobs:\n"));
    }
}

#[test]
fn workflows_compile_with_the_required_rust() {
    let image = concat!("image: docker.io/library/rust:", env!("CARGO_PKG_RUST_VERSION"), ".0-bookworm\n");
    for text in workflows() {
        assert!(text.contains(image), "{image}");
    }
}
