//! Follows the file, and those that it names, as they change.
//!
//! The current file counts: with an invalid one, all requests are refused. Certificates are different.
//! A renewal writes two files, which do not match for a moment; so the last valid pair is served
//! until there are new ones.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use secrecy::{ExposeSecret, SecretSlice};
use tracing::{error, info, warn};

use super::{
    schema::WebConfig,
    tls::TlsSection,
    tls_acceptor::{self, SECTION},
};
use crate::{
    files::{self, Watched},
    yaml::{self, Fault, Faults, MAX_BYTES, Notes},
};

/// How long certificates may be invalid before that is logged.
const REPORT_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// Tells the time of day.
pub(super) type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The file and those that it names.
pub(super) struct ConfigWatcher {
    file: Watched<Arc<WebConfig>>,
    folder: PathBuf,
    now: Now,
    /// The configuration at the start. Some settings cannot change later.
    start: Arc<WebConfig>,
    /// Whether the file had something in it when it was last good.
    had_content: bool,
    certificates: Option<Certificates>,
    /// What was last said of each.
    said: Said,
}

/// What there is to serve by.
#[derive(Clone, Debug)]
pub(super) struct WebSnapshot {
    /// What the file asks for; nothing if it is wrong.
    pub(super) config: Option<Arc<WebConfig>>,
    /// What shakes hands, if TLS is spoken.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

/// The certificates that are served, and the files that they are from.
#[derive(Debug)]
struct Certificates {
    section: TlsSection,
    files: Watched<Arc<ServerConfig>>,
    served: Arc<ServerConfig>,
    unfit_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Said {
    wrong: Option<String>,
    unfit: bool,
    needs_restart: Vec<&'static str>,
    warnings: Vec<Fault>,
}

// === impl ConfigWatcher ===

impl ConfigWatcher {
    /// Of the file at `path`. May block.
    ///
    /// # Errors
    /// All that is wrong with it and the files that it names.
    pub(super) fn new(path: &Path, now: Now) -> Result<(Self, WebSnapshot), Faults> {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut file = Watched::new(vec![path.to_owned()], MAX_BYTES);
        let time = now();
        let start = file.look(time, |contents| read(contents, &folder, |tls, notes| check_files(tls, time, notes)))?;
        let certificates = match &start.tls {
            Some(section) => Some(Certificates::new(section.clone(), start.http.http2, time)?),
            None => None,
        };
        let tls = certificates.as_ref().map(|certificates| Arc::clone(&certificates.served));
        let view = WebSnapshot { config: Some(Arc::clone(&start)), tls };
        let had_content = !start.is_empty;
        if start.is_empty {
            warn!("the web configuration file is empty: no TLS is used and no password is required");
        }
        let mut said = Said::default();
        said.of_warnings(&start);
        Ok((Self { file, folder, now, start, had_content, certificates, said }, view))
    }

    /// What there is now. May block.
    pub(super) fn look(&mut self) -> WebSnapshot {
        let now = (self.now)();
        let looked = self.file.look(now, |contents| read(contents, &self.folder, |_, _| {}));
        let looked = looked.and_then(|config| self.not_emptied(config));
        let looked = looked.and_then(|config| self.follow_certificates(&config, now).map(|()| config));
        self.said.of_file(looked.as_ref().err());
        if let Ok(config) = &looked {
            self.said.of_what_cannot_change(&self.start, config);
            self.said.of_warnings(config);
        }
        let tls = self.certificates.as_ref().map(|certificates| Arc::clone(&certificates.served));
        WebSnapshot { config: looked.ok(), tls }
    }

    /// Refuses a file that has lost all that it had: more likely than everybody being let in on purpose is that it was
    /// not written to its end.
    fn not_emptied(&mut self, config: Arc<WebConfig>) -> Result<Arc<WebConfig>, Faults> {
        if self.had_content && config.is_empty {
            return Err(Faults::of_file(
                "empty, and it was not before: restore it, or write {} to lift all restrictions",
            ));
        }
        self.had_content |= !config.is_empty;
        Ok(config)
    }

