//! The listener for probes alone.

use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::world::{Exporter, Run, World, binary};

/// Where it listens for probes.
fn probes(exporter: &Exporter) -> SocketAddr {
    exporter.until("listening for probes", |_| exporter.log().contains("listening for probes"));
    let log = exporter.log();
    let line = log.lines().find(|line| line.contains("listening for probes")).unwrap();
    let (_, address) = line.split_once("address=").unwrap();
    address.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn it_has_the_probes_and_nothing_else() {
    let world = World::with_one_user();
    let exporter = world.start_with(&world.config(), &["--probe.listen-address=127.0.0.1:0"]);
    exporter.until_answered(1);
    let probes = probes(&exporter);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(Exporter::get_at(probes, path).status, 200, "{path}");
    }
    for path in ["/metrics", "/", "/-/reload", "/-/", "/-/healthy/"] {
        assert_eq!(Exporter::get_at(probes, path).status, 404, "{path}");
    }
}

#[test]
fn it_answers_though_the_other_port_is_overrun() {
    let world = World::with_one_user();
    let exporter = world.start_with(&world.config(), &["--probe.listen-address=127.0.0.1:0"]);
    let probes = probes(&exporter);
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(exporter.address()).unwrap()).collect();
    for _ in 0..10 {
        assert_eq!(Exporter::get_at(probes, "/-/healthy").status, 200);
    }
    drop(silent);
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let world = World::with_one_user();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut command = binary();
    command.args(["--web.listen-address=127.0.0.1:0", &format!("--probe.listen-address={address}")]);
    let run = Run::from(world.with_config(&mut command, &world.config()).output().unwrap());
    assert_eq!(run.code, Some(1), "{run:?}");
    let result = format!("cannot listen on {address}: choose another with --probe.listen-address");
    assert!(run.stderr.contains(&result), "{run:?}");
}
