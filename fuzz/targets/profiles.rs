//! Credentials files of the official tools, and responses of the metadata service.
//!
//! The first byte selects the kind, and for the metadata service the second the status. U+0001 stands for a secret.

#![no_main]

use std::{path::Path, sync::Arc, sync::LazyLock};

use bytes::Bytes;
use fuzz::{Answering, NOW, assert_no_secret, paused, with_secret};
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use secrecy::{ExposeSecret as _, SecretSlice};
use tencentcloud_api::{Credential, Transport};
use tencentcloud_cam_exporter::{
    credentials::{Content as _, CredentialProvider as _, CvmRole, Identity, Paths, Profile},
    environment::Environment,
};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(paused);

/// A credential must fit in the header of a request.
fn judge(credential: &Credential) {
    let parts = [Some(&credential.secret_id), Some(&credential.secret_key), credential.token.as_ref()];
    for part in parts.into_iter().flatten() {
        let text = part.expose_secret();
        assert!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()), "not a secret");
    }
    assert_eq!(format!("{credential:?}"), "Credential([redacted])");
}

fuzz_target!(|data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    match kind % 3 {
        0 => {
            let profile = Profile::new(Path::new("~/credentials"), "default".to_owned(), &Environment::default());
            match profile.parse(&[SecretSlice::from(with_secret(data))]) {
                Ok(Identity::Key(key) | Identity::Role(key, _)) => judge(&key.credential),
                Ok(Identity::CvmRole) => {}
                Err(error) => assert_no_secret(&error.to_string()),
            }
        }
        1 => {
            let paths = Paths { secret_id: "id".into(), secret_key: "key".into(), token: Some("token".into()) };
            let contents: Vec<SecretSlice<u8>> =
                data.splitn(3, |byte| *byte == 0).map(|content| with_secret(content).into()).collect();
            match paths.parse(&contents) {
                Ok(credential) => judge(&credential),
                Err(error) => assert_no_secret(&error.to_string()),
            }
        }
        _ => {
            let [flags, data @ ..] = data else { return };
            let status = if flags & 2 == 0 { StatusCode::OK } else { StatusCode::NOT_FOUND };
            let answering: Arc<dyn Transport> = Arc::new(Answering(status, None, Bytes::from(with_secret(data))));
            let role = (flags & 1 == 0).then(|| "exporter".parse().expect("a role"));
            match RUNTIME.block_on(CvmRole::new(role, &Environment::default(), &answering).issue(NOW)) {
                Ok(temporary) => judge(&temporary.credential),
                Err(error) => assert_no_secret(&error.to_string()),
            }
        }
    }
});
