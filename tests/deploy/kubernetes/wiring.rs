//! What holds a pod of ours together: ports, probes, selectors, names.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{
    NAME, containers, list, ours,
    rendering::{Rendering, everything, find, parse, read, render},
};

const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// Every container of ours, with where it was found.
fn all_of_ours(renderings: &[Rendering]) -> Vec<(&str, &Value)> {
    let pairs = renderings.iter().flat_map(|one| one.documents.iter().map(|document| (one.name.as_str(), document)));
    pairs.filter_map(|(name, document)| ours(document).map(|container| (name, container))).collect()
}

#[test]
#[ignore = "needs kubectl"]
fn probes_have_a_listener_of_their_own() {
    let renderings = everything();
    let all = all_of_ours(&renderings);
    assert!(all.len() >= 10);
    for (place, container) in all {
        assert!(list(container, "/args").contains(&json!("--probe.listen-address=:10048")), "{place}");
        let paths = [("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")];
        for (probe, path) in paths {
            let expected = json!({"path": path, "port": 10048});
            assert!(container.get(probe).is_none_or(|probe| probe["httpGet"] == expected), "{place}: {probe}");
        }
        assert!(container.get("livenessProbe").is_some(), "{place}");
        assert_eq!(container.get("startupProbe"), None, "{place}");
    }
}

#[test]
#[ignore = "needs kubectl"]
fn secrets_are_files_that_can_rotate() {
    let renderings = everything();
    for (place, container) in all_of_ours(&renderings) {
        let of_env = list(container, "/env").iter().any(|variable| variable["valueFrom"].get("secretKeyRef").is_some());
        let of_all = list(container, "/envFrom").iter().any(|source| source.get("secretRef").is_some());
        assert!(!of_env && !of_all, "{place}: a secret in the environment");
        for mount in list(container, "/volumeMounts") {
            assert_eq!((mount.get("subPath"), mount.get("subPathExpr")), (None, None), "{place}");
            let state = mount["mountPath"] == "/var/lib/tencentcloud-cam-exporter";
            assert_eq!(mount["readOnly"] == true, !state, "{place}: {mount}");
        }
    }
}

