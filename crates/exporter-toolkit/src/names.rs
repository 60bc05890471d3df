//! Which families a scrape requests.

use std::collections::BTreeSet;

/// The names of the families that a scrape requests: `name[]` in its query, once for each family, as promhttp has it. A scrape
/// without any requests all families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Option<BTreeSet<String>>);

// === impl Names ===

impl Names {
    /// Those in the `query` of a request. Other parameters are ignored, as Prometheus may be configured to send any.
    #[must_use]
    pub fn of_query(query: Option<&str>) -> Self {
        let parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let names: BTreeSet<String> =
            parameters.filter(|(parameter, _)| parameter == "name[]").map(|(_, name)| name.into_owned()).collect();
        Self(Some(names).filter(|names| !names.is_empty()))
    }

    /// Whether the family `name` is requested. The name of a counter ends in `_total`, in every format.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_other_parameters_ignored() {
        for query in [None, Some(""), Some("name=up&collect[]=up"), Some("name[")] {
            assert_eq!(Names::of_query(query), Names::default(), "{query:?}");
            assert!(Names::of_query(query).contains("up"));
        }
        let names = Names::of_query(Some("name[]=up&x=1&name%5B%5D=a%5Fb&name[]=up"));
        assert!(names.contains("up") && names.contains("a_b") && !names.contains("x") && !names.contains("u"));
        assert!(!Names::of_query(Some("name[]=")).contains("up"), "a name that no family has");
    }
}
