//! Scrapes over one connection, reads whole answers, and does nothing with them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use tokio::time::Instant;

use crate::Encoding;

const HEAD_END: &[u8] = b"\r\n\r\n";
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

pub(crate) struct Client {
    address: SocketAddr,
    request: String,
    /// Nothing where the server ended it.
    connection: Option<TcpStream>,
    buffer: Vec<u8>,
}

pub(crate) struct Scrape {
    pub(crate) took: Duration,
    /// Those of the body, as they came over the wire.
    pub(crate) bytes: usize,
}

/// How an answer ends.
enum End {
    Length(usize),
    LastChunk,
    Connection,
}

// === impl Client ===

impl Client {
    pub(crate) fn new(address: SocketAddr, encoding: Encoding) -> Self {
        let accept = match encoding {
            Encoding::Identity => "",
            Encoding::Gzip => "Accept-Encoding: gzip\r\n",
        };
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n{accept}\r\n");
        Self { address, request, connection: None, buffer: vec![0; 1 << 20] }
    }

    /// A scrape, from the request, and the connection where there is none, to the last byte of the answer.
    pub(crate) fn scrape(&mut self) -> Scrape {
        let start = Instant::now();
        let kept = self.connection.is_some();
        // A server may have ended an idle connection.
        let bytes = match self.exchange() {
            None if kept => self.exchange(),
            bytes => bytes,
        };
        Scrape { took: start.elapsed(), bytes: bytes.unwrap_or_else(|| panic!("no answer from {}", self.address)) }
    }

    /// Nothing where the connection ended before the answer began.
    fn exchange(&mut self) -> Option<usize> {
        let mut connection = self.connection.take().unwrap_or_else(|| connect(self.address));
        connection.write_all(self.request.as_bytes()).ok()?;
        let mut filled = 0;
        let head = loop {
            filled += connection.read(&mut self.buffer[filled..]).ok().filter(|read| *read > 0)?;
            if let Some(end) = find(&self.buffer[..filled], HEAD_END) {
                break end + HEAD_END.len();
            }
        };
        let text = str::from_utf8(&self.buffer[..head]).unwrap().to_ascii_lowercase();
        assert_eq!(text.split(' ').nth(1), Some("200"), "{text}");
        let mut body = filled - head;
        let mut tail = self.buffer[head..filled].to_vec();
        let end = End::of(&text);
        loop {
            let done = match end {
                End::Length(length) => body >= length,
                End::LastChunk => tail.ends_with(LAST_CHUNK),
                End::Connection => false,
            };
            if done {
                break;
            }
            match connection.read(&mut self.buffer).unwrap() {
                0 if matches!(end, End::Connection) => break,
                0 => panic!("an answer of {} was cut short", self.address),
                read => {
                    body += read;
                    tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
                    tail.extend(&self.buffer[read.saturating_sub(LAST_CHUNK.len())..read]);
                }
            }
        }
        let goes_on = !matches!(end, End::Connection) && !text.contains("\r\nconnection: close");
        self.connection = goes_on.then_some(connection);
        Some(body)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_nodelay(true).unwrap();
    connection
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

// === impl End ===

impl End {
    fn of(head: &str) -> Self {
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        match (header("content-length:"), header("transfer-encoding:")) {
            (Some(length), _) => Self::Length(length.parse().unwrap()),
            (None, Some("chunked")) => Self::LastChunk,
            _ => Self::Connection,
        }
    }
}
