//! What Prometheus's own tools, and others' readers of its formats, find in the exposition.

mod families;
mod protobuf;
mod server;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    process::{Command, Output, Stdio},
    time::Duration,
};

use flate2::read::{GzDecoder, MultiGzDecoder};
use tencentcloud_cam_exporter::simulator::{Behaviour, User};
use tokio::time::Instant;

use crate::{
    exposition::user_with_one_key,
    world::{Exporter, RawAnswer, UIN, World, key},
};
use families::Families;
use server::{Prometheus, Proxy};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.metricfamily; encoding=delimited";

/// How long two scrapes may go on to differ.
const PATIENCE: Duration = Duration::from_secs(30);

/// A parser's samples, each as JSON on a line of its own, of the file that is named first, read as the second says.
const PYTHON: &str = r#"
import json, sys
from prometheus_client import openmetrics, parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
read = {"text": parser.text_string_to_metric_families, "openmetrics": read_openmetrics}[sys.argv[2]]
for family in read(open(sys.argv[1], encoding="utf-8", newline="").read()):
    for sample in family.samples:
        labels = {name: float(value) if name == "le" else value for name, value in sample.labels.items()}
        print(json.dumps([sample.name, labels, sample.value], sort_keys=True))
"#;

/// Two accounts with users of every kind, each of whom has been asked and is not asked again within the test.
fn world() -> (World, Exporter) {
    let world = World::new([
        (UIN, user_with_one_key()),
        (
            UIN + 1,
            User::with_keys([
                key("AKIDsame", "Active", "2023-01-02T03:04:05Z"),
                key("AKIDodd", "Frozen", "2025-01-02T03:04:05Z"),
            ]),
        ),
        (UIN + 2, User::default()),
        (UIN + 3, User { behaviour: Behaviour::DoesNotExist, ..User::default() }),
        (UIN + 4, User { behaviour: Behaviour::Denied, ..User::default() }),
    ]);
    let account = |name: &str, uins: &[u64]| {
        format!(
            "- {{name: {name}, uins: {uins:?}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}\n",
            world.endpoint
        )
    };
    let config = format!(
        "accounts:\n{}{}poll: {{interval: 1d, rate_limit: 10}}\n",
        account("prod", &[UIN, UIN + 1, UIN + 3]),
        account("dev", &[UIN, UIN + 2, UIN + 4]),
    );
    let exporter = world.start_with(&config, &[]);
    exporter.until("all users asked", |metrics| metrics.count("tencentcloud_cam_user_up") == 6);
    (world, exporter)
}

/// A scrape with `headers`, and the text that tells the same: the one before and after it, which are alike.
fn beside_the_text(exporter: &Exporter, headers: &str) -> (String, RawAnswer) {
    let started = Instant::now();
    loop {
        let (before, answer, after) = (exporter.scrape(), exporter.ask(headers), exporter.scrape());
        if before == after {
            return (before, answer);
        }
        assert!(started.elapsed() < PATIENCE, "no two scrapes are alike:\n{before}\n{after}");
    }
}

/// Runs `command` with `input`.
fn pipe(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn said_nothing(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_to_say_of_several_accounts() {
    let (_world, exporter) = world();
    said_nothing(&pipe(Command::new("promtool").args(["check", "metrics"]), exporter.scrape().as_bytes()));
}

#[test]
#[ignore = "needs gzip"]
fn gzip_holds_the_text() {
    let (_world, exporter) = world();
    let (text, answer) = beside_the_text(&exporter, "Accept-Encoding: gzip\r\n");
    assert_eq!(answer.header("content-encoding"), Some("gzip"), "{}", answer.head);
    assert_eq!(answer.header("content-type"), Some(TEXT), "{}", answer.head);
    let (mut one, mut all) = (String::new(), String::new());
    GzDecoder::new(&answer.body[..]).read_to_string(&mut one).unwrap();
    MultiGzDecoder::new(&answer.body[..]).read_to_string(&mut all).unwrap();
    assert_eq!(one, text, "what is read by a reader that stops at the end of the first member");
    assert_eq!(all, text, "what is read by one that goes on");
    said_nothing(&pipe(Command::new("gzip").arg("-t"), &answer.body));
}

#[test]
fn protobuf_holds_the_families_of_the_text() {
    let (_world, exporter) = world();
    let accept =
        "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n";
    let (text, answer) = beside_the_text(&exporter, accept);
    assert_eq!(answer.header("content-type"), Some(PROTOBUF), "{}", answer.head);
    let (found, expected) = (protobuf::decode(&answer.body), Families::parse(&text));
    assert_eq!(found.names(), expected.names());
    for (found, expected) in found.0.iter().zip(&expected.0) {
        assert_eq!(found, expected);
    }
}

#[test]
#[ignore = "needs python3-prometheus-client"]
fn the_openmetrics_parser_finds_the_samples_of_the_text() {
    let (world, exporter) = world();
    let (text, answer) = beside_the_text(&exporter, "Accept: application/openmetrics-text; version=1.0.0\r\n");
    assert_eq!(answer.header("content-type"), Some(OPENMETRICS), "{}", answer.head);
    let samples = |body: &str, format: &str| -> BTreeSet<String> {
        let file = world.write(format, body);
        // Not another Python of the PATH: Debian's has the package.
        let output = Command::new("/usr/bin/python3").args(["-c", PYTHON]).arg(&file).arg(format).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    let found = samples(str::from_utf8(&answer.body).unwrap(), "openmetrics");
    assert_eq!(found, samples(&text, "text"));
    assert_eq!(found.len(), Families::parse(&text).series().len());
}

/// The fields of an `Accept` that asks for text and nothing else.
const TEXT_ONLY: &str = "text/plain;version=0.0.4";

#[test]
#[ignore = "needs prometheus"]
fn prometheus_stores_the_same_series_whichever_format_it_reads() {
    let (world, exporter) = world();
    let folder = |name: &str| {
        let folder = world.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    };
    let [text, openmetrics, protobuf] =
        [Some(TEXT_ONLY), None, None].map(|accept| Proxy::start(exporter.address(), accept));
    let usual = Prometheus::start(&folder("usual"), &[], &[("text", &text), ("openmetrics", &openmetrics)]);
    let native =
        Prometheus::start(&folder("native"), &["--enable-feature=native-histograms"], &[("protobuf", &protobuf)]);
    let expected = Families::parse(&exporter.scrape()).series();
    for (prometheus, job, proxy, content_type) in [
        (&usual, "text", &text, TEXT),
        (&usual, "openmetrics", &openmetrics, OPENMETRICS),
        (&native, "protobuf", &protobuf, PROTOBUF),
    ] {
        prometheus.until_up(job);
        let answered = proxy.content_types();
        assert_eq!(answered, BTreeSet::from([content_type.to_owned()]), "what {job} was answered");
        assert_eq!(prometheus.value("scrape_samples_scraped", job), Some(expected.len().to_string()), "{job}");
        let stored = prometheus.series(job);
        let differ: Vec<_> = stored.symmetric_difference(&expected).collect();
        assert!(differ.is_empty(), "{job}: {differ:#?}");
    }
}
