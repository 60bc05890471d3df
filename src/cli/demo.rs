//! Runs the daemon on the embedded simulator.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::{Context, Result};
use tencentcloud_cam_exporter::{
    clock::{Clock, SystemClock},
    config::Config,
    environment::Environment,
    simulator::{self, Population, Simulator},
};
use tokio::net::TcpListener;

use super::{ServeFlags, exporter, log};

pub(super) fn run(flags: &ServeFlags) -> Result<()> {
    log::start(&flags.log);
    exporter::in_runtime(async {
        let shutdown = exporter::on_signal()?;
        let listeners = exporter::bind(flags).await?;
        todo!()
    })
}
