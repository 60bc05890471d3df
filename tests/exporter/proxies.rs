//! Which requests go through a proxy, and what happens to proxy variables that cannot be read.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    pki::Pair,
    world::{Run, World, binary},
};

const PASSWORD: &str = "proxypassword123";

/// A configuration whose API is at a host that only the proxy could reach.
const CONFIG: &str = "accounts: [{name: prod, uins: [1], endpoint: 'https://cam.example.test', credentials: {env: {}}}]\n\
                      poll: {timeout: 1s}\n";

/// A proxy that refuses every request, and passes on what it was asked for.
fn proxy() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if tell.send(head.join("\n")).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

/// Runs `command` with these variables. Returns its exit code and all that it printed.
fn run(world: &World, command: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let pair = Pair::self_signed("cam.example.test");
    let authority = world.write("authority.pem", &pair.certificate);
    let mut binary = binary();
    binary.args(command).env("SSL_CERT_FILE", authority).envs(variables.iter().copied());
    let run = Run::from(binary.output().unwrap());
    (run.code.unwrap(), run.stdout + &run.stderr)
}

#[test]
fn signed_requests_go_through_the_proxy_that_is_meant() {
    let world = World::with_one_user();
    let config = format!("--config.file={}", world.write("config.yaml", CONFIG).display());
    let check = ["check-config", "--connect", &config];
    let (address, asked) = proxy();
    for value in [
        format!("http://user:{PASSWORD}@{address}"),
        format!("http://user:{PASSWORD}@{address}/\n"),
        format!(" user:{PASSWORD}@{address} "),
    ] {
        let (code, text) = run(&world, &check, &[("HTTPS_PROXY", &value)]);
        assert_eq!(code, 1, "{text}");
        let head = asked.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("past the proxy: {text}"));
        assert!(head.starts_with("CONNECT cam.example.test:443 ") && head.contains("asic "), "{head}");
        assert!(text.contains("prod: connect:") && !text.contains(PASSWORD), "{text}");
    }
    for no_proxy in ["*.example.test", "cam.example.test:443", " .test,other", "*"] {
        let value = format!("http://{address}");
        let (code, text) = run(&world, &check, &[("https_proxy", &value), ("no_proxy", no_proxy)]);
        assert_eq!(code, 1, "{text}");
        assert!(asked.try_recv().is_err(), "{no_proxy}");
    }
}

#[test]
fn a_proxy_variable_that_cannot_be_read_is_an_error_of_every_command() {
    let world = World::with_one_user();
    let config = format!("--config.file={}", world.write("config.yaml", CONFIG).display());
    let wrong = world.write("wrong.yaml", &CONFIG.replace("1s", "1"));
    let wrong = format!("--config.file={}", wrong.display());
    for value in [
        format!("\"http://user:{PASSWORD}@127.0.0.1:1\""),
        format!("http://user:{PASSWORD}@127.0.0.1 :1"),
        format!("socks5://user:{PASSWORD}@127.0.0.1:1"),
    ] {
        for (command, code) in [
            (["check-config", &config].as_slice(), 1),
            (&["check-config", &wrong], 1),
            (&["list", &config], 2),
            (&[&config, "--web.listen-address=127.0.0.1:0"], 1),
        ] {
            let (found, text) = run(&world, command, &[("ALL_PROXY", &value)]);
            assert_eq!(found, code, "{command:?}: {text}");
            assert!(text.contains("environment variable ALL_PROXY is ") && !text.contains(PASSWORD), "{text}");
            assert_eq!(text.contains("poll.timeout:"), command.contains(&wrong.as_str()), "{text}");
        }
    }
}

/// The API sees this header in each request, and the account's audit log shows the other.
#[test]
fn requests_name_the_exporter_and_its_version() {
    let world = World::with_one_user();
    let (address, asked) = proxy();
    let config = CONFIG.replace("https://cam.example.test", &format!("http://{address}"));
    let config = format!("--config.file={}", world.write("config.yaml", &config).display());
    let (_, text) = run(&world, &["check-config", "--connect", &config], &[]);
    let head = asked.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("no request: {text}"));
    for header in [
        concat!("user-agent: tencentcloud-cam-exporter/", env!("CARGO_PKG_VERSION")),
        concat!("x-tc-requestclient: tencentcloud-cam-exporter_", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|line| line == header), "{header}: {head}");
    }
}

/// The simulator is reached over plain HTTP, which goes to this machine only.
#[test]
fn plain_http_never_goes_through_a_proxy() {
    let world = World::with_one_user();
    let (address, asked) = proxy();
    let proxy = format!("http://{address}");
    let config = format!("--config.file={}", world.write("config.yaml", &world.config()).display());
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"].map(|name| (name, proxy.as_str()));
    let (code, text) = run(&world, &["check-config", "--connect", &config], &variables);
    assert_eq!(code, 0, "{text}");
    assert!(asked.try_recv().is_err());
}
