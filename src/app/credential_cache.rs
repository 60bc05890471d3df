//! Makes the sources of credentials, one for all accounts that are configured alike: they renew it once.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::tz::Offset;
use parking_lot::Mutex;
use tencentcloud_api::{Client, Endpoint, Region, Transport};

use super::Dependencies;
use crate::{
    PROGRAM,
    config::{self, Credentials},
    credentials::{
        AssumeRole, Chain, CredentialProvider, CvmRole, Env, File, Issued, Profile, ProfileLookup, ProfileSource,
        RefreshingProvider, Source, Sts, TkeOidc,
    },
};

/// What a request to STS may take.
const STS_TIMEOUT: Duration = Duration::from_secs(5);

/// The profile of the chain.
const DEFAULT_PROFILE: &str = "default";

/// The sources in use.
#[derive(Debug, Default)]
pub(super) struct CredentialCache(Vec<(Spec, Weak<Source>)>);

/// All that a source is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    credentials: Credentials,
    sts_endpoint: Endpoint,
    region: Option<Region>,
}

// === impl CredentialCache ===

impl CredentialCache {
    /// The source of the account.
    pub(super) fn of(&mut self, account: &config::Account, dependencies: &Dependencies) -> Arc<Source> {
        self.0.retain(|(_, source)| source.strong_count() > 0);
        self.get(
            Spec {
                credentials: account.credentials.clone(),
                sts_endpoint: account.sts_endpoint.clone(),
                region: account.region.clone(),
            },
            dependencies,
        )
    }

    fn get(&mut self, spec: Spec, dependencies: &Dependencies) -> Arc<Source> {
        let known = self.0.iter().find(|(known, _)| *known == spec).and_then(|(_, source)| source.upgrade());
        known.unwrap_or_else(|| {
            let source = spec.make(&spec.credentials, self, dependencies);
            self.0.push((spec, Arc::downgrade(&source)));
            source
        })
    }
}

// === impl Spec ===

impl Spec {
    fn make(
        &self,
        credentials: &Credentials,
        others: &mut CredentialCache,
        dependencies: &Dependencies,
    ) -> Arc<Source> {
        let Dependencies { clock, environment, .. } = dependencies;
        let renewed = |issuer: Box<dyn CredentialProvider>| {
            Source::RefreshingProvider(RefreshingProvider::new(issuer, dependencies.random()))
        };
        Arc::new(match credentials {
            Credentials::Chain => {
                let chain = [
                    ("env", Credentials::Env),
                    ("profile", Credentials::Profile { path: None, name: DEFAULT_PROFILE.to_owned() }),
                    ("tke_oidc", Credentials::TkeOidc),
                    ("cvm_role", Credentials::CvmRole(None)),
                ];
                let sources = chain.iter().map(|(name, source)| (*name, self.make(source, others, dependencies)));
                Source::Chain(Chain::new(sources.collect()))
            }
            Credentials::Env => Source::Env(Env::new(environment.clone())),
            Credentials::File(paths) => Source::File(Arc::new(File::new(paths.clone(), Arc::clone(clock)))),
            Credentials::Profile { path: Some(path), name } => {
                Source::Profile(self.profile(Profile::new(path, name.clone(), environment), dependencies))
            }
            Credentials::Profile { path: None, name } => {
                Source::ProfileLookup(ProfileLookup::new(name, environment, |profile| {
                    self.profile(profile, dependencies)
                }))
            }
            Credentials::CvmRole(role) => {
                renewed(Box::new(CvmRole::new(role.clone(), environment, &dependencies.transport)))
            }
            Credentials::TkeOidc => {
                let region = self.region.clone().or_else(|| TkeOidc::region(environment));
                renewed(Box::new(TkeOidc::new(environment.clone(), self.sts(region, &dependencies.transport))))
            }
            Credentials::AssumeRole { request, source } => {
                // Many roles may be taken on with it.
                let source = others.get(Self { credentials: (**source).clone(), ..self.clone() }, dependencies);
                let sts = self.sts(self.region.clone(), &dependencies.transport);
                renewed(Box::new(AssumeRole::new((**request).clone(), source, sts)))
            }
        })
    }

    /// The source of a profile, whose file may name a role.
    fn profile(&self, profile: Profile, dependencies: &Dependencies) -> ProfileSource {
        let (spec, environment) = (self.clone(), dependencies.environment.clone());
        let (transport, random) = (Arc::clone(&dependencies.transport), Mutex::new(dependencies.random()));
        let make_issuer = move |issued: Issued| {
            let issuer: Box<dyn CredentialProvider> = match issued {
                Issued::CvmRole => Box::new(CvmRole::new(None, &environment, &transport)),
                Issued::Role(request, key) => {
                    Box::new(AssumeRole::new(*request, key, spec.sts(spec.region.clone(), &transport)))
                }
            };
            RefreshingProvider::new(issuer, random.lock().fork())
        };
        ProfileSource::new(profile, Arc::clone(&dependencies.clock), Box::new(make_issuer))
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
