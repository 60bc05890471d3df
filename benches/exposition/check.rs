//! Checks what is measured: that every server exposes the same users, and that ours is a good exposition.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Stdio},
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header;

use crate::{Encoding, population::Users};

/// A body as it came over the wire, and the text in it.
pub(crate) struct Body {
    pub(crate) wire: Bytes,
    pub(crate) text: String,
}

/// Scrapes once, and checks the encoding.
pub(crate) async fn fetch(address: SocketAddr, encoding: Encoding) -> Body {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("http://{address}/metrics"));
    if encoding == Encoding::Gzip {
        request = request.header(header::ACCEPT_ENCODING, "gzip");
    }
    let answer = request.send().await.unwrap().error_for_status().unwrap();
    let encoded = answer.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
    let wire = answer.bytes().await.unwrap();
    let mut text = String::new();
    match encoding {
        Encoding::Identity => text.push_str(str::from_utf8(&wire).unwrap()),
        Encoding::Gzip => {
            assert_eq!(encoded.as_deref(), Some("gzip"), "{address} was asked for gzip");
            MultiGzDecoder::new(&wire[..]).read_to_string(&mut text).unwrap();
        }
    }
    Body { wire, text }
}

/// Checks that `body` has the series of `users`, each once, and no other series of users.
pub(crate) fn exposes(server: &str, body: &Body, users: &Users) {
    let (expected, mut found) = (users.series(), BTreeSet::new());
    for line in body.text.lines().filter(|line| !line.starts_with('#')) {
        let series = sorted(line.rsplit_once(' ').unwrap().0);
        assert!(found.insert(series.clone()), "{server} exposes this twice: {series}");
    }
    found.retain(|series| series.contains("uin="));
    let wrong: Vec<_> = expected.symmetric_difference(&found).take(3).collect();
    assert!(wrong.is_empty(), "{server} has {} series, not {}, such as {wrong:?}", found.len(), expected.len());
}

/// Checks that promtool finds nothing to say.
pub(crate) fn lint(body: &Body) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(body.text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "promtool: {}", String::from_utf8_lossy(&said));
}

/// A series with its labels in the order of the alphabet. None of them has a quote or a comma in its value.
fn sorted(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else {
        return series.to_owned();
    };
    let mut labels: Vec<&str> = labels.trim_end_matches('}').trim_end_matches(',').split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}