    /// Takes up new certificates, from other files where `config` says so.
    fn follow_certificates(&mut self, config: &WebConfig, now: Timestamp) -> Result<(), Faults> {
        // Whether to use TLS is decided at the start, and cannot change until the restart.
        let Some(certificates) = &mut self.certificates else { return Ok(()) };
        match &config.tls {
            Some(section) if *section != certificates.section => {
                *certificates = Certificates::new(section.clone(), self.start.http.http2, now)?;
                self.said.of_certificates(None);
            }
            _ => {
                let unfit = certificates.follow(self.start.http.http2, now);
                self.said.of_certificates(unfit);
            }
        }
        Ok(())
    }
}

// === impl Certificates ===

impl Certificates {
    fn new(section: TlsSection, http2: bool, now: Timestamp) -> Result<Self, Faults> {
        let mut files = Watched::new(section.files().map(|(_, path)| path.to_owned()).collect(), MAX_BYTES);
        let served = files.look(now, |contents| tls_acceptor::server_config(&section, http2, contents))?;
        Ok(Self { section, files, served, unfit_since: None })
    }

    /// Takes up new ones. Tells what is wrong with them, if that has been so for a while.
    fn follow(&mut self, http2: bool, now: Timestamp) -> Option<Faults> {
        match self.files.look(now, |contents| tls_acceptor::server_config(&self.section, http2, contents)) {
            Ok(served) => {
                self.served = served;
                self.unfit_since = None;
                None
            }
            Err(faults) => {
                let since = *self.unfit_since.get_or_insert(now);
                (now.duration_since(since) >= REPORT_AFTER).then_some(faults)
            }
        }
    }
}

// === impl Said ===

impl Said {
    fn of_file(&mut self, wrong: Option<&Faults>) {
        let wrong = wrong.map(ToString::to_string);
        match (&self.wrong, &wrong) {
            (before, Some(faults)) if before.as_ref() != Some(faults) => {
                error!(faults, "invalid web configuration: all requests are refused until it is fixed");
            }
            (Some(_), None) => info!("web configuration is valid again"),
            _ => {}
        }
        self.wrong = wrong;
    }

    fn of_certificates(&mut self, unfit: Option<Faults>) {
        let was_unfit = std::mem::replace(&mut self.unfit, unfit.is_some());
        match unfit {
            Some(faults) if !was_unfit => {
                warn!(%faults, "invalid certificates, keeping the last valid ones");
            }
            None if was_unfit => info!("certificates are valid again"),
            _ => {}
        }
    }

    fn of_warnings(&mut self, config: &WebConfig) {
        let warnings = config.warnings();
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            warn!(%warning, "the web configuration is unwise");
        }
        self.warnings = warnings;
    }

    fn of_what_cannot_change(&mut self, start: &WebConfig, now: &WebConfig) {
        let changed = [
            (SECTION, start.tls.is_some() != now.tls.is_some()),
            ("http2", start.tls.is_some() && start.http.http2 != now.http.http2),
            ("rate_limit", start.rate_limit != now.rate_limit),
        ];
        let changed: Vec<_> = changed.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field).collect();
        if !changed.is_empty() && changed != self.needs_restart {
            warn!(fields = changed.join(", "), "the web configuration has changes that need a restart");
        }
        self.needs_restart = changed;
    }
}

fn read(
    contents: &[SecretSlice<u8>],
    folder: &Path,
    check: impl FnOnce(&TlsSection, &mut Notes),
) -> Result<Arc<WebConfig>, Faults> {
    let content = contents.first().map(|content| content.expose_secret().to_vec()).unwrap_or_default();
    WebConfig::read(&yaml::text(content)?, folder, check).map(Arc::new)
}

