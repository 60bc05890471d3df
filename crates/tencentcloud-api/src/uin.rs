//! The number that names a Tencent Cloud account or user.

use std::{fmt, num::NonZeroU64, str::FromStr};

use thiserror::Error;

/// A UIN. Those in use have twelve digits, more than 32 bits hold; 0 is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uin(NonZeroU64);

/// Text that is not a UIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a UIN: expected an integer, such as 100013065917")]
pub struct NotAUin;

// === impl Uin ===

impl Uin {
    /// The number itself, as requests carry it.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl TryFrom<u64> for Uin {
    type Error = NotAUin;

    fn try_from(number: u64) -> Result<Self, NotAUin> {
        NonZeroU64::new(number).map(Self).ok_or(NotAUin)
    }
}

impl FromStr for Uin {
    type Err = NotAUin;

    fn from_str(text: &str) -> Result<Self, NotAUin> {
        // `u64::from_str` would also take a leading plus sign.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAUin);
        }
        text.parse::<u64>().map_err(|_| NotAUin)?.try_into()
    }
}

impl fmt::Display for Uin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_twelve_digits_and_nothing_else() {
        assert_eq!("100013065917".parse::<Uin>().unwrap().get(), 100_013_065_917);
        for wrong in ["", "0", "-1", "+1", "12a", " 1", "1.0", "1e3", "99999999999999999999"] {
            assert_eq!(wrong.parse::<Uin>(), Err(NotAUin), "{wrong:?}");
        }
    }
}
