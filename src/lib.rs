//! placeholder while the modules are written
pub mod clock;
pub mod credentials;
pub mod environment;
pub mod inventory;
pub mod metrics;
pub mod poll;
pub mod simulator;
pub mod tencent;
