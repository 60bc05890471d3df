//! In which format and encoding the metrics are answered.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::world::World;

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/exporter-toolkit/tests/data/negotiation.txt"));

/// The fields of a case that begin with `mark`.
fn fields<'a>(case: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    case.lines().filter_map(move |line| line.strip_prefix(mark))
}

#[test]
fn every_wish_is_answered_as_the_table_says() {
    let world = World::with_one_user();
    let exporter = world.start();
    exporter.until_answered(1);
    for case in CASES.split("\n\n").skip(1) {
        let mut stream = TcpStream::connect(exporter.address()).unwrap();
        let always = ["Host: test", "Connection: close"].into_iter();
        let asked: Vec<&str> = always.chain(fields(case, "> ")).collect();
        write!(stream, "GET /metrics HTTP/1.1\r\n{}\r\n\r\n", asked.join("\r\n")).unwrap();
        let mut answer = vec![];
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{case}\n{head}");
        let content = |line: &&str| {
            line.get(..13).is_some_and(|name| name.eq_ignore_ascii_case("content-type:"))
                || line.get(..17).is_some_and(|name| name.eq_ignore_ascii_case("content-encoding:"))
        };
        let answered: Vec<String> = head.lines().filter(content).map(str::to_ascii_lowercase).collect();
        let expected = fields(case, "< ").map(str::to_ascii_lowercase).collect();
        assert_eq!(sorted(answered), sorted(expected), "{case}");
        let compressed = answer[end + 4..].starts_with(&[0x1f, 0x8b]);
        assert_eq!(compressed, case.contains("Content-Encoding: gzip"), "{case}");
    }
}

fn sorted(mut fields: Vec<String>) -> Vec<String> {
    fields.sort();
    fields
}
