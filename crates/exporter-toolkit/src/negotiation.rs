//! In which format and encoding the metrics are wanted, and in which language a page: what `Accept`, `Accept-Encoding` and
//! `Accept-Language` say.
//!
//! The clauses of `Accept` are tried in the order of their weights, and equals in the order in which they stand, as the
//! Go client does. Where that accepts what HTTP forbids (RFC 9110, section 12.5), HTTP has its way: a weight of 0 refuses,
//! several fields are one list, and names are the same in either case.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::Format;

/// The longest list that is read, in bytes; Prometheus sends some 300. A longer one says nothing.
const LONGEST: usize = 4 << 10;

/// What the answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentType {
    format: Format,
    /// `OpenMetrics` was asked for by the version of its draft. There is no difference but the number.
    draft: bool,
    escaping: Escaping,
}

/// How names are written that are not of letters, digits and underscores. All of ours are, so that nothing changes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// With underscores. Also the answer to those who ask for `dots` or `values`: these change underscores too, which
    /// nobody who looks for our names would want.
    #[default]
    Underscores,
    /// As they are.
    AllowUtf8,
}

/// An encoding of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

/// An item of a list, with what it weighs.
struct Clause<'a> {
    name: &'a str,
    parameters: &'a str,
    weight: f32,
}

// === impl ContentType ===

