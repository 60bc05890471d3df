//! Certificates rotate under load.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, SystemTime},
};

use super::{Scene, tls, until};
use crate::pki::Pair;

/// Certificates to rotate among.
const PAIRS: usize = 20;

/// Swaps of a link, as Kubernetes makes them, and then rewrites in place.
const SWAPS: usize = 400;
const REWRITES: usize = 100;

/// About as long as five hundred rotations take among a few looks at them.
const PAUSE: Duration = Duration::from_millis(15);

#[test]
fn five_hundred_rotations_break_no_handshake() {
    let scene = Scene::new();
    let folder = scene.world.folder.path();
    let pairs: Vec<Pair> = (0..PAIRS).map(|_| scene.authority.issue(&["localhost"])).collect();
    for (number, pair) in pairs.iter().enumerate() {
        mount(folder, number, pair);
    }
    for file in ["server.pem", "server.key"] {
        fs::remove_file(folder.join(file)).unwrap();
        symlink(Path::new("..data").join(file), folder.join(file)).unwrap();
    }
    swap(folder, 0);
    let exporter = scene.start(&tls(""));
    let (over, client) = (AtomicBool::new(false), scene.client());
    let scrape = || client.get(exporter.address(), "/metrics").map(|output| (output.answer.status, output.certificate));
    let seen = thread::scope(|scope| {
        let scrapers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = BTreeSet::new();
                    let mut scrapes = 0;
                    while !over.load(Ordering::Relaxed) {
                        let (status, certificate) =
                            scrape().unwrap_or_else(|error| panic!("{error}: {}", exporter.log()));
                        assert_eq!(status, 200);
                        seen.insert(certificate);
                        scrapes += 1;
                        sleep(Duration::from_millis(30));
                    }
                    (seen, scrapes)
                })
            })
            .collect();
        for number in 1..=SWAPS {
            swap(folder, number % PAIRS);
            sleep(PAUSE);
        }
        for number in 1..=REWRITES {
            rewrite(&folder.join("..data"), &pairs[number % PAIRS]);
        }
        over.store(true, Ordering::Relaxed);
        scrapers.into_iter().map(|scraper| scraper.join().unwrap()).fold((BTreeSet::new(), 0), |mut all, one| {
            all.0.extend(one.0);
            (all.0, all.1 + one.1)
        })
    });
    assert!(seen.0.len() >= 3, "{} certificates were seen", seen.0.len());
    assert!(seen.1 >= 100, "{} scrapes", seen.1);
    let last = der(&pairs[REWRITES % PAIRS]);
    until("the last certificate", &exporter, || scrape().unwrap().1 == last);
    let (_, log) = exporter.stop();
    assert!(!log.contains("level=error"), "{log}");
}

/// A folder with a certificate and its key, written an hour ago.
fn mount(folder: &Path, number: usize, pair: &Pair) {
    let mount = folder.join(format!("..{number}"));
    fs::create_dir(&mount).unwrap();
    write(&mount.join("server.pem"), &pair.certificate);
    write(&mount.join("server.key"), &pair.key);
}

/// Writes a certificate and its key in place. For the most part of the time the two do not match, and look as if they had
/// been left alone.
fn rewrite(folder: &Path, pair: &Pair) {
    write(&folder.join("server.pem"), &pair.certificate);
    sleep(PAUSE);
    write(&folder.join("server.key"), &pair.key);
}

/// Writes a file as of an hour ago, as `cp -p` does.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the file system goes by the machine's clock")]
    let then = SystemTime::now() - Duration::from_hours(1);
    File::open(path).unwrap().set_modified(then).unwrap();
}

/// Lets `..data` lead to another folder, at once.
fn swap(folder: &Path, number: usize) {
    symlink(format!("..{number}"), folder.join("..next")).unwrap();
    fs::rename(folder.join("..next"), folder.join("..data")).unwrap();
}

fn der(pair: &Pair) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap().to_vec()
}