#[test]
#[ignore = "needs kubectl"]
fn two_exporters_never_ask_at_a_time() {
    let documents = render("resources: [ROOT/base]\n", &[]);
    let spec = &find(&documents, "Deployment", NAME)["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]), (&json!(1), &json!({"type": "Recreate"})));
}

#[test]
#[ignore = "needs kubectl"]
fn whatever_selects_pods_finds_them() {
    let mut monitors = 0;
    for Rendering { name, documents } in everything() {
        let pods = documents.iter().filter(|document| ours(document).is_some());
        for labels in pods.map(|workload| workload.pointer("/spec/template/metadata/labels").unwrap()) {
            let selects = |selector: &Value| {
                selector
                    .as_object()
                    .is_some_and(|pairs| pairs.iter().all(|(key, value)| labels.get(key) == Some(value)))
            };
            for document in &documents {
                let selector = match document["kind"].as_str().unwrap() {
                    "Service" => &document["spec"]["selector"],
                    "NetworkPolicy" => &document["spec"]["podSelector"]["matchLabels"],
                    "PodMonitor" => &document["spec"]["selector"]["matchLabels"],
                    _ => continue,
                };
                assert!(selects(selector), "{name}: {selector} of {labels}");
                monitors += usize::from(document["kind"] == "PodMonitor");
            }
        }
    }
    assert!(monitors >= 4);
}

#[test]
#[ignore = "needs kubectl"]
fn ports_are_named_and_numbered_alike_everywhere() {
    for Rendering { name, documents } in everything() {
        for container in documents.iter().filter_map(ours) {
            let ports = json!([
                {"name": "cam-metrics", "containerPort": 10047},
                {"name": "cam-probes", "containerPort": 10048}
            ]);
            assert_eq!(container["ports"], ports, "{name}");
            assert!(list(container, "/args").contains(&json!("--web.listen-address=:10047")), "{name}");
        }
        for document in &documents {
            match document["kind"].as_str().unwrap() {
                // A port by name was not found in a native sidecar before Kubernetes 1.32.
                "Service" if document["metadata"]["name"] == NAME => {
                    assert_eq!(document["spec"]["ports"][0]["targetPort"], 10047);
                }
                "PodMonitor" => assert_eq!(document["spec"]["podMetricsEndpoints"][0]["port"], "cam-metrics"),
                "NetworkPolicy" => assert_eq!(document["spec"]["ingress"][0]["ports"][0]["port"], 10047),
                _ => {}
            }
        }
    }
}

#[test]
#[ignore = "needs kubectl"]
fn registry_and_tag_are_set_in_one_place() {
    let image = "images: [{name: tencentcloud-cam-exporter, newName: registry.example/x, newTag: v9}]\n";
    let apps = super::rendering::APPS.replace("SIDECAR", "native");
    for source in ["resources: [ROOT/base]\n", "resources: [apps.yaml]\ncomponents: [ROOT/components/sidecar]\n"] {
        let documents = render(&format!("{source}{image}"), &[("apps.yaml", &apps)]);
        let of_workloads = documents.iter().filter(|document| WORKLOADS.contains(&document["kind"].as_str().unwrap()));
        for container in of_workloads.flat_map(containers) {
            let is_ours = container["name"] == NAME;
            assert_eq!(container["image"] == "registry.example/x:v9", is_ours, "{container}");
        }
    }
}

#[test]
#[ignore = "needs kubectl"]
fn a_change_of_the_configuration_restarts_nothing() {
    for Rendering { name, documents } in everything() {
        for document in documents.iter().filter(|document| document["data"].get("config.yaml").is_some()) {
            assert_eq!(document["metadata"]["name"], NAME, "{name}: a hash in the name restarts pods");
        }
    }
}

#[test]
#[ignore = "needs kubectl"]
fn tmp_gets_the_label_and_the_namespace() {
    let documents = everything().into_iter().find(|one| one.name == "tmp").unwrap().documents;
    let instance = &find(&documents, "PrometheusRule", NAME)["metadata"]["namespace"];
    assert_eq!(instance, "prom-0a1b2c3d");
    let monitor = &find(&documents, "PodMonitor", NAME)["metadata"];
    assert_eq!((&monitor["labels"]["prom_id"], &monitor["namespace"]), (instance, &json!("monitoring")));
    let allowed = &find(&documents, "NetworkPolicy", NAME)["spec"]["ingress"][0]["from"][0]["namespaceSelector"];
    assert_eq!(allowed["matchLabels"]["kubernetes.io/metadata.name"], *instance);
}

/// Debian's promtool is built without the discovery in Kubernetes, so it checks the rest.
#[test]
#[ignore = "needs promtool"]
fn the_documented_scrape_configuration_selects_the_label_and_the_port() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/kubernetes.md")).unwrap();
    let mut blocks = page.split("```yaml\n").filter_map(|block| block.split("```").next());
    let block = blocks.find(|block| block.starts_with("scrape_configs:")).unwrap();
    let job = &parse(block)[0]["scrape_configs"][0];
    let relabelings = list(job, "/relabel_configs");
    let label = json!({
        "source_labels": ["__meta_kubernetes_pod_label_tencentcloud_cam_exporter_scrape"], "regex": "true", "action": "keep"
    });
    let port = json!({
        "source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "cam-metrics", "action": "keep"
    });
    assert!(job["job_name"] == NAME && relabelings.contains(&label) && relabelings.contains(&port), "{job}");
    let discovery = "kubernetes_sd_configs: [{role: pod}]";
    assert!(block.contains(discovery));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), block.replace(discovery, "static_configs: [{targets: [\"a:1\"]}]")).unwrap();
    let output = Command::new("promtool").args(["check", "config"]).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn example_secrets_have_the_names_that_are_mounted() {
    let deployment = &read("base/deployment.yaml")[0];
    let secret = &read("base/secret.example.yaml")[0];
    let volumes = list(deployment, "/spec/template/spec/volumes");
    assert!(volumes.iter().any(|volume| volume["secret"]["secretName"] == secret["metadata"]["name"]));
    let web = &read("components/web-tls/standalone.yaml")[0];
    let sources = list(web, "/spec/template/spec/volumes/0/projected/sources");
    let name = &read("components/web-tls/secret.example.yaml")[0]["metadata"]["name"];
    assert!(sources.iter().any(|source| source["secret"]["name"] == *name));
}
