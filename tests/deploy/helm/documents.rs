//! The rendered documents, checked by the schemas of Kubernetes and by the exporter.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    CHART,
    rendering::{HELMS, everything, folder, with_example},
};
use crate::kubernetes::{
    list, ours, pod_security,
    rendering::find,
    running::Container,
    schemas::{VERSIONS, broken, faults},
};

/// Kinds that kustomize does not render.
const OTHER_KINDS: [&str; 2] = ["ServiceMonitor", "PersistentVolumeClaim"];

#[test]
#[ignore = "needs helm 3 and 4, kubernetes-validate and cloudcoil-models-prometheus-operator"]
fn every_document_is_valid_in_the_oldest_and_the_newest_version() {
    let all = everything();
    let pairs = all.iter().flat_map(|(name, documents)| documents.iter().map(move |document| (name, document)));
    let (names, documents): (Vec<&String>, Vec<Value>) = pairs.map(|(name, document)| (name, document.clone())).unzip();
    println!("{} value files, {} documents", all.len() - 1, documents.len());
    assert!(all.len() >= 9 && documents.len() >= 55, "{} files, {} documents", all.len(), documents.len());
    for version in VERSIONS {
        for ((name, document), fault) in names.iter().zip(&documents).zip(faults(&documents, version)) {
            assert_eq!(fault, "", "{name}, Kubernetes {version}: {document}");
        }
    }
}

