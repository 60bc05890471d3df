//! The configuration file, and environment variables over it.
//!
//! The input is the file, and after a line `%%` a variable a line. U+0001 stands for a secret.

#![no_main]

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::Path};

use fuzz::{NOW, PLACEHOLDER, SECRET, assert_no_secret, with_secret};
use libfuzzer_sys::fuzz_target;
use tencentcloud_cam_exporter::{config::Config, environment::Environment};

const SEPARATOR: &[u8] = b"\n%%\n";

fuzz_target!(|data: &[u8]| {
    let end = data.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (text, variables) = match end {
        Some(end) => (&data[..end], &data[end + SEPARATOR.len()..]),
        None => (data, &[][..]),
    };
    let os = |bytes: Vec<u8>| OsString::from_vec(bytes);
    let variables = variables.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut parts = line.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next()?, parts.next()?);
        // The name of a variable is no secret.
        let name = name.iter().copied().filter(|byte| *byte != PLACEHOLDER).collect();
        Some((os(name), os(with_secret(value))))
    });
    let credential = ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"].map(|name| (name.into(), SECRET.into()));
    let environment = Environment::from_os(variables.chain(credential));

    match Config::decode(with_secret(text), Path::new("/etc/exporter"), &environment) {
        Ok(config) => {
            let _ = config.warnings(NOW);
            let names: std::collections::HashSet<_> = config.accounts.iter().map(|account| &account.name).collect();
            assert_eq!(names.len(), config.accounts.len(), "two accounts of one name");
        }
        Err(faults) => {
            let text = faults.to_string();
            assert!(!text.is_empty(), "refused without a reason");
            assert_no_secret(&text);
        }
    }
});
