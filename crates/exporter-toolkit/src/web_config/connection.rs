//! The stream of a connection that is ready for requests.

use tokio::io::BufReader;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::tls_acceptor::HTTP2;

/// Over TLS, after the handshake, or plain.
pub(crate) type SecuredStream<T> = Either<Box<TlsStream<BufReader<T>>>, T>;

/// Whether the handshake has agreed on HTTP/2.
pub(crate) fn is_http2<T>(stream: &SecuredStream<T>) -> bool {
    match stream {
        Either::Left(tls) => tls.get_ref().1.alpn_protocol() == Some(HTTP2),
        Either::Right(_) => false,
    }
}
