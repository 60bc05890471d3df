//! The binary that is attacked, with what it is configured with.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Certificate, Client};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    api::{Answers, Api, FIRST_UIN, secrets},
    cgroup::Cgroup,
    process::{CpuTime, Process, status},
    state::State,
};

const PASSWORD: &str = "right";

/// Until a started exporter answers a probe, and until a stopped one has ended.
const START_TIMEOUT: Duration = Duration::from_mins(1);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Of the 64 KiB that a pipe holds, so many are full.
const PREFILL: usize = 65_000;

/// How an exporter is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// The `demo`, which has its own users and API.
    pub(crate) demo: bool,
    pub(crate) accounts: u64,
    /// In all accounts together.
    pub(crate) users: u64,
    /// Seconds between two polls of a user.
    pub(crate) interval: u64,
    pub(crate) tls: bool,
    pub(crate) auth: bool,
    pub(crate) answers: Answers,
    pub(crate) state: State,
    pub(crate) stderr: Stderr,
    /// The file descriptors that it may have.
    pub(crate) descriptors: Option<u32>,
}

/// Where the exporter logs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stderr {
    File,
    /// A pipe that nobody reads, and into which hardly anything more fits.
    Full,
}

pub(crate) struct Exporter {
    process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) probes: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) started_in: Duration,
    /// Of the certificate, where it has one.
    certificate: Option<String>,
    auth: bool,
    pub(crate) api: Option<Api>,
    // After the process, which is in it.
    _cgroup: Option<Cgroup>,
}

/// The line of a request that has the user's name, and this password.
pub(crate) fn credentials(password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("prometheus:{password}")))
}

// === impl Setup ===

impl Setup {
    pub(crate) const PLAIN: Self = Self {
        demo: false,
        accounts: 1,
        users: 1_000,
        interval: 120,
        tls: false,
        auth: false,
        answers: Answers::Well,
        state: State::Known,
        stderr: Stderr::File,
        descriptors: None,
    };

    /// Writes the files that the exporter reads.
    fn write(&self, folder: &Path, api: SocketAddr) {
        let write = |name: String, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let state = folder.join("state");
        self.state.write(&state, self.accounts, self.users);
        let mut config = format!(
            "poll: {{interval: {}s, timeout: 10s}}\nkeys: {{id_label: full}}\nstate_file: {}\naccounts:\n",
            self.interval,
            state.display()
        );
        for account in 0..self.accounts {
            let users = (0..self.users).filter(|user| user * self.accounts / self.users == account);
            let uins: Vec<String> = users.map(|user| (FIRST_UIN + user).to_string()).collect();
            let (id, key) = secrets(account);
            let file = format!(
                "file: {{secret_id_path: {}, secret_key_path: {}}}",
                write(format!("id-{account}"), &id),
                write(format!("key-{account}"), &key)
            );
            let credentials = if self.answers == Answers::LateCredentials {
                format!("assume_role: {{role_arn: 'qcs::cam::uin/100000000001:roleName/exporter', source: {{{file}}}}}")
            } else {
                file
            };
            let more = if self.answers == Answers::ManyUsers {
                "discover: true,".to_owned()
            } else if self.answers == Answers::EndlessMembers {
                format!("organization: {{role_name: exporter, endpoint: 'http://{api}'}},")
            } else {
                String::new()
            };
            writeln!(
                config,
                "- {{name: account-{account}, uins_file: {}, endpoint: 'http://{api}', sts_endpoint: 'http://{api}', {more} \
                 credentials: {{{credentials}}}}}",
                write(format!("uins-{account}"), &uins.join("\n")),
            )
            .unwrap();
        }
        write("config.yaml".to_owned(), &config);
    }

    /// Writes the web configuration, and gives the certificate.
    fn write_web(&self, folder: &Path) -> Option<String> {
        let mut config = String::new();
        let certificate = self.tls.then(|| {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
            fs::write(folder.join("server.pem"), made.cert.pem()).unwrap();
            fs::write(folder.join("server.key"), made.signing_key.serialize_pem()).unwrap();
            config.push_str("tls_server_config: {cert_file: server.pem, key_file: server.key}\n");
            made.cert.pem()
        });
        if self.auth {
            writeln!(config, "basic_auth_users: {{prometheus: {}}}", bcrypt::hash(PASSWORD, 10).unwrap()).unwrap();
        }
        fs::write(folder.join("web.yml"), config).unwrap();
        certificate
    }
}

// === impl Exporter ===

