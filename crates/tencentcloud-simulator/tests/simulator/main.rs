//! The simulator is a judge: it must take what is right, and nothing that is not.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

mod account;
mod answers;
mod signatures;
mod sts;
mod users;
#[path = "../../../tencentcloud-api/tests/support/vectors.rs"]
mod vectors;
mod wire;
