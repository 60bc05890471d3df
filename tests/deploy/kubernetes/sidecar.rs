//! An exporter put into pods that are others'.

use serde_json::{Value, json};

use super::{
    NAME, POD, list, ours, pod_security,
    rendering::{APPS, everything, find, parse, read, render},
};

/// The forms of the component, the label that asks for each, and where it puts the exporter.
const FORMS: [(&str, &str, &str); 2] =
    [("sidecar", "native", "initContainers"), ("sidecar-plain", "plain", "containers")];

const APPLICATIONS: [(&str, &str); 3] = [("Deployment", "bare"), ("StatefulSet", "rich"), ("DaemonSet", "node")];

fn apps(label: &str) -> String {
    APPS.replace("SIDECAR", label)
}

/// The applications with the component `form` on top.
fn with(form: &str, label: &str) -> Vec<Value> {
    let kustomization = format!("resources: [apps.yaml]\ncomponents: [ROOT/components/{form}]\n");
    render(&kustomization, &[("apps.yaml", &apps(label))])
}

/// A workload without what the component, or the library chart, may add to it.
pub(crate) fn without_ours(workload: &Value, place: &str) -> Value {
    let mut workload = workload.clone();
    let pod = workload.pointer_mut(POD).unwrap().as_object_mut().unwrap();
    for (field, of_ours) in [(place, NAME), ("volumes", "tencentcloud-cam-exporter-")] {
        let list = pod[field].as_array_mut().unwrap();
        list.retain(|element| !element["name"].as_str().unwrap().starts_with(of_ours));
        if list.is_empty() {
            pod.remove(field);
        }
    }
    let labels = workload.pointer_mut("/spec/template/metadata/labels").unwrap().as_object_mut().unwrap();
    assert_eq!(labels.remove("tencentcloud-cam-exporter/scrape"), Some("true".into()));
    workload
}

#[test]
#[ignore = "needs kubectl"]
fn nothing_of_the_application_changes() {
    for (form, label, place) in FORMS {
        let before = render("resources: [apps.yaml]\n", &[("apps.yaml", &apps(label))]);
        let after = with(form, label);
        assert_eq!(before.len(), after.len());
        for (kind, name) in APPLICATIONS {
            let (before, after) = (find(&before, kind, name), find(&after, kind, name));
            assert_eq!(without_ours(after, place).to_string(), before.to_string(), "{form} in {name}");
        }
        let unasked = |documents: &[Value]| find(documents, "Deployment", "unasked").clone();
        assert_eq!(unasked(&after), unasked(&before));
    }
}

#[test]
#[ignore = "needs kubectl"]
fn ours_is_the_same_in_every_pod_and_goes_last() {
    for (form, label, place) in FORMS {
        let file = &read(&format!("components/{form}/container.yaml"))[0];
        let after = with(form, label);
        for (kind, name) in APPLICATIONS {
            let workload = find(&after, kind, name);
            assert_eq!(list(workload, &format!("{POD}/{place}")).last(), ours(file), "{form} in {name}");
            for volume in list(file, "/spec/template/spec/volumes") {
                assert!(list(workload, "/spec/template/spec/volumes").contains(volume), "{form} in {name}: {volume}");
            }
        }
    }
}

#[test]
fn the_forms_differ_in_nothing_but_the_place() {
    let [native, plain] = FORMS.map(|(form, ..)| read(&format!("components/{form}/container.yaml")).remove(0));
    let mut native_container = ours(&native).unwrap().clone();
    assert_eq!(native_container.as_object_mut().unwrap().remove("restartPolicy"), Some("Always".into()));
    assert_eq!(Some(&native_container), ours(&plain));
    assert_eq!(native.pointer("/spec/template/spec/volumes"), plain.pointer("/spec/template/spec/volumes"));
}

