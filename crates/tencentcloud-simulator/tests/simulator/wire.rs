//! What goes over a socket.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tencentcloud_api::{Client, Connection, HttpTransport, ListAccessKeys, Program, Proxies, Transport, Uin};
use tencentcloud_simulator::{Fault, Rejection, Simulator, Times};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::account::{DATE, Stopped, USER, credential, list, post, simulator};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A simulator that listens.
struct Server {
    simulator: Arc<Simulator>,
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

/// An answer as it came: the lines above its body, in lower case, and the body or how it broke off.
struct Received {
    head: String,
    body: Vec<u8>,
    end: io::Result<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (simulator, shutdown) = (Arc::new(simulator()), CancellationToken::new());
        let serving = tokio::spawn(tencentcloud_simulator::serve(listener, simulator.clone(), shutdown.clone()));
        Self { simulator, address, shutdown, serving }
    }

    /// One whose every answer has this fault.
    async fn with(fault: Fault) -> Self {
        let server = Self::start().await;
        server.simulator.inject(None, fault, Times::UntilCleared);
        server
    }

    async fn connect(&self) -> BufStream<TcpStream> {
        BufStream::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends a request over a new connection.
    async fn ask(&self, request: &Request<Bytes>) -> io::Result<Received> {
        ask(&mut self.connect().await, request).await
    }
}

async fn ask(connection: &mut BufStream<TcpStream>, request: &Request<Bytes>) -> io::Result<Received> {
    let length = request.body().len().to_string();
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        head.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
    }
    head.extend(["content-length: ", &length, "\r\n\r\n"]);
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(request.body()).await?;
    connection.flush().await?;
    timeout(LONG, receive(connection)).await?
}

async fn receive(connection: &mut BufStream<TcpStream>) -> io::Result<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    head.make_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![];
    let end = match length {
        Some(length) => {
            let read = connection.take(length).read_to_end(&mut body).await;
            read.and_then(|read| if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) })
        }
        None => connection.read_to_end(&mut body).await.map(|_| ()),
    };
    Ok(Received { head, body, end })
}

#[tokio::test]
async fn a_request_takes_its_time_to_arrive_and_its_answer_to_leave() {
    let server = Server::start().await;
    server.simulator.set_latency(Duration::from_millis(30)..Duration::from_millis(40));
    let start = Instant::now();
    let client = HttpTransport::new(Program::default(), Proxies::default()).unwrap();
    let request = Request::post(format!("http://{}", server.address)).body(Bytes::new()).unwrap();
    client.send(request, Connection::Fresh).await.unwrap();
    let (arrived, answered) = (server.simulator.arrivals()[0].at, Instant::now());
    assert!(arrived - start >= Duration::from_millis(30));
    assert!(answered - arrived >= Duration::from_millis(30));
}

#[tokio::test]
async fn answers_carry_the_clocks_date_and_errors_are_200_too() {
    let server = Server::start().await;
    for (request, says) in [(list(USER), "AKIDuser"), (list(1), "InvalidParameter.UserNotExist")] {
        let received = server.ask(&request).await.unwrap();
        assert!(received.head.starts_with("http/1.1 200 "), "{}", received.head);
        assert!(received.head.contains("content-type: application/json\r\n"), "{}", received.head);
        assert!(received.head.contains(&format!("date: {}\r\n", DATE.to_lowercase())), "{}", received.head);
        assert!(String::from_utf8(received.body).unwrap().contains(says));
    }
}

#[tokio::test]
async fn our_client_is_understood() {
    let server = Server::start().await;
    let endpoint = format!("http://{}", server.address).parse().unwrap();
    let transport = Arc::new(HttpTransport::new(Program::default(), Proxies::default()).unwrap());
    let client = Client::new(endpoint, transport).with_timeout(LONG);
    let answer = client
        .call(
            &credential(),
            &ListAccessKeys::of(Uin::try_from(USER).unwrap()),
            Connection::Pooled,
            tencentcloud_api::Clock::now(&Stopped),
        )
        .await
        .unwrap();
    assert_eq!(answer.value[0].id.expose(), "AKIDuser");
}

