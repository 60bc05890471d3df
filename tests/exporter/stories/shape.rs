//! What a series looked like, scrape by scrape.

use std::collections::HashMap;

use crate::prometheus::server::Prometheus;

/// That a scrape, or an attempt at one, brought no sample of the series.
pub(super) const ABSENT: &str = "absent";

/// The values of a series in the order of the scrapes, repetitions left out.
#[derive(Debug)]
pub(super) struct Shape {
    of: String,
    values: Vec<String>,
}

// === impl Shape ===

impl Shape {
    /// Of what one query selects; `scrapes` selects a series with a sample for each scrape, and for each attempt that failed.
    pub(super) fn of(prometheus: &Prometheus, scrapes: &str, series: &str) -> Self {
        // The scrapes first: one that is stored in between must not look as if it had brought nothing.
        let scrapes = samples(prometheus, scrapes);
        let samples: HashMap<String, String> = samples(prometheus, series).into_iter().collect();
        let value = |(at, _): &(String, String)| samples.get(at).map_or(ABSENT, String::as_str).to_owned();
        let mut values: Vec<String> = scrapes.iter().map(value).collect();
        values.dedup();
        Self { of: series.to_owned(), values }
    }

    /// Asserts that these were the values. One that ends in `?` may have been missed.
    #[track_caller]
    pub(super) fn is(&self, expected: &[&str]) {
        assert!(fits(&self.values, expected), "{}: {:?} is not {expected:?}", self.of, self.values);
    }

    /// Asserts that there was a value or none, by turns.
    #[track_caller]
    pub(super) fn is_there(&self, expected: &[bool]) {
        let mut there: Vec<bool> = self.values.iter().map(|value| value != ABSENT).collect();
        there.dedup();
        assert_eq!(there, expected, "{}: {:?}", self.of, self.values);
    }

    /// The value of a series that has had one only.
    #[track_caller]
    pub(super) fn only(&self) -> String {
        assert_eq!(self.values.len(), 1, "{self:?}");
        self.values[0].clone()
    }

    /// The first value and the last.
    pub(super) fn ends(&self) -> [&str; 2] {
        [&self.values[0], self.values.last().unwrap()]
    }
}

fn fits(values: &[String], expected: &[&str]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return values.is_empty() };
    if let Some(optional) = first.strip_suffix('?') {
        return fits(values, rest) || values.first().is_some_and(|value| value == optional) && fits(&values[1..], rest);
    }
    values.first().is_some_and(|value| value == first) && fits(&values[1..], rest)
}

/// The samples of the one series that is selected, if there is one: when, and which value.
fn samples(prometheus: &Prometheus, selector: &str) -> Vec<(String, String)> {
    let found = prometheus.query(&format!("{selector}[1h]")).unwrap();
    assert!(found.len() < 2, "{found:?}");
    let values = found.first().map_or(&[][..], |series| series["values"].as_array().unwrap());
    values.iter().map(|sample| (sample[0].to_string(), sample[1].as_str().unwrap().to_owned())).collect()
}

#[test]
fn what_is_optional_may_be_missed() {
    let shape =
        |values: &[&str]| Shape { of: String::new(), values: values.iter().map(|&value| value.to_owned()).collect() };
    for (values, fits) in [
        (&["1", ABSENT, "0", "1"][..], true),
        (&["1", ABSENT, "1"], true),
        (&["1", "0", "1"], false),
        (&["1", ABSENT, "2", "1"], false),
        (&["1", ABSENT, "0"], false),
        (&["1", ABSENT, "0", "1", "0"], false),
    ] {
        assert_eq!(self::fits(&shape(values).values, &["1", ABSENT, "0?", "1"]), fits, "{values:?}");
    }
}
