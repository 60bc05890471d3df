//! The built binary in the place of a rendered container: its flags, its files and its probes.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    NAME, list, ours,
    rendering::{APPS, Rendering, everything, find, read, render},
};

/// How long something that must happen may take to. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A container of ours, as the kubelet would set it up: its volumes in a folder, and its variables.
pub(crate) struct Container {
    folder: TempDir,
    args: Vec<String>,
    variables: BTreeMap<String, String>,
}

/// The binary in a container, running. Stopped when dropped.
struct Process {
    child: Child,
    metrics: SocketAddr,
    probes: SocketAddr,
}

// === impl Container ===

impl Container {
    /// That of `workload`, with what `documents` and our examples have for its volumes; with empty ones if `bare`.
    pub(crate) fn of(workload: &Value, documents: &[Value], bare: bool) -> Self {
        let container = ours(workload).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut variables = BTreeMap::from([("SHARD".to_owned(), "0".to_owned())]);
        for source in list(container, "/envFrom") {
            let name = source["configMapRef"]["name"].as_str().unwrap();
            // A component alone has no such map: it is the user's.
            let map = documents.iter().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == name);
            let pairs = map.map_or(&Value::Null, |map| &map["data"]).as_object().into_iter().flatten();
            variables.extend(pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())));
        }
        for variable in list(container, "/env") {
            if let Some(value) = variable["value"].as_str() {
                variables.insert(variable["name"].as_str().unwrap().to_owned(), inside(&folder, value));
            }
        }
        for mount in list(container, "/volumeMounts") {
            let path = folder.path().join(mount["mountPath"].as_str().unwrap().trim_start_matches('/'));
            fs::create_dir_all(&path).unwrap();
            let volumes = list(workload, "/spec/template/spec/volumes");
            // One of a claim template is not among the volumes, and is empty at first.
            let Some(volume) = volumes.iter().find(|volume| volume["name"] == mount["name"]) else { continue };
            let alone = std::slice::from_ref(volume);
            let sources = volume["projected"]["sources"].as_array().map_or(alone, Vec::as_slice);
            for source in sources.iter().filter(|_| !bare) {
                for (name, content) in files(source, documents) {
                    fs::write(path.join(name), inside(&folder, &content)).unwrap();
                }
            }
        }
        let args = list(container, "/args").iter().map(|arg| inside(&folder, arg.as_str().unwrap())).collect();
        Self { folder, args, variables }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
        command.env_clear().envs(&self.variables).current_dir(self.folder.path());
        command
    }

    fn args(&self) -> impl Iterator<Item = String> {
        self.args.iter().map(|arg| arg.replace("$(SHARD)", &self.variables["SHARD"]))
    }

    /// What `check-config` says of its files, and whether it is content.
    pub(crate) fn check(&self) -> (bool, String) {
        let of_files = |arg: &String| arg.contains(".file=") || arg.contains("shard");
        let output = self.command().arg("check-config").args(self.args().filter(of_files)).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// With its own flags but for the ports, which are any that are free, and with an API that is out of reach.
    fn start(&self) -> Process {
        let api = "http://127.0.0.1:1";
        let mut command = self.command();
        command.env("CAM_EXPORTER__ACCOUNTS__0__ENDPOINT", api).env("CAM_EXPORTER__ACCOUNTS__0__STS_ENDPOINT", api);
        if fs::read_to_string(self.config_file()).is_ok_and(|config| config.contains("organization:")) {
            command.env("CAM_EXPORTER__ACCOUNTS__0__ORGANIZATION__ENDPOINT", api);
        }
        let free = |arg: String| arg.replace("=:10047", "=127.0.0.1:0").replace("=:10048", "=127.0.0.1:0");
        Process::start(command.args(self.args().map(free)))
    }

    /// The configuration that its flags name.
    fn config_file(&self) -> String {
        self.args().find_map(|arg| arg.strip_prefix("--config.file=").map(str::to_owned)).unwrap()
    }
}