/// The others are tested with the documents of kustomize.
#[test]
#[ignore = "needs helm 3 and 4, kubernetes-validate and cloudcoil-models-prometheus-operator"]
fn a_wrong_field_of_the_other_kinds_is_found() {
    for kind in OTHER_KINDS {
        let all = everything();
        let documents = all.iter().flat_map(|(_, documents)| documents).filter(|one| one["kind"] == kind);
        let longest = documents.max_by_key(|document| document.to_string().len()).unwrap();
        let (places, broken): (Vec<String>, Vec<Value>) = broken(longest).into_iter().unzip();
        let found = faults(&broken, VERSIONS[1]);
        let missed: Vec<&String> =
            places.iter().zip(&found).filter(|(_, fault)| fault.is_empty()).map(|(place, _)| place).collect();
        assert!(missed.is_empty() && places.len() >= 20, "{kind}: {missed:#?} of {}", places.len());
    }
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn every_pod_is_restricted() {
    let mut pods = 0;
    for (name, documents) in everything() {
        for workload in documents.iter().filter(|document| ours(document).is_some()) {
            let context = workload.pointer("/spec/template/spec/securityContext").unwrap();
            assert_eq!(pod_security::faults_of_container(ours(workload).unwrap(), context), [""; 0], "{name}");
            assert_eq!(pod_security::faults(workload), [""; 0], "{name}");
            pods += 1;
        }
    }
    assert_eq!(pods, everything().len());
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn selectors_find_the_pod() {
    let mut selectors = 0;
    for (name, documents) in everything() {
        let workload = documents.iter().find(|document| ours(document).is_some()).unwrap();
        let pod = workload.pointer("/spec/template/metadata/labels").unwrap();
        let service = documents.iter().find(|document| document["kind"] == "Service");
        for document in &documents {
            let (selector, labels) = match document["kind"].as_str().unwrap() {
                "Deployment" | "StatefulSet" | "PodMonitor" => (&document["spec"]["selector"]["matchLabels"], pod),
                "Service" => (&document["spec"]["selector"], pod),
                "NetworkPolicy" => (&document["spec"]["podSelector"]["matchLabels"], pod),
                "ServiceMonitor" => {
                    (&document["spec"]["selector"]["matchLabels"], &service.unwrap()["metadata"]["labels"])
                }
                _ => continue,
            };
            let selector = selector.as_object().unwrap();
            assert!(
                !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value)),
                "{name}"
            );
            selectors += 1;
        }
    }
    assert!(selectors >= 29, "{selectors}");
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn secrets_are_in_secrets_alone() {
    let documents = with_example("everything-values.yaml", &[]);
    for secret in ["an-id-that-stays-secret", "a-key-that-stays-secret", "$2b$12$hNf2lSsxfm0"] {
        let kinds: Vec<&str> = documents
            .iter()
            .filter(|document| document.to_string().contains(secret))
            .map(|document| document["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["Secret"], "{secret}");
    }
    for (name, documents) in everything() {
        for container in documents.iter().filter_map(ours) {
            let variables = list(container, "/env");
            assert!(variables.iter().all(|it| it["valueFrom"].get("secretKeyRef").is_none()), "{name}");
            assert!(list(container, "/volumeMounts").iter().all(|mount| mount.get("subPath").is_none()), "{name}");
        }
    }
}

/// Names of objects that the chart refers to, and does not create.
#[test]
#[ignore = "needs helm 3 and 4"]
fn existing_objects_replace_those_of_the_chart() {
    let documents = with_example("service-monitor-and-accounts-values.yaml", &[]);
    let workload = find(&documents, "Deployment", CHART);
    let volumes: BTreeMap<&str, &Value> = list(workload, "/spec/template/spec/volumes")
        .iter()
        .map(|volume| (volume["name"].as_str().unwrap(), volume))
        .collect();
    assert_eq!(volumes["tencentcloud-cam-exporter-config"]["configMap"]["name"], "cam-config");
    assert_eq!(volumes["tencentcloud-cam-exporter-credentials"]["secret"]["secretName"], "cam-credentials");
    assert!(!documents.iter().any(|document| ["ConfigMap", "Secret"].contains(&document["kind"].as_str().unwrap())));
}

/// `check-config`, with the flags, the files and the variables of the pod.
#[test]
#[ignore = "needs helm 3 and 4"]
fn the_exporter_accepts_the_configurations() {
    let mut checked = 0;
    for (name, documents) in everything() {
        // The configuration of this one is elsewhere.
        if name == "service-monitor-and-accounts-values.yaml" {
            continue;
        }
        let workload = documents.iter().find(|document| ours(document).is_some()).unwrap();
        let (good, text) = Container::of(workload, &documents, false).check();
        assert!(good && text.contains("good"), "{name}: {text}");
        checked += 1;
    }
    assert!(checked >= 7);
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn tmp_gets_the_label_and_the_namespace() {
    let instance = "prom-0a1b2c3d";
    let documents = with_example("tke-webhook-and-tmp-values.yaml", &["--set=serviceMonitor.enabled=true"]);
    for kind in ["PodMonitor", "ServiceMonitor"] {
        let monitor = find(&documents, kind, CHART);
        assert_eq!(monitor["metadata"]["labels"]["prom_id"], instance);
        assert_eq!(monitor["metadata"]["namespace"], "monitoring");
    }
    assert_eq!(find(&documents, "PrometheusRule", CHART)["metadata"]["namespace"], instance);
    let policy = find(&documents, "NetworkPolicy", CHART).to_string();
    assert!(policy.contains(&format!("\"kubernetes.io/metadata.name\":\"{instance}\"")), "{policy}");
    let without = with_example("standalone-values.yaml", &[]);
    assert!(without.iter().all(|document| document["metadata"]["labels"].get("prom_id").is_none()));
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn the_webhook_of_tke_gets_its_annotations() {
    let documents = with_example("tke-webhook-and-tmp-values.yaml", &[]);
    let annotations = &find(&documents, "ServiceAccount", CHART)["metadata"]["annotations"];
    let expected = serde_json::json!({
        "tke.cloud.tencent.com/role-arn": "qcs::cam::uin/100000000001:roleName/cam-exporter",
        "tke.cloud.tencent.com/audience": "sts.cloud.tencent.com",
        "tke.cloud.tencent.com/token-expiration": "86400",
    });
    assert_eq!(annotations, &expected);
    let container = ours(find(&documents, "Deployment", CHART)).unwrap();
    assert_eq!(container.get("env"), None, "the webhook sets the variables");
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn every_release_has_names_and_a_job_of_its_own() {
    let [one, two] = ["one", "two"].map(|release| {
        let arguments = ["--set=podMonitor.enabled=true"];
        super::rendering::both(release, &folder(CHART), &arguments)
    });
    for (one, two) in one.iter().zip(&two) {
        assert_ne!(one["metadata"]["name"], two["metadata"]["name"]);
    }
    let monitor = find(&one, "PodMonitor", "one-tencentcloud-cam-exporter");
    let relabelings = &monitor["spec"]["podMetricsEndpoints"][0]["relabelings"];
    let job = serde_json::json!([{"targetLabel": "job", "replacement": "monitoring/one/tencentcloud-cam-exporter"}]);
    assert_eq!(relabelings, &job);
}

/// Helm 3 prints the notes only with a cluster.
#[test]
#[ignore = "needs helm 3 and 4"]
fn the_notes_say_what_is_missing() {
    let chart = folder(CHART);
    let notes = |arguments: &[&str]| {
        let install = ["install", "any", chart.to_str().unwrap(), "--dry-run=client", "--namespace=cam"];
        let output = HELMS[1].run(&[install.as_slice(), arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_once("\nNOTES:\n").unwrap().1.to_owned()
    };
    let missing =
        ["No registry is set", "create secret generic any-tencentcloud", "Nothing tells Prometheus", "no alerts"];
    let bare = notes(&[]);
    assert!(missing.iter().all(|what| bare.contains(what)), "{bare}");
    let values = format!("--values={}", chart.join("ci/tke-webhook-and-tmp-values.yaml").display());
    let whole = notes(&[&values]);
    assert!(!missing.iter().any(|what| whole.contains(what)), "{whole}");
    assert!(whole.contains("port-forward deployment/any-tencentcloud-cam-exporter 10047"), "{whole}");
}
