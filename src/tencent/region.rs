//! stand-in until the real one is merged
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(String);
#[derive(Debug)]
pub struct NotARegion;
impl Region { pub fn as_str(&self) -> &str { &self.0 } }