impl ContentType {
    /// The best of the formats that are `offered`; the first of them where none is asked for.
    #[must_use]
    pub(crate) fn wanted(headers: &HeaderMap, offered: &[Format]) -> Self {
        let list = list(headers, &header::ACCEPT);
        let mut clauses: Vec<Clause<'_>> = clauses(&list).filter(|clause| clause.weight > 0.0).collect();
        clauses.sort_by(|one, other| {
            let order = |clause: &Clause<'_>| (clause.name.contains('*'), -clause.weight);
            order(one).partial_cmp(&order(other)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut escaping = Escaping::default();
        for clause in clauses {
            // The weight of a clause that cannot be satisfied applies to those after it, as in the Go client.
            escaping = clause.parameter("escaping").and_then(Escaping::of).unwrap_or(escaping);
            if let Some((format, draft)) = clause.format()
                && offered.contains(&format)
            {
                return Self { format, draft, escaping };
            }
        }
        Self { escaping, format: offered.first().copied().unwrap_or_default(), draft: false }
    }

    /// Its format.
    #[must_use]
    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// The `Content-Type`.
    #[must_use]
    pub(crate) fn value(self) -> HeaderValue {
        macro_rules! with_each_escaping {
            ($content_type:literal) => {
                match self.escaping {
                    Escaping::Underscores => concat!($content_type, "; escaping=underscores"),
                    Escaping::AllowUtf8 => concat!($content_type, "; escaping=allow-utf-8"),
                }
            };
        }
        HeaderValue::from_static(match (self.format, self.draft) {
            (Format::Text, _) => with_each_escaping!("text/plain; version=0.0.4; charset=utf-8"),
            (Format::OpenMetrics, false) => {
                with_each_escaping!("application/openmetrics-text; version=1.0.0; charset=utf-8")
            }
            (Format::OpenMetrics, true) => {
                with_each_escaping!("application/openmetrics-text; version=0.0.1; charset=utf-8")
            }
            (Format::Protobuf, _) => with_each_escaping!(
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
        })
    }
}

// === impl Escaping ===

impl Escaping {
    fn of(parameter: &str) -> Option<Self> {
        match parameter {
            "allow-utf-8" => Some(Self::AllowUtf8),
            "underscores" | "dots" | "values" => Some(Self::Underscores),
            _ => None,
        }
    }
}

// === impl Encoding ===

impl Encoding {
    /// That which weighs more, as it is if both weigh the same. A client that refuses both gets it uncompressed, which is better than nothing.
    #[must_use]
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let list = list(headers, &header::ACCEPT_ENCODING);
        let weight = |names: &[&str]| {
            let named = |clause: &Clause<'_>| names.iter().any(|name| clause.name.eq_ignore_ascii_case(name));
            clauses(&list).find(named).map(|clause| clause.weight)
        };
        let any = weight(&["*"]);
        let gzip = weight(&["gzip", "x-gzip"]).or(any).unwrap_or(0.0);
        // Unless it is named it is there for those who accept nothing else.
        let identity = weight(&["identity"]).or(any).unwrap_or(0.0);
        if gzip > identity { Self::Gzip } else { Self::Identity }
    }

    /// The `Content-Encoding`, if there is one.
    #[must_use]
    pub(crate) fn value(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
        }
    }
}

// === impl Clause ===

impl<'a> Clause<'a> {
    /// None if its weight is not one.
    fn parse(text: &'a str) -> Option<Self> {
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        let clause = Self { name: name.trim(), parameters, weight: 1.0 };
        let weight = clause.parameter("q").map_or(Some(1.0), weight)?;
        Some(Self { weight, ..clause })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let pairs = self.parameters.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// The format that it asks for, and whether by the version of the draft; none if there is none like it.
    fn format(&self) -> Option<(Format, bool)> {
        let version = self.parameter("version").unwrap_or_default();
        let is = |name: &str| self.name.eq_ignore_ascii_case(name);
        if is("application/openmetrics-text") {
            return match version {
                "1.0.0" => Some((Format::OpenMetrics, false)),
                "0.0.1" | "" => Some((Format::OpenMetrics, true)),
                _ => None,
            };
        }
        let delimited = || {
            self.parameter("proto") == Some("io.prometheus.client.MetricFamily")
                && self.parameter("encoding") == Some("delimited")
        };
        if is("application/vnd.google.protobuf") && delimited() {
            return Some((Format::Protobuf, false));
        }
        (is("text/plain") && matches!(version, "0.0.4" | "")).then_some((Format::Text, false))
    }
}

/// The ranges of `Accept-Language`, such as `zh-CN` or `*`, the most wanted first, and those that weigh the same in their
/// order. None that is refused; none at all if the field is longer than 4 KiB.
#[must_use]
pub fn accepted_languages(headers: &HeaderMap) -> Vec<String> {
    let list = list(headers, &header::ACCEPT_LANGUAGE);
    let mut clauses: Vec<Clause<'_>> = clauses(&list).filter(|clause| clause.weight > 0.0).collect();
    clauses.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    clauses.into_iter().map(|clause| clause.name.to_owned()).collect()
}

/// The fields of that name, as one list.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let mut list = String::new();
    for field in headers.get_all(name) {
        if list.len() + field.len() > LONGEST {
            return String::new();
        }
        // Text of another character set names nothing that there is.
        list.push_str(field.to_str().unwrap_or_default());
        list.push(',');
    }
    list
}

fn clauses(list: &str) -> impl Iterator<Item = Clause<'_>> {
    list.split(',').filter(|text| !text.trim().is_empty()).filter_map(Clause::parse)
}

/// A weight: a decimal of 0 to 1.
fn weight(text: &str) -> Option<f32> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|weight| decimal && (0.0..=1.0).contains(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/negotiation.txt"));

    /// The fields of a case that begin with `mark`.
    fn fields(case: &str, mark: &str) -> HeaderMap {
        let fields = case.lines().filter_map(|line| line.strip_prefix(mark)).map(|field| {
            let (name, value) = field.split_once(':').unwrap();
            (name.trim().parse().unwrap(), HeaderValue::from_bytes(value.trim().as_bytes()).unwrap())
        });
        let mut headers = HeaderMap::new();
        fields.for_each(|(name, value): (HeaderName, _)| {
            headers.append(name, value);
        });
        headers
    }

    const ALL: &[Format] = &[Format::Text, Format::OpenMetrics, Format::Protobuf];

    #[test]
    fn every_wish_is_answered_as_the_table_says() {
        let cases: Vec<&str> = CASES.split("\n\n").skip(1).collect();
        assert!(cases.len() > 50, "{}", cases.len());
        for case in cases {
            let asked = fields(case, "> ");
            let content_type = (header::CONTENT_TYPE, ContentType::wanted(&asked, ALL).value());
            let encoding = Encoding::wanted(&asked).value().map(|encoding| (header::CONTENT_ENCODING, encoding));
            let answered: HeaderMap = [content_type].into_iter().chain(encoding).collect();
            assert_eq!(answered, fields(case, "< "), "{case}");
        }
    }

    #[test]
    fn hostile_lists_say_nothing() {
        let openmetrics = "application/openmetrics-text;version=1.0.0";
        let long = format!("{openmetrics},{}", "a/b;q=0.5,".repeat(6_000));
        let deep = format!("{openmetrics}{}", ";".repeat(60_000));
        for value in [long.as_bytes(), deep.as_bytes(), &vec![0xff; 60_000], "gzip,".repeat(12_000).as_bytes()] {
            let value = HeaderValue::from_bytes(value).unwrap();
            let asked = HeaderMap::from_iter([(header::ACCEPT, value.clone()), (header::ACCEPT_ENCODING, value)]);
            assert_eq!(ContentType::wanted(&asked, ALL), ContentType::default());
            assert_eq!(Encoding::wanted(&asked), Encoding::Identity);
        }
    }

    #[test]
    fn languages_are_in_the_order_of_their_weights() {
        let accepted = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            accepted_languages(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value)]))
        };
        for (field, languages) in [
            ("zh-CN", &["zh-CN"][..]),
            ("en;q=0.8, zh;q=0.9,*;q=0.1", &["zh", "en", "*"]),
            ("zh, en", &["zh", "en"]),
            ("zh;q=0,en;q=0.001", &["en"]),
            ("zh;q=2,en;q=-1,de;q=x,fr;q=1.0", &["fr"]),
            (" , ;;,", &[""]),
            ("", &[]),
        ] {
            assert_eq!(accepted(field.as_bytes()), languages, "{field}");
        }
        for hostile in [&b"zh,".repeat(20_000), &b";".repeat(60_000), &vec![0xff; 60_000], &vec![0xff; 600]] {
            assert_eq!(accepted(hostile), [""; 0]);
        }
        assert_eq!(accepted_languages(&HeaderMap::new()), [""; 0]);
    }

    #[test]
    fn the_format_is_that_of_the_content_type() {
        for (accept, format) in [
            ("text/plain", Format::Text),
            ("application/openmetrics-text;version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::OpenMetrics),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
                Format::Protobuf,
            ),
        ] {
            let asked = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(ContentType::wanted(&asked, ALL).format(), format);
        }
    }

    #[test]
    fn a_format_that_is_not_offered_is_passed_over() {
        let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
            application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1";
        let asked = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        for (offered, format) in [
            (&[Format::Text, Format::OpenMetrics][..], Format::OpenMetrics),
            (&[Format::Text], Format::Text),
            (&[Format::OpenMetrics, Format::Text], Format::OpenMetrics),
        ] {
            assert_eq!(ContentType::wanted(&asked, offered).format(), format);
        }
        assert_eq!(ContentType::wanted(&HeaderMap::new(), &[Format::OpenMetrics]).format(), Format::OpenMetrics);
    }
}
