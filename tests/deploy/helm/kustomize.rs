//! The chart and the kustomizations describe the same objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rendering::with_example;
use crate::kubernetes::{
    NAME, list,
    rendering::{everything, parse},
};

/// Example values of the chart, and the example of kustomize that describes the same.
const PAIRS: [(&str, &str); 3] = [
    ("standalone-values.yaml", "standalone"),
    ("shards-and-tls-values.yaml", "sharded-with-tls"),
    ("tke-oidc-values.yaml", "tke"),
];

/// Labels that only the chart sets: several releases may be in a namespace.
const LABELS_OF_HELM: [&str; 4] =
    ["app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"];

/// Where documents have labels of the chart.
const LABELS: [&str; 5] = [
    "/metadata/labels",
    "/spec/selector",
    "/spec/selector/matchLabels",
    "/spec/podSelector/matchLabels",
    "/spec/template/metadata/labels",
];

/// What is the same in both, by kind and name. These are the differences, which are removed:
///
/// - the labels that only the chart sets;
/// - the order of the volumes and of their mounts, which means nothing;
/// - the image's pull policy and the Service's type, for which the chart writes the defaults of Kubernetes;
/// - the variables of TKE, which the chart sets in the container, and kustomize in a `ConfigMap`: [`variables`] compares them;
/// - the `PodMonitor`'s selector: in the chart the release's pods, in kustomize all exporters of the namespace;
/// - the `PodMonitor`'s relabeling of `job`: releases have other names than the job that the alerts expect;
/// - the labels of the `PrometheusRule`, which has none in kustomize, and the comments and the order of `config.yaml`;
/// - the namespaces: kustomize's example creates one, and Helm has `--create-namespace`.
fn comparable(documents: &[Value]) -> BTreeMap<(String, String), Value> {
    let mut all = BTreeMap::new();
    for document in documents {
        let mut document = document.clone();
        for place in LABELS {
            if let Some(labels) = document.pointer_mut(place).and_then(Value::as_object_mut) {
                labels.retain(|name, _| !LABELS_OF_HELM.contains(&name.as_str()));
            }
        }
        document["metadata"].as_object_mut().unwrap().remove("namespace");
        let [kind, name] = [&document["kind"], &document["metadata"]["name"]].map(|it| it.as_str().unwrap().to_owned());
        match kind.as_str() {
            "ConfigMap" if name == NAME => {
                let text = document["data"]["config.yaml"].as_str().unwrap();
                document["data"]["config.yaml"] = parse(text).remove(0);
            }
            "ConfigMap" | "Namespace" => continue,
            "Deployment" | "StatefulSet" => {
                let container = document.pointer_mut("/spec/template/spec/containers/0").unwrap();
                let container = container.as_object_mut().unwrap();
                for field in ["imagePullPolicy", "env", "envFrom"] {
                    container.remove(field);
                }
                for place in ["/spec/template/spec/containers/0/volumeMounts", "/spec/template/spec/volumes"] {
                    let volumes = document.pointer_mut(place).unwrap().as_array_mut().unwrap();
                    volumes.sort_by_key(|volume| volume["name"].to_string());
                }
            }
            "Service" => {
                document["spec"].as_object_mut().unwrap().remove("type");
            }
            "PodMonitor" => {
                document["spec"].as_object_mut().unwrap().remove("selector");
                let endpoint = document.pointer_mut("/spec/podMetricsEndpoints/0").unwrap();
                endpoint.as_object_mut().unwrap().remove("relabelings");
            }
            "PrometheusRule" => {
                document["metadata"].as_object_mut().unwrap().remove("labels");
            }
            _ => {}
        }
        assert_eq!(all.insert((kind, name), document), None);
    }
    all
}

/// The variables of the container, with those of the `ConfigMap` that it reads.
fn variables(documents: &[Value]) -> BTreeMap<String, Value> {
    let workload = documents.iter().find(|document| document.pointer("/spec/template").is_some()).unwrap();
    let container = workload.pointer("/spec/template/spec/containers/0").unwrap();
    let named = |variable: &Value| {
        let value = variable.get("value").or(variable.get("valueFrom")).unwrap();
        (variable["name"].as_str().unwrap().to_owned(), value.clone())
    };
    let mut all: BTreeMap<String, Value> = list(container, "/env").iter().map(named).collect();
    for source in list(container, "/envFrom") {
        let name = &source["configMapRef"]["name"];
        let map = documents.iter().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == *name).unwrap();
        all.extend(map["data"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    all
}

#[test]
#[ignore = "needs helm 3 and 4, and kubectl"]
fn the_chart_and_kustomize_describe_the_same() {
    let kustomizations = everything();
    for (values, example) in PAIRS {
        let kustomization = &kustomizations.iter().find(|one| one.name == example).unwrap().documents;
        let chart = with_example(values, &[]);
        let (ours, theirs) = (comparable(&chart), comparable(kustomization));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{example}");
        for (name, document) in &ours {
            assert_eq!(document, &theirs[name], "{example}: {name:?}");
        }
        assert_eq!(variables(&chart), variables(kustomization), "{example}");
    }
}

#[test]
#[ignore = "needs helm 3 and 4, and kubectl"]
fn the_default_pod_is_that_of_the_base() {
    let base = everything().into_iter().find(|one| one.name == "base").unwrap().documents;
    let [chart, base] = [super::rendering::render(&[]), base].map(|documents| {
        let mut pod = comparable(&documents)[&("Deployment".to_owned(), NAME.to_owned())].clone();
        pod["spec"]["template"]["spec"]["containers"][0]["image"] = json!("any");
        pod
    });
    assert_eq!(chart, base);
}
