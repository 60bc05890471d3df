//! Makes the sources of credentials, one for all accounts that are configured alike: they renew it once.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::tz::Offset;
use parking_lot::Mutex;
use tencentcloud_api::{Client, Endpoint, Region, Transport};

use super::Surroundings;
use crate::{
    PROGRAM,
    config::{self, Credentials},
    credentials::{
        AssumeRole, Chain, CvmRole, Env, File, Issued, Issuer, Profile, ProfileSource, Renewed, Search, Source, Sts,
        TkeOidc,
    },
};

/// What a request to STS may take.
const STS_TIMEOUT: Duration = Duration::from_secs(5);

/// The profile of the chain.
const DEFAULT_PROFILE: &str = "default";

/// The sources in use.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<(Spec, Weak<Source>)>);

/// All that a source is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    credentials: Credentials,
    sts_endpoint: Endpoint,
    region: Option<Region>,
}

// === impl Sources ===

impl Sources {
    /// The source of the account.
    pub(super) fn of(&mut self, account: &config::Account, surroundings: &Surroundings) -> Arc<Source> {
        self.0.retain(|(_, source)| source.strong_count() > 0);
        self.get(
            Spec {
                credentials: account.credentials.clone(),
                sts_endpoint: account.sts_endpoint.clone(),
                region: account.region.clone(),
            },
            surroundings,
        )
    }

    fn get(&mut self, spec: Spec, surroundings: &Surroundings) -> Arc<Source> {
        let known = self.0.iter().find(|(known, _)| *known == spec).and_then(|(_, source)| source.upgrade());
        known.unwrap_or_else(|| {
            let source = spec.make(&spec.credentials, self, surroundings);
            self.0.push((spec, Arc::downgrade(&source)));
            source
        })
    }
}

// === impl Spec ===

impl Spec {
    fn make(&self, credentials: &Credentials, others: &mut Sources, surroundings: &Surroundings) -> Arc<Source> {
        let Surroundings { clock, environment, .. } = surroundings;
        let renewed = |issuer: Box<dyn Issuer>| Source::Renewed(Renewed::new(issuer, surroundings.random()));
        Arc::new(match credentials {
            Credentials::Chain => {
                let chain = [
                    ("env", Credentials::Env),
                    ("profile", Credentials::Profile { path: None, name: DEFAULT_PROFILE.to_owned() }),
                    ("tke_oidc", Credentials::TkeOidc),
                    ("cvm_role", Credentials::CvmRole(None)),
                ];
                let sources = chain.iter().map(|(name, source)| (*name, self.make(source, others, surroundings)));
                Source::Chain(Chain::new(sources.collect()))
            }
            Credentials::Env => Source::Env(Env::new(environment.clone())),
            Credentials::File(paths) => Source::File(Arc::new(File::new(paths.clone(), Arc::clone(clock)))),
            Credentials::Profile { path: Some(path), name } => {
                Source::Profile(self.profile(Profile::new(path, name.clone(), environment), surroundings))
            }
            Credentials::Profile { path: None, name } => {
                Source::Search(Search::new(name, environment, |profile| self.profile(profile, surroundings)))
            }
            Credentials::CvmRole(role) => {
                renewed(Box::new(CvmRole::new(role.clone(), environment, &surroundings.transport)))
            }
            Credentials::TkeOidc => {
                let region = self.region.clone().or_else(|| TkeOidc::region(environment));
                renewed(Box::new(TkeOidc::new(environment.clone(), self.sts(region, &surroundings.transport))))
            }
            Credentials::AssumeRole { request, source } => {
                // Many roles may be taken on with it.
                let source = others.get(Self { credentials: (**source).clone(), ..self.clone() }, surroundings);
                let sts = self.sts(self.region.clone(), &surroundings.transport);
                renewed(Box::new(AssumeRole::new((**request).clone(), source, sts)))
            }
        })
    }

    /// The source of a profile, whose file may name a role.
    fn profile(&self, profile: Profile, surroundings: &Surroundings) -> ProfileSource {
        let (spec, environment) = (self.clone(), surroundings.environment.clone());
        let (transport, random) = (Arc::clone(&surroundings.transport), Mutex::new(surroundings.random()));
        let make_issuer = move |issued: Issued| {
            let issuer: Box<dyn Issuer> = match issued {
                Issued::CvmRole => Box::new(CvmRole::new(None, &environment, &transport)),
                Issued::Role(request, key) => {
                    Box::new(AssumeRole::new(*request, key, spec.sts(spec.region.clone(), &transport)))
                }
            };
            Renewed::new(issuer, random.lock().fork())
        };
        ProfileSource::new(profile, Arc::clone(&surroundings.clock), Box::new(make_issuer))
    }

    fn sts(&self, region: Option<Region>, transport: &Arc<dyn Transport>) -> Sts {
        let client = Client::new(self.sts_endpoint.clone(), Arc::clone(transport))
            .with_program(PROGRAM)
            .with_region(Some(region.unwrap_or_else(Region::for_sts)))
            // Its times carry a zone.
            .with_zone(Offset::UTC)
            .with_timeout(STS_TIMEOUT);
        Sts::new(client)
    }
}