impl Exporter {
    /// # Errors
    /// It ends at once, or answers no probe.
    pub(crate) fn start(binary: &Path, setup: &Setup, cgroup: Option<Cgroup>) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let api = (!setup.demo).then(|| Api::start(setup.accounts, setup.users, setup.answers));
        let certificate = setup.write_web(folder.path());
        let [address, probes] = [free_address(), free_address()];
        let mut command = Command::new("sh");
        command.arg("-c").arg(prelude(setup, cgroup.as_ref())).arg("sh").arg(binary);
        match &api {
            None => command.arg("demo"),
            Some(api) => {
                setup.write(folder.path(), api.address);
                command.arg(format!("--config.file={}", folder.path().join("config.yaml").display()))
            }
        };
        command
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--probe.listen-address={probes}"))
            .arg(format!("--web.config.file={}", folder.path().join("web.yml").display()))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if setup.stderr == Stderr::Full {
            command.arg("--log.level=trace").stderr(Stdio::piped());
        } else {
            command.stderr(fs::File::create(folder.path().join("log")).unwrap());
        }
        let (process, started) = (Process::start(&mut command), Instant::now());
        let auth = setup.auth;
        let mut exporter = Self {
            process,
            address,
            probes,
            folder,
            started_in: Duration::ZERO,
            certificate,
            auth,
            api,
            _cgroup: cgroup,
        };
        while std::net::TcpStream::connect(probes).is_err() {
            if let Some(status) = exporter.ended() {
                return Err(format!("{} at its start: {}", describe(status), exporter.log()));
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(format!("does not listen for probes after {} s", START_TIMEOUT.as_secs()));
            }
            sleep(Duration::from_millis(10));
        }
        exporter.started_in = started.elapsed();
        Ok(exporter)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// In KiB.
    pub(crate) fn rss(&self) -> u64 {
        self.process.rss()
    }

    /// The processor time it has taken, unless it has ended.
    pub(crate) fn cpu(&mut self) -> Option<CpuTime> {
        self.ended().is_none().then(|| self.process.cpu())
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak(&self) -> Option<u64> {
        status(self.id(), "VmHWM:")
    }

    /// How many file descriptors are open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    pub(crate) fn log_lines(&self) -> usize {
        self.log().lines().count()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks it to stop, and gives how long it took, if it has.
    pub(crate) fn stop(&mut self) -> Option<Duration> {
        let asked = Instant::now();
        signal(self.id(), "TERM");
        while asked.elapsed() < STOP_TIMEOUT {
            if self.ended().is_some() {
                return Some(asked.elapsed());
            }
            sleep(Duration::from_millis(10));
        }
        None
    }

    /// The line of a request that has the right password, where one is needed.
    pub(crate) fn authorization(&self) -> String {
        if self.auth { credentials(PASSWORD) } else { String::new() }
    }

    /// A client as Prometheus is one, but that it makes a connection for each scrape: that must not be kept out either.
    pub(crate) fn client(&self) -> Client {
        let mut client = Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(10));
        if let Some(certificate) = &self.certificate {
            client = client.tls_certs_only([Certificate::from_pem(certificate.as_bytes()).unwrap()]);
        }
        client.build().unwrap()
    }

    pub(crate) fn metrics_url(&self) -> String {
        format!("http{}://{}/metrics", if self.certificate.is_some() { "s" } else { "" }, self.address)
    }

    /// TLS, as attackers speak it.
    pub(crate) fn tls(&self) -> Option<ClientConfig> {
        let certificate = self.certificate.as_ref()?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Some(config)
    }
}

pub(crate) fn signal(process: u32, name: &str) {
    let _ = Command::new("sh").args(["-c", &format!("kill -s {name} {process}")]).status();
}

/// How a process ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(9)) => "killed (out of memory)".to_owned(),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

/// What a shell does before it becomes the exporter.
fn prelude(setup: &Setup, cgroup: Option<&Cgroup>) -> String {
    let mut script = String::new();
    if let Some(door) = cgroup.map(Cgroup::door) {
        write!(script, "echo $$ >{}; ", door.display()).unwrap();
    }
    if setup.stderr == Stderr::Full {
        write!(script, "head -c {PREFILL} /dev/zero >&2; ").unwrap();
    }
    if let Some(number) = setup.descriptors {
        write!(script, "ulimit -n {number}; ").unwrap();
    }
    script + "exec \"$@\""
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The configuration of the exporter whose files are in `folder`.
pub(crate) fn config_file(folder: &Path) -> PathBuf {
    folder.join("config.yaml")
}