/// Notes which files of `section` cannot be read, or what is wrong with them.
fn check_files(section: &TlsSection, now: Timestamp, notes: &mut Notes) {
    let mut contents = vec![];
    let mut unread = false;
    for (field, path) in section.files() {
        let mut file = Watched::new(vec![path.to_owned()], MAX_BYTES);
        match file.look(now, |content| Ok::<_, files::Error>(content.to_vec())) {
            Ok(content) => contents.extend(content),
            Err(error) => {
                notes.add(field, error.to_string());
                unread = true;
            }
        }
    }
    if !unread && let Err(faults) = tls_acceptor::server_config(section, true, &contents) {
        notes.extend(faults);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use parking_lot::Mutex;
    use tempfile::TempDir;

    use super::*;

    struct Scene {
        folder: TempDir,
        /// A clock that the test advances.
        clock: Arc<Mutex<Timestamp>>,
        watcher: ConfigWatcher,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let clock = Arc::new(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap()));
            let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
            let [certificate, key] = pair();
            write("cert", &certificate);
            write("key", &key);
            write("web.yml", "tls_server_config: {cert_file: cert, key_file: key}");
            let now = Box::new({
                let clock = Arc::clone(&clock);
                move || *clock.lock()
            });
            let (watcher, _) = ConfigWatcher::new(&folder.path().join("web.yml"), now).unwrap();
            let mut scene = Self { folder, clock, watcher };
            scene.look_after(2);
            scene
        }

        /// Writes a file in place, now.
        fn write(&self, name: &str, text: &str) {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::File::open(path).unwrap().set_modified((*self.clock.lock()).try_into().unwrap()).unwrap();
        }

        fn look_after(&mut self, seconds: i64) -> WebSnapshot {
            *self.clock.lock() += SignedDuration::from_secs(seconds);
            self.watcher.look()
        }
    }

    fn pair() -> [String; 2] {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        [pair.cert.pem(), pair.signing_key.serialize_pem()]
    }

    fn same(one: &WebSnapshot, other: &WebSnapshot) -> bool {
        Arc::ptr_eq(one.tls.as_ref().unwrap(), other.tls.as_ref().unwrap())
    }

    #[test]
    fn half_a_rotation_is_waited_for_and_after_a_while_said() {
        let mut scene = Scene::new();
        let before = scene.look_after(1);
        let [certificate, key] = pair();
        scene.write("cert", &certificate);
        for _ in 0..11 {
            assert!(!scene.watcher.said.unfit);
            let view = scene.look_after(1);
            assert!(same(&view, &before) && view.config.is_some());
        }
        assert!(scene.watcher.said.unfit);
        scene.write("key", &key);
        let view = scene.look_after(1);
        assert!(!same(&view, &before) && !scene.watcher.said.unfit);
    }

    #[test]
    fn certificates_that_are_gone_or_garbage_leave_the_last_ones_in_use() {
        let mut scene = Scene::new();
        let before = scene.look_after(1);
        scene.write("cert", "garbage");
        let view = scene.look_after(5);
        assert!(same(&view, &before) && view.config.is_some());
        fs::remove_file(scene.folder.path().join("key")).unwrap();
        let view = scene.look_after(5);
        assert!(same(&view, &before) && view.config.is_some());
    }

    #[test]
    fn another_section_is_taken_whole_or_not_at_all() {
        let mut scene = Scene::new();
        scene.write("web.yml", "tls_server_config: {cert_file: next, key_file: key}");
        assert!(scene.look_after(2).config.is_none());
        let [certificate, key] = pair();
        scene.write("next", &certificate);
        scene.write("key", &key);
        assert!(scene.look_after(2).config.is_some());
    }

    #[test]
    fn a_file_that_did_not_change_is_not_read_again() {
        let mut scene = Scene::new();
        let (one, other) = (scene.look_after(1), scene.look_after(1));
        assert!(same(&one, &other) && Arc::ptr_eq(&one.config.unwrap(), &other.config.unwrap()));
    }
}
