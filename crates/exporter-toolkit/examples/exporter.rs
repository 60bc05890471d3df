//! An exporter of the machine's load. TLS, users, negotiation and health are the toolkit's:
//!
//!     cargo run --example exporter -- localhost:9999 web.yml

use std::{
    env::args,
    error::Error,
    fs,
    io::{Write, stdout},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use exporter_toolkit::{
    Exporter, Format, Guard, ListenAddress, MAX_CONNECTIONS, Names, Pieces, Routes, Scrapes, serve,
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

struct Load;

impl Exporter for Load {
    const FORMATS: &'static [Format] = &[Format::Text, Format::OpenMetrics];

    fn exposition(&self, format: Format, _: &Names) -> Result<Box<dyn Pieces>, Box<dyn Error + Send + Sync>> {
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or("NaN");
        let mut text = format!("# HELP load1 Load average of a minute.\n# TYPE load1 gauge\nload1 {load}\n");
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        Ok(Box::new(Bytes::from(text)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of this exporter is the machine's")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (address, file) = (args().nth(1).unwrap_or(":9999".to_owned()), args().nth(2));
    let listener = address.parse::<ListenAddress>()?.bind().await?;
    writeln!(stdout(), "listening on {}", listener.local_addr()?)?;
    let guard = match file {
        Some(file) => Guard::load(Path::new(&file), Timestamp::now)?,
        None => Guard::open(),
    };
    let routes = Arc::new(Routes::new(Load, "/metrics".parse()?, None));
    let scrapes = Arc::new(Scrapes::new(routes, 40, Arc::new(())));
    // Ends with the process. An exporter that has something to finish cancels this.
    serve(listener, Arc::new(guard), Arc::new(()), scrapes, MAX_CONNECTIONS, CancellationToken::new()).await;
    Ok(())
}
