//! What we sign, byte for byte as the official SDK and Tencent's documents do.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

#[path = "support/vectors.rs"]
mod vectors;

use jiff::Timestamp;
use tencentcloud_api::sign::{self, Covered, Payload};

use vectors::Vector;

vectors::for_each_vector!(signs_the_same);

fn signs_the_same(vector: &Vector) {
    let sent = |name: &str| {
        let header = vector.headers().find(|(sent, _)| sent.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value)
    };
    let headers: Vec<(&str, &str)> =
        vector.text("signed_headers").split(';').map(|name| (name, sent(name).unwrap())).collect();
    let covered = Covered {
        method: vector.text("method"),
        query: vector.text("query"),
        headers: &headers,
        payload: match sent("x-tc-content-sha256") {
            Some(_) => Payload::Unsigned,
            None => Payload::Signed(vector.text("payload").as_bytes()),
        },
    };
    let time = Timestamp::from_second(vector.timestamp()).unwrap();
    let authorization = sign::authorization(&covered, &vector.credential(), vector.text("service"), time);
    assert_eq!(authorization, vector.text("authorization"));
}
