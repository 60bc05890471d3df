//! What `--web.config.file` does to connections and requests.

mod attacks;
mod changes;
mod client_certificates;
mod damaged;
mod passwords;
mod requests;
mod rotation;
mod tls;

use std::{thread, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::time::Instant;

use crate::{
    pki::Authority,
    tls_client::TlsClient,
    world::{Answer, Exporter, World},
};

/// How long something that must happen may take to. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A world with an authority, and a certificate of the exporter's in its folder.
struct Scene {
    world: World,
    authority: Authority,
}

// === impl Scene ===

impl Scene {
    fn new() -> Self {
        let (world, authority) = (World::with_one_user(), Authority::new());
        authority.issue(&["localhost"]).write(world.folder.path(), "server");
        world.write("ca.pem", &authority.certificate());
        Self { world, authority }
    }

    /// The exporter with that web configuration.
    fn start(&self, web: &str) -> Exporter {
        self.start_with(web, &[])
    }

    fn start_with(&self, web: &str, flags: &[&str]) -> Exporter {
        let web = format!("--web.config.file={}", self.world.write("web.yml", web).display());
        self.world.start_with(&self.world.config(), &[&[web.as_str()], flags].concat())
    }

    /// A client without a certificate.
    fn client(&self) -> TlsClient {
        TlsClient::new(&self.authority.certificate())
    }
}

/// A TLS section with the exporter's certificate, and `rest`.
fn tls(rest: &str) -> String {
    format!("tls_server_config: {{cert_file: server.pem, key_file: server.key, {rest}}}\n")
}

/// Users whose passwords cost as little as may be.
fn users(list: &[(&str, &str)]) -> String {
    let users = list.iter().map(|(name, password)| format!("'{name}': '{}'", bcrypt::hash(password, 4).unwrap()));
    format!("basic_auth_users: {{{}}}\n", users.collect::<Vec<_>>().join(", "))
}

fn credentials(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn get_as(exporter: &Exporter, user: &str, password: &str, path: &str) -> Answer {
    let headers = credentials(user, password);
    exporter.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n"))
}

/// Asks again and again until `holds`, which is `what` should come about.
fn until(what: &str, exporter: &Exporter, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < TIMEOUT, "never {what}; log:\n{}", exporter.log());
        thread::sleep(Duration::from_millis(20));
    }
}
