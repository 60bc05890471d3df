//! placeholder while the modules are written
pub mod clock;
pub mod config;
pub mod credentials;
pub mod environment;
pub mod inventory;
pub mod metrics;
pub mod poll;
pub mod tencent;
