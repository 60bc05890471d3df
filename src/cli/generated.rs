//! The man pages and shell completions in deploy/packages are those of the command line. `UPDATE_PACKAGES=1` writes them.

use std::{collections::BTreeMap, env, fs, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;

use super::Arguments;

/// Each file of a folder by its name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())).collect()
}

/// Fails if the folder in deploy/packages has other files, unless they are to be written.
fn holds(name: &str, generate: impl Fn(&Path)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/packages").join(name);
    let expected = tempfile::tempdir().unwrap();
    generate(expected.path());
    if env::var_os("UPDATE_PACKAGES").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        generate(&folder);
    }
    assert!(files(&folder) == files(expected.path()), "{}: run it with UPDATE_PACKAGES=1", folder.display());
}

#[test]
fn man_pages_are_those_of_the_command_line() {
    // The version alone: revision and platform are those of a build.
    let command = || Arguments::command().long_version(env!("CARGO_PKG_VERSION"));
    holds("man", |folder| clap_mangen::generate_to(command(), folder).unwrap());
}

#[test]
fn completions_are_those_of_the_command_line() {
    holds("completions", |folder| {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            clap_complete::generate_to(shell, &mut Arguments::command(), env!("CARGO_PKG_NAME"), folder).unwrap();
        }
    });
}
