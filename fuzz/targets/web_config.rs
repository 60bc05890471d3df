//! The web configuration. U+0001 stands for a secret. `cert`, `key` and `ca` are files of a certificate.

#![no_main]

use std::{fs, sync::LazyLock};

use exporter_toolkit::Guard;
use fuzz::{NOW, assert_no_secret, file, folder, with_secret};
use libfuzzer_sys::fuzz_target;

static CERTIFICATE: LazyLock<()> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    for (name, content) in
        [("cert", made.cert.pem()), ("ca", made.cert.pem()), ("key", made.signing_key.serialize_pem())]
    {
        fs::write(folder().join(name), content).expect("a file is written");
    }
});

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&CERTIFICATE);
    match Guard::load(&file("web.yml", &with_secret(data)), || NOW) {
        Ok(guard) => {
            let _ = guard.warnings();
            assert!(guard.summary().starts_with(guard.scheme()));
        }
        Err(faults) => {
            let text = faults.to_string();
            assert!(!text.is_empty(), "refused without a reason");
            // The path of a file that cannot be read is no secret.
            text.lines().filter(|line| !line.contains(": cannot read ")).for_each(assert_no_secret);
        }
    }
});
