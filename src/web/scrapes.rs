//! Bounds the scrapes that may be under way at once: what `--web.max-requests` says.
//!
//! A scrape counts until the last of it has been written, so that readers which take nothing count. But they must not keep
//! others out: when there are too many, the one whose reader has taken nothing for longest is ended, if that is a second.

use std::{sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::{
    Body, Routes,
    answer::{Answer, Watched},
    routes,
    site::Site,
};

/// How long a reader that takes nothing is safe from others. A network that loses packets makes one wait less.
const SAFE: Duration = Duration::from_secs(1);

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
    type Body = Body;

    async fn respond(&self, request: &Request<Incoming>, answer: &Answer) -> Response<Self::Body> {
        if self.routes.is_scrape(request) && !self.admit(answer) {
            let text = format!("{} scrapes are under way, and no more may be: try again later\n", self.limit);
            return routes::response(StatusCode::SERVICE_UNAVAILABLE, routes::TEXT, bytes::Bytes::from(text).into());
        }
        self.routes.answer(request).await
    }
}

fn admit(under_way: &mut Vec<Watched>, limit: usize, answer: &Answer) -> bool {
    under_way.retain(Watched::is_under_way);
    if under_way.len() >= limit && !make_room(under_way) {
        return false;
    }
    under_way.push(answer.watch());
    true
}

fn make_room(under_way: &mut Vec<Watched>) -> bool {
    let waits = under_way.iter().enumerate().filter_map(|(at, scrape)| Some((scrape.waiting()?, at)));
    let Some((_, slowest)) = waits.max().filter(|(waiting, _)| *waiting >= SAFE) else { return false };
    under_way.swap_remove(slowest).cut_off();
    true
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

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
    async fn the_scrape_that_has_waited_longest_makes_room_after_a_second() {
        let connections = Connections::new(3);
        let mut under_way = vec![];
        let places = [connections.admit().await, connections.admit().await, connections.admit().await];
        let answers = places.each_ref().map(|place| place.connection().answer());
        assert!(admit(&mut under_way, 2, &answers[0]) && admit(&mut under_way, 2, &answers[1]));
        advance(Duration::from_mins(1)).await;
        assert!(!admit(&mut under_way, 2, &answers[2]), "they are being prepared");
        places[1].connection().blocked();
        advance(Duration::from_millis(10)).await;
        places[0].connection().blocked();
        advance(Duration::from_millis(985)).await;
        assert!(!admit(&mut under_way, 2, &answers[2]), "any network may hold a reader up for so long");
        advance(Duration::from_millis(10)).await;
        assert!(admit(&mut under_way, 2, &answers[2]));
        assert_eq!(places.each_ref().map(|place| place.connection().is_cut_off()), [false, true, false]);
    }
}