// === impl Process ===

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let mut address = |of: &str| loop {
            let Some(line) = lines.next().map(Result::unwrap) else { panic!("it ended before it listened: {log}") };
            if let Some((_, rest)) = line.split_once(of) {
                return rest.split(' ').next().unwrap().parse().unwrap();
            }
            log.push_str(&line);
        };
        let (metrics, probes) = (address("message=listening address="), address("probes\" address="));
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, metrics, probes }
    }

    /// The first line of the answer to a plain request, or nothing.
    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut answer = vec![];
        // A server that expects TLS may answer anything, or close the connection early.
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").ok();
        stream.read_to_end(&mut answer).ok();
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    fn until_ready(&self) {
        let started = Instant::now();
        while !Self::get(self.probes, "/-/ready").contains(" 200 ") {
            assert!(started.elapsed() < TIMEOUT, "it does not get ready");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Text of a container, with the paths that it has in `folder`.
fn inside(folder: &TempDir, text: &str) -> String {
    let root = folder.path().display();
    let text = text.replace("/etc/tencentcloud-cam-exporter/", &format!("{root}/etc/tencentcloud-cam-exporter/"));
    text.replace("/var/lib/tencentcloud-cam-exporter/", &format!("{root}/var/lib/tencentcloud-cam-exporter/"))
}

/// The files that a volume's source holds.
fn files(source: &Value, documents: &[Value]) -> Vec<(String, String)> {
    let of = |map: &Value| -> Vec<(String, String)> {
        let pairs = map.as_object().unwrap().iter();
        pairs.map(|(name, content)| (name.clone(), content.as_str().unwrap().to_owned())).collect()
    };
    if let Some(map) = source.get("configMap") {
        return of(&find(documents, "ConfigMap", map["name"].as_str().unwrap())["data"]);
    }
    if let Some(token) = source["serviceAccountToken"]["path"].as_str() {
        return vec![(token.to_owned(), "a.made-up.token".to_owned())];
    }
    let Some(secret) = source.get("secret") else { return vec![] };
    let name = secret.get("secretName").or(secret.get("name")).unwrap();
    let is_rendered = |one: &&Value| one["kind"] == "Secret" && one["metadata"]["name"] == *name;
    if let Some(secret) = documents.iter().find(is_rendered) {
        return of(&secret["stringData"]);
    }
    match name.as_str().unwrap() {
        NAME => of(&read("base/secret.example.yaml")[0]["stringData"]),
        "tencentcloud-cam-exporter-web" => of(&read("components/web-tls/secret.example.yaml")[0]["stringData"]),
        "tencentcloud-cam-exporter-tls" => {
            let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
            vec![("tls.crt".to_owned(), made.cert.pem()), ("tls.key".to_owned(), made.signing_key.serialize_pem())]
        }
        other => panic!("nobody knows the Secret {other}"),
    }
}

/// Every workload of ours that is whole: each example, and the base.
fn whole() -> Vec<(String, Container)> {
    let is_whole = |one: &Rendering| !one.name.contains("components");
    let all = everything().into_iter().filter(is_whole);
    all.map(|one| {
        let workload = one.documents.iter().find(|document| ours(document).is_some()).unwrap();
        let container = Container::of(workload, &one.documents, false);
        (one.name, container)
    })
    .collect()
}

#[test]
#[ignore = "needs kubectl"]
fn configurations_are_good() {
    let all = whole();
    assert!(all.len() >= 5);
    for (name, container) in all {
        let (good, result) = container.check();
        assert!(good && result.contains("good"), "{name}: {result}");
    }
}

#[test]
#[ignore = "needs kubectl"]
fn it_starts_with_the_flags_and_gets_ready_without_the_api() {
    let all = whole();
    let running: Vec<(&String, Process)> = all.iter().map(|(name, container)| (name, container.start())).collect();
    for (name, process) in running {
        process.until_ready();
        assert!(Process::get(process.probes, "/-/healthy").contains(" 200 "), "{name}");
        let plain = Process::get(process.metrics, "/metrics").contains(" 200 ");
        assert_eq!(plain, !name.contains("tls"), "{name}: metrics in the clear");
    }
}

#[test]
#[ignore = "needs kubectl"]
fn each_shard_takes_its_ordinal_and_there_is_no_fourth() {
    let documents = everything().into_iter().find(|one| one.name == "sharded-with-tls").unwrap().documents;
    let set = find(&documents, "StatefulSet", NAME);
    for (ordinal, fits) in [("0", true), ("1", true), ("2", true), ("3", false)] {
        let mut container = Container::of(set, &documents, false);
        container.variables.insert("SHARD".to_owned(), ordinal.to_owned());
        let (good, result) = container.check();
        assert_eq!(good, fits, "{ordinal}: {result}");
    }
}

#[test]
#[ignore = "needs kubectl"]
fn a_sidecar_runs_on_without_its_secret_and_its_configuration_and_with_a_wrong_one() {
    let config = "accounts: [{name: a, uins: [100013065917], credentials: {file: {secret_id_path: \
                  /etc/tencentcloud-cam-exporter/credentials/secret-id, secret_key_path: \
                  /etc/tencentcloud-cam-exporter/credentials/secret-key}}}]\n";
    for (form, label) in [("sidecar", "native"), ("sidecar-plain", "plain")] {
        let kustomization = format!("resources: [apps.yaml]\ncomponents: [ROOT/components/{form}]\n");
        let documents = render(&kustomization, &[("apps.yaml", &APPS.replace("SIDECAR", label))]);
        let bare = find(&documents, "Deployment", "bare");
        for config in [Some(config), None, Some("accounts: [{}]\n")] {
            let container = Container::of(bare, &documents, true);
            if let Some(config) = config {
                fs::write(container.config_file(), inside(&container.folder, config)).unwrap();
            }
            container.start().until_ready();
        }
    }
}
