//! Makes the sources of credentials, one for all accounts that are configured alike: they renew it once.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::tz::Offset;

use super::Surroundings;
use crate::{
    config::{self, Credentials},
    credentials::{AssumeRole, Chain, CvmRole, Env, File, Issuer, Profile, Renewed, Search, Source, Sts, TkeOidc},
    tencent::{Client, Endpoint, Region},
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
                let profile = Profile::new(path, name.clone(), environment);
                Source::File(Arc::new(File::profile(profile, Arc::clone(clock))))
            }
            Credentials::Profile { path: None, name } => Source::Search(Search::new(name, environment, clock)),
            Credentials::CvmRole(role) => {
                renewed(Box::new(CvmRole::new(role.clone(), environment, &surroundings.transport)))
            }
            Credentials::TkeOidc => {
                let region = self.region.clone().or_else(|| TkeOidc::region(environment));
                renewed(Box::new(TkeOidc::new(environment.clone(), self.sts(region, surroundings))))
            }
            Credentials::AssumeRole { request, source } => {
                // Many roles may be taken on with it.
                let source = others.get(Self { credentials: (**source).clone(), ..self.clone() }, surroundings);
                let sts = self.sts(self.region.clone(), surroundings);
                renewed(Box::new(AssumeRole::new((**request).clone(), source, sts)))
            }
        })
    }

    fn sts(&self, region: Option<Region>, surroundings: &Surroundings) -> Sts {
        Sts::new(Client::new(
            self.sts_endpoint.clone(),
            Some(region.unwrap_or_else(Region::for_sts)),
            // Its times carry a zone.
            Offset::UTC,
            STS_TIMEOUT,
            Arc::clone(&surroundings.transport),
        ))
    }
}
