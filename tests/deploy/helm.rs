//! The Helm charts: what Helm 3 and 4 render them to, and whether Kubernetes and the exporter accept that.
//!
//! `HELM3` and `HELM4` name the programs; without them, these are `helm3` and `helm4` in the `PATH`.

mod documents;
mod files;
mod kustomize;
mod rendering;
mod rules;
mod sidecar;
mod values;

/// The charts, below `deploy/helm`.
const CHART: &str = "tencentcloud-cam-exporter";
const SIDECAR_CHART: &str = "tencentcloud-cam-exporter-sidecar";