#[tokio::test]
async fn any_answer_can_take_the_place_of_the_true_one() {
    let mut page = Response::new(Bytes::from_static(b"<html>"));
    *page.status_mut() = StatusCode::BAD_GATEWAY;
    page.headers_mut().insert("content-type", "text/html".parse().unwrap());
    let received = Server::with(Fault::Answer(page)).await.ask(&list(USER)).await.unwrap();
    assert!(received.head.starts_with("http/1.1 502 "), "{}", received.head);
    assert!(received.head.contains("content-type: text/html\r\n"), "{}", received.head);
    assert_eq!(received.body, b"<html>");

    let busy = Fault::Error(Rejection::new("ServiceUnavailable", "Busy."));
    let received = Server::with(busy).await.ask(&list(USER)).await.unwrap();
    assert!(received.head.starts_with("http/1.1 200 "), "{}", received.head);
    assert!(String::from_utf8(received.body).unwrap().contains(r#""Code":"ServiceUnavailable""#));
}

#[tokio::test]
async fn a_reset_is_one_and_a_close_is_none() {
    for (fault, kind) in [(Fault::Reset, io::ErrorKind::ConnectionReset), (Fault::Close, io::ErrorKind::UnexpectedEof)]
    {
        let server = Server::with(fault).await;
        assert_eq!(server.ask(&list(USER)).await.err().map(|error| error.kind()), Some(kind));
    }
}

#[tokio::test]
async fn a_kept_connection_is_closed_unanswered() {
    let server = Server::with(Fault::CloseIfReused).await;
    let mut connection = server.connect().await;
    assert!(ask(&mut connection, &list(USER)).await.is_ok());
    let error = ask(&mut connection, &list(USER)).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(server.ask(&list(USER)).await.is_ok());
}

#[tokio::test]
async fn a_hanging_request_is_never_answered() {
    let server = Server::with(Fault::Hang).await;
    assert!(timeout(Duration::from_millis(300), server.ask(&list(USER))).await.is_err());
    assert_eq!(server.simulator.arrivals().len(), 1);
}

#[tokio::test]
async fn a_truncated_answer_ends_after_half_of_its_length() {
    let server = Server::start().await;
    let whole = server.ask(&list(USER)).await.unwrap().body;
    server.simulator.inject(None, Fault::Truncate, Times::Next(1));
    let received = server.ask(&list(USER)).await.unwrap();
    assert!(received.head.contains(&format!("content-length: {}\r\n", whole.len())), "{}", received.head);
    assert_eq!(received.body.len(), whole.len() / 2);
    assert!(received.body.starts_with(br#"{"Response":{"AccessKeys":"#));
    assert_eq!(received.end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_flood_has_its_length_told_or_not() {
    const BYTES: u64 = 5_000_001;
    let server = Server::with(Fault::Flood { bytes: BYTES, chunked: false }).await;
    let received = server.ask(&list(USER)).await.unwrap();
    assert!(received.head.contains(&format!("content-length: {BYTES}\r\n")), "{}", received.head);
    assert!(received.end.is_ok());

    let server = Server::with(Fault::Flood { bytes: BYTES, chunked: true }).await;
    let mut request = list(USER);
    request.headers_mut().insert("connection", "close".parse().unwrap());
    let received = server.ask(&request).await.unwrap();
    assert!(received.head.contains("transfer-encoding: chunked\r\n"), "{}", received.head);
    assert!(received.body.len() as u64 > BYTES, "all of it, and what frames it");
    assert!(received.body.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let received = server.ask(&post(&" ".repeat((10 << 20) + 1))).await.unwrap();
    assert!(String::from_utf8(received.body).unwrap().contains("RequestSizeLimitExceeded"));
}

#[tokio::test]
async fn stops_when_told_whatever_is_open() {
    let server = Server::with(Fault::Hang).await;
    let mut connection = server.connect().await;
    let request = list(USER);
    let asking = ask(&mut connection, &request);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.shutdown.cancel();
        timeout(LONG, server.serving).await.unwrap().unwrap();
    };
    let (asked, ()) = tokio::join!(asking, stopping);
    assert!(asked.is_err());
    assert!(TcpStream::connect(server.address).await.is_err());
}
