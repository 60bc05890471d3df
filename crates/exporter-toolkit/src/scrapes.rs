//! Limits the scrapes under way at once: `--web.max-requests`.
//!
//! A scrape counts until its last byte has been written. When the limit is reached, new scrapes queue. The first of them takes
//! the place of the scrape whose reader is slowest, as soon as one keeps us waiting for longer than the grace, and gets 503 if
//! that takes too long.

use std::{sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{sleep, timeout},
};

use super::{
    Body, Exporter, Routes,
    connections::EVICTION_RETRY,
    handler::Handler,
    respond::plain,
    response::{ResponseGuard, ResponseHandle},
};
use crate::observer::{HttpRefused, Observer};

/// How long a scrape may queue: less than the ten seconds after which Prometheus gives up by default.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// The routes, with a limit on the scrapes under way.
#[derive(Debug)]
pub struct Scrapes<E> {
    routes: Arc<Routes<E>>,
    limit: usize,
    under_way: Mutex<Vec<ResponseHandle>>,
    /// Held by the first in the queue.
    queue: AsyncMutex<()>,
    observer: Arc<dyn Observer>,
}

// === impl Scrapes ===

impl<E: Exporter> Scrapes<E> {
    /// `routes`, with at most `limit` scrapes under way; 0 is no limit. Scrapes that are refused or end early are counted in
    /// `observer`.
    #[must_use]
    pub fn new(routes: Arc<Routes<E>>, limit: usize, observer: Arc<dyn Observer>) -> Self {
        Self { routes, limit, under_way: Mutex::default(), queue: AsyncMutex::default(), observer }
    }

    /// Whether `scrape` may be one more under way.
    async fn admit(&self, scrape: &ResponseGuard) -> bool {
        if self.limit == 0 {
            return true;
        }
        let admitted = timeout(QUEUE_TIMEOUT, self.queue_for_a_place(scrape)).await.is_ok();
        if !admitted {
            self.observer.http_refused(HttpRefused::Limit);
        }
        admitted
    }

    async fn queue_for_a_place(&self, scrape: &ResponseGuard) {
        let _first = self.queue.lock().await;
        loop {
            let (admitted, evicted) = admit(&mut self.under_way.lock(), self.limit, scrape);
            if evicted {
                self.observer.http_refused(HttpRefused::Limit);
            }
            if admitted {
                return;
            }
            sleep(EVICTION_RETRY).await;
        }
    }
}

impl<E: Exporter> Handler for Scrapes<E> {
    async fn respond(&self, request: &Request<Incoming>, under_way: &ResponseGuard) -> Response<Body> {
        if self.routes.is_scrape(request) && !self.admit(under_way).await {
            let text = format!("limit of {} concurrent scrapes reached: try again later\n", self.limit);
            return plain(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        self.routes.answer(request).await
    }
}

/// Whether there is a place for `scrape`, and whether another made room.
fn admit(under_way: &mut Vec<ResponseHandle>, limit: usize, scrape: &ResponseGuard) -> (bool, bool) {
    under_way.retain(ResponseHandle::is_under_way);
    let mut evicted = false;
    if under_way.len() >= limit {
        let others = under_way.iter().enumerate().filter(|(_, other)| !other.shares_connection(scrape));
        let waiting = others.filter_map(|(index, other)| Some((other.eviction_priority()?, index)));
        let Some((_, slowest)) = waiting.max() else { return (false, false) };
        under_way.swap_remove(slowest).close();
        evicted = true;
    }
    under_way.push(scrape.handle());
    (true, evicted)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::connections::{Connections, Place};

    async fn places<const N: usize>() -> [Place; N] {
        let connections = Connections::new(N, Arc::new(()));
        let mut places = vec![];
        for _ in 0..N {
            places.push(connections.admit().await);
        }
        places.try_into().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_counts_until_it_is_flushed_or_its_connection_has_gone() {
        let mut under_way = vec![];
        let [first, second] = places().await;
        let [one, two] = [&first, &second].map(|place| place.connection().on_request());
        assert_eq!(admit(&mut under_way, 1, &one), (true, false));
        assert_eq!(admit(&mut under_way, 1, &two), (false, false));
        drop(one);
        assert_eq!(admit(&mut under_way, 1, &two), (false, false), "its last bytes have not left");
        first.connection().on_flush();
        assert_eq!(admit(&mut under_way, 1, &two), (true, false));
        drop(second);
        drop(two);
        assert_eq!(admit(&mut under_way, 1, &first.connection().on_request()), (true, false));
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_reader_makes_room_and_one_that_reads_again_does_not() {
        let mut under_way = vec![];
        let places: [Place; 5] = places().await;
        let guards = places.each_ref().map(|place| place.connection().on_request());
        for guard in &guards[..3] {
            assert_eq!(admit(&mut under_way, 3, guard), (true, false));
        }
        assert_eq!(admit(&mut under_way, 3, &guards[3]), (false, false), "all are being prepared");
        for place in &places[..3] {
            place.connection().on_write_blocked();
            advance(Duration::from_millis(300)).await;
        }
        places[0].connection().on_write(1);
        assert_eq!(admit(&mut under_way, 3, &guards[3]), (true, true));
        assert!(places[1].connection().is_closed(), "of those that wait, it has for longest");
        assert_eq!(admit(&mut under_way, 3, &guards[4]), (true, true));
        assert!(places[2].connection().is_closed());
        assert!(!places[0].connection().is_closed() && !places[3].connection().is_closed());
    }
}
