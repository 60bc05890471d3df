//! The servers that are measured.

use std::{
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    Encoding,
    check::Body,
    population::{self, Users},
    process::Process,
};

/// Polls a second of ours, whatever the number of users and accounts.
const POLLS: usize = 18;

/// Nothing is found of any key, as the peers have no findings to expose.
const KEYS: &str = "keys: {id_label: full, limit: 3, max_age: 3650d, rotation_grace: null}";

const TIMEOUT: Duration = Duration::from_secs(30);

/// What is answered to a scrape of `/metrics`.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    /// Before the first scrape, in KiB.
    pub(crate) rss_at_rest: u64,
    _folder: TempDir,
}

// === impl Server ===

impl Server {
    /// The exporter, which knows all of `users` already and polls them at its budget, of the API at `api`.
    pub(crate) fn exporter(users: &Users, api: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: String, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let state = folder.path().join("state");
        users.save(state.clone());
        let mut text = format!(
            "poll: {{interval: {}s, timeout: 1s, rate_limit: {POLLS}}}\n{KEYS}\nstate_file: {}\naccounts:\n",
            users.number().div_ceil(POLLS),
            state.display(),
        );
        for account in 0..users.accounts() {
            let uins: Vec<String> = users.uins(account).map(|uin| uin.to_string()).collect();
            let credential = population::credential(account);
            writeln!(
                text,
                "- {{name: {}, uins_file: {}, endpoint: 'http://{api}', credentials: {{file: {{secret_id_path: {}, \
                 secret_key_path: {}}}}}}}",
                population::name(account),
                write(format!("uins-{account}"), &uins.join("\n")),
                write(format!("id-{account}"), credential.secret_id.expose_secret()),
                write(format!("key-{account}"), credential.secret_key.expose_secret()),
            )
            .unwrap();
        }
        let config = write("config.yaml".to_owned(), &text);
        Self::start("this exporter", folder, |address| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
            command.arg(format!("--config.file={config}")).arg(format!("--web.listen-address={address}")).env_clear();
            command
        })
    }

    /// nginx, which has the exporter's bodies as files: one as it is, and the one that is compressed.
    pub(crate) fn nginx(program: &Path, bodies: &[(Encoding, Body)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Where root starts it, its workers are nobody.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (encoding, body) in bodies {
            let name = match encoding {
                Encoding::Identity => "metrics",
                Encoding::Gzip => "metrics.gz",
            };
            fs::write(folder.path().join(name), &body.wire).unwrap();
        }
        let path = folder.path().to_owned();
        Self::start("nginx, a file", folder, |address| {
            fs::write(path.join("nginx.conf"), nginx_conf(&path, address)).unwrap();
            let mut command = Command::new(program);
            command.arg("-p").arg(&path).arg("-c").arg(path.join("nginx.conf")).arg("-e").arg(path.join("error.log"));
            command
        })
    }

    /// The peer in Go.
    pub(crate) fn go(program: &Path, users: &Users) -> Self {
        let (folder, file) = users_file(users);
        Self::start("client_golang", folder, |address| {
            let mut command = Command::new(program);
            command.args(["-listen", &address.to_string(), "-users"]).arg(&file);
            command
        })
    }

    /// The peer in Rust.
    pub(crate) fn rust(program: &Path, users: &Users) -> Self {
        let (folder, file) = users_file(users);
        Self::start("prometheus crate", folder, |address| {
            let mut command = Command::new(program);
            command.arg(address.to_string()).arg(&file);
            command
        })
    }

    /// The peer in Python.
    pub(crate) fn python(interpreter: &Path, users: &Users) -> Self {
        let (folder, file) = users_file(users);
        Self::start("prometheus_client", folder, |address| {
            let mut command = Command::new(interpreter);
            let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/python/peer.py");
            command.arg(peer).arg(address.to_string()).arg(&file);
            command
        })
    }

    fn start(name: &'static str, folder: TempDir, command: impl FnOnce(SocketAddr) -> Command) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = command(address);
        let process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < TIMEOUT, "it does not listen on {address}: {command:?}");
            sleep(Duration::from_millis(10));
        }
        let rss_at_rest = process.rss();
        Self { name, address, process, rss_at_rest, _folder: folder }
    }
}

fn users_file(users: &Users) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.json");
    fs::write(&file, users.json().to_string()).unwrap();
    (folder, file)
}

/// A usual configuration for static files, but for the paths.
fn nginx_conf(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
        worker_processes auto;
        pid {folder}/nginx.pid;
        events {{}}
        http {{
            access_log off;
            sendfile on;
            tcp_nopush on;
            gzip_static on;
            default_type 'text/plain; version=0.0.4; charset=utf-8';
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            server {{ listen {address}; root {folder}; }}
        }}
        "
    )
}
