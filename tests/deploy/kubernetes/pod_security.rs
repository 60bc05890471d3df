//! The profile "restricted" of Kubernetes' Pod Security Standards, for every pod of ours.

use serde_json::{Value, json};

use super::{
    NAME, POD, containers, list, ours,
    rendering::{everything, find, render},
};

/// The kinds of volumes that the profile lets through.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// What the profile, and we, have against a container in a pod with this security context.
pub(crate) fn faults_of_container(container: &Value, pod: &Value) -> Vec<String> {
    let own = &container["securityContext"];
    // What both may say, the container says last.
    let either = |field: &str| own.get(field).or_else(|| pod.get(field)).cloned().unwrap_or_default();
    let rules = [
        ("runAsNonRoot", either("runAsNonRoot") == true),
        ("runAsUser", either("runAsUser") == 65532),
        ("runAsGroup", either("runAsGroup") == 65532),
        ("seccompProfile", either("seccompProfile") == json!({"type": "RuntimeDefault"})),
        ("allowPrivilegeEscalation", own["allowPrivilegeEscalation"] == false),
        ("capabilities", own["capabilities"] == json!({"drop": ["ALL"]})),
        ("readOnlyRootFilesystem", own["readOnlyRootFilesystem"] == true),
        ("privileged", own.get("privileged").is_none_or(|privileged| privileged == false)),
        ("hostPort", list(container, "/ports").iter().all(|port| port.get("hostPort").is_none())),
        ("host", ["livenessProbe", "readinessProbe"].iter().all(|probe| container[probe]["httpGet"]["host"].is_null())),
    ];
    rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| rule.to_owned()).collect()
}

/// What there is against a workload's pod.
pub(crate) fn faults(workload: &Value) -> Vec<String> {
    let pod = workload.pointer(POD).unwrap();
    let context = pod.get("securityContext").cloned().unwrap_or_default();
    let mut faults: Vec<String> =
        containers(workload).flat_map(|container| faults_of_container(container, &context)).collect();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod.get(field).is_some_and(|shared| shared != false) {
            faults.push(field.to_owned());
        }
    }
    for volume in list(pod, "/volumes") {
        let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        faults.extend(kinds.filter(|kind| !VOLUMES.contains(&kind.as_str())).cloned());
    }
    if pod["automountServiceAccountToken"] != false {
        faults.push("automountServiceAccountToken".to_owned());
    }
    faults
}

#[test]
#[ignore = "needs kubectl"]
fn every_pod_of_ours_is_restricted() {
    let mut pods = 0;
    for rendering in everything() {
        for workload in rendering.documents.iter().filter(|document| document["metadata"]["name"] == NAME) {
            if ours(workload).is_some() {
                assert_eq!(faults(workload), [""; 0], "{}", rendering.name);
                pods += 1;
            }
        }
    }
    assert!(pods >= 8, "only {pods} pods of ours");
}

#[test]
#[ignore = "needs kubectl"]
fn whatever_is_looser_is_found() {
    let documents = render("resources: [ROOT/base]\n", &[]);
    let deployment = find(&documents, "Deployment", NAME);
    let container = "/spec/template/spec/containers/0";
    let own = &format!("{container}/securityContext");
    let pod = "/spec/template/spec/securityContext";
    let cases = [
        (pod, "runAsNonRoot", json!(false)),
        (pod, "runAsUser", json!(0)),
        (pod, "runAsGroup", Value::Null),
        (pod, "seccompProfile", json!({"type": "Unconfined"})),
        (own, "runAsNonRoot", json!(false)),
        (own, "allowPrivilegeEscalation", Value::Null),
        (own, "capabilities", json!({"drop": ["ALL"], "add": ["NET_RAW"]})),
        (own, "readOnlyRootFilesystem", json!(false)),
        (own, "privileged", json!(true)),
        (&format!("{container}/ports/0"), "hostPort", json!(10047)),
        (&format!("{container}/livenessProbe/httpGet"), "host", json!("example")),
        (POD, "hostNetwork", json!(true)),
        (POD, "hostPID", json!(true)),
        (&format!("{POD}/volumes/0"), "hostPath", json!({"path": "/"})),
        (POD, "automountServiceAccountToken", Value::Null),
    ];
    for (place, field, value) in cases {
        let mut looser = deployment.clone();
        looser.pointer_mut(place).unwrap()[field] = value;
        assert_eq!(faults(&looser), [field], "{place}");
    }
}