#[test]
#[ignore = "needs kubectl"]
fn it_is_restricted_by_itself_and_needs_nothing_of_the_pod() {
    for (form, label, _) in FORMS {
        for (kind, name) in APPLICATIONS {
            let after = with(form, label);
            let workload = find(&after, kind, name);
            let container = ours(workload).unwrap();
            assert_eq!(pod_security::faults_of_container(container, &json!({})), [""; 0], "{form} in {name}");
            for probe in ["readinessProbe", "startupProbe"] {
                assert_eq!(container.get(probe), None, "{form} in {name}: it would hold up the application");
            }
            let resources = &container["resources"];
            assert_eq!(resources["requests"], resources["limits"], "a Guaranteed pod must stay one");
            for volume in list(workload, "/spec/template/spec/volumes") {
                let optional = |source: &str| volume.get(source).is_none_or(|source| source["optional"] == true);
                let is_ours = volume["name"].as_str().unwrap().starts_with(NAME);
                assert!(!is_ours || optional("configMap") && optional("secret"), "{form}: {volume} may be missing");
            }
        }
    }
}

#[test]
#[ignore = "needs kubectl"]
fn it_sees_no_token_of_the_application() {
    for (form, label, _) in FORMS {
        let after = with(form, label);
        let rich = find(&after, "StatefulSet", "rich");
        let mounts = list(ours(rich).unwrap(), "/volumeMounts");
        let at = |path: &str| mounts.iter().find(|mount| mount["mountPath"] == path);
        let shadow = at("/var/run/secrets/kubernetes.io/serviceaccount").unwrap();
        let volumes = list(rich, "/spec/template/spec/volumes");
        let volume = volumes.iter().find(|volume| volume["name"] == shadow["name"]).unwrap();
        assert_eq!(volume["emptyDir"], json!({}));
        let shared = mounts.iter().filter(|mount| mount["name"] == shadow["name"]);
        assert_eq!(shared.count(), 1, "what is written elsewhere would show there");
    }
}

#[test]
#[ignore = "needs kubectl"]
fn its_pod_has_no_two_ports_of_a_name() {
    let after = with("sidecar", "native");
    let rich = find(&after, "StatefulSet", "rich");
    let mut names: Vec<&str> = super::containers(rich)
        .flat_map(|one| list(one, "/ports"))
        .map(|port| port["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["cam-metrics", "cam-probes", "metrics"]);
}

#[test]
#[ignore = "needs kubectl"]
fn tls_and_tke_reach_it_too() {
    for (form, label, place) in FORMS {
        let kustomization = format!(
            "resources: [apps.yaml]\ncomponents: [ROOT/components/{form}, ROOT/components/tke-oidc, \
             ROOT/components/web-tls]\n"
        );
        let both = render(&kustomization, &[("apps.yaml", &apps(label))]);
        for (kind, name) in APPLICATIONS {
            let (before, after) = (with(form, label), find(&both, kind, name));
            let before = ours(find(&before, kind, name)).unwrap();
            let after_ours = list(after, &format!("{POD}/{place}")).last().unwrap();
            let mut expected = list(before, "/args").to_vec();
            expected.push("--web.config.file=/etc/tencentcloud-cam-exporter/web/web.yml".into());
            assert_eq!(list(after_ours, "/args"), expected, "{form} in {name}");
            let variable = json!({
                "name": "TKE_WEB_IDENTITY_TOKEN_FILE",
                "value": "/etc/tencentcloud-cam-exporter/credentials/token"
            });
            assert_eq!(list(after_ours, "/env"), [variable], "{form} in {name}");
            let volumes = list(after, "/spec/template/spec/volumes");
            let credentials =
                volumes.iter().find(|one| one["name"] == "tencentcloud-cam-exporter-credentials").unwrap();
            let sources: Vec<&String> = credentials.as_object().unwrap().keys().collect();
            assert_eq!(sources, ["name", "projected"], "{form} in {name}: one source a volume");
        }
    }
}

#[test]
#[ignore = "needs kubectl"]
fn the_plain_sidecar_is_that_of_the_example() {
    let mut example = everything().into_iter().find(|one| one.name == "sidecar").unwrap().documents;
    example.retain(|document| document["kind"] != "PodMonitor");
    assert_eq!(read("plain/sidecar.yaml"), example);
}

#[test]
fn the_applications_here_are_as_many_as_they_seem() {
    assert_eq!(parse(APPS).len(), APPLICATIONS.len() + 1);
}
