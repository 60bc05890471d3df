//! What Prometheus's own tools, and others' readers of its formats, find in the exposition.

mod families;
mod protobuf;
pub(crate) mod server;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Output, Stdio},
    time::Duration,
};

use flate2::read::{GzDecoder, MultiGzDecoder};
use tencentcloud_simulator::{Behaviour, User};
use tokio::time::Instant;

use crate::{
    exposition::user_with_one_key,
    world::{Exporter, UIN, World, key},
};
use families::Families;
use server::{Prometheus, Proxy};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";
const PROTOBUF: &str = concat!(
    "application/vnd.google.protobuf; proto=io.prometheus.client.metricfamily; ",
    "encoding=delimited; escaping=underscores"
);

/// How long two scrapes may go on to differ. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Prints the samples of the file that is named first, read as the second argument says, in JSON, one a line.
const PYTHON: &str = r#"
import json, sys
from prometheus_client import openmetrics, parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
read = {"text": parser.text_string_to_metric_families, "openmetrics": read_openmetrics}[sys.argv[2]]
for family in read(open(sys.argv[1], encoding="utf-8", newline="").read()):
    for sample in family.samples:
        labels = {name: float(value) if name == "le" else value for name, value in sample.labels.items()}
        # One of them reads -0 as an integer, which has no sign.
        print(json.dumps([sample.name, labels, float(sample.value) + 0.0], sort_keys=True))
"#;

/// An answer whose body may be anything.
struct RawAnswer {
    head: String,
    body: Vec<u8>,
}

// === impl RawAnswer ===

impl RawAnswer {
    /// The value of a header, in small letters.
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A scrape with these headers, each ended as on the wire, which must succeed.
fn ask(exporter: &Exporter, headers: &str) -> RawAnswer {
    let mut stream = TcpStream::connect(exporter.address()).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    RawAnswer { head, body }
}

/// Two accounts with users of every kind. Each has been polled, and is not polled again during the test.
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

/// Scrapes with `headers` and as text until both tell the same, line by line, as two that share a second do, but for
/// what the process itself takes. `check` sees the head of each answer.
fn tells_what_the_text_tells(
    exporter: &Exporter,
    headers: &str,
    check: impl Fn(&RawAnswer),
    result: impl Fn(&RawAnswer) -> Vec<String>,
    expected: impl Fn(&str) -> Vec<String>,
) {
    let started = Instant::now();
    loop {
        let (text, answer) = (exporter.scrape(), ask(exporter, headers));
        check(&answer);
        let (result, expected) = (result(&answer), expected(&text));
        if result == expected {
            return;
        }
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|line| !those.contains(line)).cloned().collect()
        };
        let (more, less) = (only(&result, &expected), only(&expected, &result));
        assert!(started.elapsed() < TIMEOUT, "it has {more:#?}, and the text {less:#?}, and in another order maybe");
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
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
    let check = |answer: &RawAnswer| {
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{}", answer.head);
        assert_eq!(answer.header("content-type"), Some(TEXT), "{}", answer.head);
        said_nothing(&pipe(Command::new("gzip").arg("-t"), &answer.body));
    };
    let result = |answer: &RawAnswer| {
        let (mut one, mut all) = (String::new(), String::new());
        GzDecoder::new(&answer.body[..]).read_to_string(&mut one).unwrap();
        MultiGzDecoder::new(&answer.body[..]).read_to_string(&mut all).unwrap();
        assert_eq!(one, all, "some readers stop at the end of the first member, and some go on");
        lines(&all)
    };
    tells_what_the_text_tells(&exporter, "Accept-Encoding: gzip\r\n", check, result, lines);
}

#[test]
fn protobuf_holds_the_families_of_the_text() {
    let (_world, exporter) = world();
    let accept =
        "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n";
    let check = |answer: &RawAnswer| assert_eq!(answer.header("content-type"), Some(PROTOBUF), "{}", answer.head);
    tells_what_the_text_tells(
        &exporter,
        accept,
        check,
        |answer| protobuf::decode(&answer.body).lines(),
        |text| Families::parse(text).lines(),
    );
}

#[test]
#[ignore = "needs python3-prometheus-client"]
fn the_openmetrics_parser_finds_the_samples_of_the_text() {
    let (world, exporter) = world();
    let samples = |body: &str, format: &str| {
        let file = world.write(format, body);
        // Not another Python of the PATH: Debian's has the package.
        let output = Command::new("/usr/bin/python3").args(["-c", PYTHON]).arg(&file).arg(format).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut samples = lines(str::from_utf8(&output.stdout).unwrap());
        samples.sort_unstable();
        assert!(samples.len() > 100, "{samples:?}");
        samples
    };
    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let check = |answer: &RawAnswer| assert_eq!(answer.header("content-type"), Some(OPENMETRICS), "{}", answer.head);
    let result = |answer: &RawAnswer| samples(str::from_utf8(&answer.body).unwrap(), "openmetrics");
    tells_what_the_text_tells(&exporter, accept, check, result, |text| samples(text, "text"));
}

/// An `Accept` that asks for text and nothing else.
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
