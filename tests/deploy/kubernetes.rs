//! What deploy/kubernetes renders to, and whether Kubernetes and the exporter take it.

pub(crate) mod pod_security;
pub(crate) mod rendering;
pub(crate) mod running;
pub(crate) mod schemas;
mod sharded;
pub(crate) mod sidecar;
mod wiring;

use serde_json::Value;

/// The name of everything of ours.
pub(crate) const NAME: &str = "tencentcloud-cam-exporter";

/// Where a workload has its pod.
pub(crate) const POD: &str = "/spec/template/spec";

/// Where a pod has containers.
const PLACES: [&str; 2] = ["initContainers", "containers"];

/// The containers of a workload, in either place.
fn containers(workload: &Value) -> impl Iterator<Item = &Value> {
    PLACES.iter().flat_map(|place| list(workload, &format!("{POD}/{place}")))
}

/// Our container of a workload.
pub(crate) fn ours(workload: &Value) -> Option<&Value> {
    containers(workload).find(|container| container["name"] == NAME)
}

/// The elements at `pointer`, or none where nothing is.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).map_or(&[], |list| list.as_array().unwrap())
}
