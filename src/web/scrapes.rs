//! Bounds the scrapes that may be under way at once: what `--web.max-requests` says.
//!
//! A scrape counts as long as there is work to do for it. One whose reader keeps it waiting does not: bodies are shared, so
//! it costs no more than its connection, of which there is a bound, and readers that take nothing keep nobody out.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::{
    Body, Routes,
    answer::{Answer, Watched},
    routes,
    site::Site,
};

/// The routes, with a bound on the scrapes under way.
#[derive(Debug)]
pub struct Scrapes {
    routes: Arc<Routes>,
    limit: usize,
    under_way: Mutex<Vec<Watched>>,
}

// === impl Scrapes ===

impl Scrapes {
    /// `routes`, with `limit` scrapes under way at the most; 0 is no limit.
    #[must_use]
    pub fn new(routes: Arc<Routes>, limit: usize) -> Self {
        Self { routes, limit, under_way: Mutex::default() }
    }

    /// Whether `answer` may be a scrape.
    fn admit(&self, answer: &Answer) -> bool {
        self.limit == 0 || admit(&mut self.under_way.lock(), self.limit, answer)
    }
}

impl Site for Scrapes {
    async fn respond(&self, request: &Request<Incoming>, answer: &Answer) -> Response<Body> {
        if self.routes.is_scrape(request) && !self.admit(answer) {
            let text = format!("{} scrapes are under way, and no more may be: try again later\n", self.limit);
            return routes::response(StatusCode::SERVICE_UNAVAILABLE, routes::TEXT, bytes::Bytes::from(text).into());
        }
        self.routes.answer(request).await
    }
}

fn admit(under_way: &mut Vec<Watched>, limit: usize, answer: &Answer) -> bool {
    under_way.retain(Watched::is_under_way);
    let admitted = under_way.iter().filter(|scrape| !scrape.waits()).count() < limit;
    if admitted {
        under_way.push(answer.watch());
    }
    admitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::connections::Connections;

    #[tokio::test(start_paused = true)]
    async fn a_scrape_counts_until_it_is_flushed_or_its_connection_has_gone() {
        let connections = Connections::new(3);
        let mut under_way = vec![];
        let (first, second) = (connections.admit().await, connections.admit().await);
        let [one, two] = [&first, &second].map(|place| place.connection().answer());
        assert!(admit(&mut under_way, 1, &one));
        assert!(!admit(&mut under_way, 1, &two));
        drop(one);
        assert!(!admit(&mut under_way, 1, &two), "its last bytes have not left");
        first.connection().flushed();
        assert!(admit(&mut under_way, 1, &two));
        drop(two);
        drop(second);
        assert!(admit(&mut under_way, 1, &first.connection().answer()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_that_waits_for_its_reader_keeps_nobody_out() {
        let connections = Connections::new(3);
        let mut under_way = vec![];
        let places = [connections.admit().await, connections.admit().await, connections.admit().await];
        let answers = places.each_ref().map(|place| place.connection().answer());
        assert!(admit(&mut under_way, 1, &answers[0]));
        places[0].connection().blocked();
        assert!(admit(&mut under_way, 1, &answers[1]));
        places[0].connection().took(1);
        assert!(!admit(&mut under_way, 1, &answers[2]), "it is being written again");
    }
}
