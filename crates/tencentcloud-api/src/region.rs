//! The region that a request names.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// A region, such as `ap-guangzhou`: the value of the header `X-TC-Region`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(String);

/// Text that is not a [`Region`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a region: expected 1 to 64 lower-case letters, digits or hyphens, such as ap-guangzhou")]
pub struct NotARegion;

// === impl Region ===

impl Region {
    /// The region for STS if none is known. STS requires one, but any works.
    #[must_use]
    pub fn for_sts() -> Self {
        Self("ap-guangzhou".to_owned())
    }

    /// The region as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, NotARegion> {
        let named = (1..=64).contains(&text.len());
        if named && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotARegion)
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fit_for_a_header() {
        assert_eq!("ap-guangzhou".parse::<Region>().unwrap().as_str(), "ap-guangzhou");
        assert_eq!(Region::for_sts().as_str().parse(), Ok(Region::for_sts()));
        assert!("a".repeat(64).parse::<Region>().is_ok());
        for wrong in ["", "AP-Guangzhou", "ap guangzhou", "ap-guangzhou\n", "ä", &"a".repeat(65)] {
            assert_eq!(wrong.parse::<Region>(), Err(NotARegion), "{wrong:?}");
        }
    }
}
