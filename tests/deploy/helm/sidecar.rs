//! The library chart: the exporter in the workloads of a chart that is somebody else's.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{
    SIDECAR_CHART,
    rendering::{HELMS, both, folder},
};
use crate::kubernetes::{
    NAME, POD, list, ours,
    rendering::{find, read},
    schemas::{VERSIONS, faults},
    sidecar::without_ours,
};

/// The workloads of the other chart.
const WORKLOADS: [(&str, &str); 2] = [("Deployment", "shop"), ("StatefulSet", "shop-database")];

/// The line that adds the sidecar to each of them, and the one that would be there without it.
const LINES: [(&str, &str, &str); 2] = [
    (
        "deployment.yaml",
        "{{ include \"tencentcloud-cam-exporter-sidecar.workload\" (list . \"shop.deployment\") }}\n",
        "{{ include \"shop.deployment\" . }}\n",
    ),
    (
        "database.yaml",
        "{{ include \"tencentcloud-cam-exporter-sidecar.workload\" (list . \"shop.database\") }}\n",
        "{{ include \"shop.database\" . }}\n",
    ),
];

/// The other chart, with the library chart where `helm dependency update` puts it.
fn shop() -> TempDir {
    let copy = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/helm/shop"), copy.path());
    copy_folder(&folder(SIDECAR_CHART), &copy.path().join("charts").join(SIDECAR_CHART));
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The container and the volumes of the kustomize component, as the library chart renders them.
#[test]
#[ignore = "needs helm 3 and 4"]
fn the_sidecar_is_that_of_kustomize() {
    for (native, component, place) in [("true", "sidecar", "initContainers"), ("false", "sidecar-plain", "containers")]
    {
        let file = &read(&format!("components/{component}/container.yaml"))[0];
        let native = format!("--set={SIDECAR_CHART}.native={native}");
        let documents = both("shop", shop().path(), &[&native]);
        for (kind, name) in WORKLOADS {
            let workload = find(&documents, kind, name);
            let mut container = ours(workload).unwrap().clone();
            container["image"] = NAME.into();
            assert_eq!(container.as_object_mut().unwrap().remove("imagePullPolicy"), Some("IfNotPresent".into()));
            assert_eq!(&container, ours(file).unwrap(), "{name}");
            assert_eq!(list(workload, &format!("{POD}/{place}")).last(), ours(workload), "{name}");
            let volumes = list(workload, &format!("{POD}/volumes"));
            assert!(volumes.ends_with(list(file, &format!("{POD}/volumes"))), "{name}");
        }
    }
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn nothing_of_the_application_changes() {
    let shop = shop();
    let after = both("shop", shop.path(), &[]);
    for (file, with, without) in LINES {
        let path = shop.path().join("templates").join(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), with, "it takes one line");
        fs::write(path, without).unwrap();
    }
    let before = both("shop", shop.path(), &[]);
    assert_eq!(before.len(), after.len());
    for (kind, name) in WORKLOADS {
        assert_eq!(&without_ours(find(&after, kind, name), "initContainers"), find(&before, kind, name));
    }
}

/// The way of the README's section "Without moving the workload".
#[test]
#[ignore = "needs helm 3 and 4"]
fn the_parts_make_the_same_workload() {
    let shop = shop();
    let whole = both("shop", shop.path(), &[]);
    let path = shop.path().join("templates/deployment.yaml");
    let parts = r#"{{- $sidecar := index .Values "tencentcloud-cam-exporter-sidecar" }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels:
        app: shop
        {{- include "tencentcloud-cam-exporter-sidecar.labels" $sidecar | nindent 8 }}
    spec:
      containers:
        - name: shop
          image: registry.example/shop:1.0
      initContainers:
        - {{- include "tencentcloud-cam-exporter-sidecar.container" $sidecar | nindent 10 }}
      volumes:
        {{- include "tencentcloud-cam-exporter-sidecar.volumes" $sidecar | nindent 8 }}
"#;
    let page = fs::read_to_string(folder(SIDECAR_CHART).join("README.md")).unwrap();
    for line in parts.lines().filter(|line| line.contains("sidecar")) {
        assert!(page.contains(line), "the README has another line than {line}");
    }
    fs::write(path, parts).unwrap();
    let parts = both("shop", shop.path(), &[]);
    assert_eq!(find(&parts, "Deployment", "shop"), find(&whole, "Deployment", "shop"));
}

#[test]
#[ignore = "needs helm 3 and 4, kubernetes-validate and cloudcoil-models-prometheus-operator"]
fn every_form_is_valid() {
    let tke = "credentials.source=tke-oidc,SIDE.credentials.tke.roleArn=qcs::cam::uin/1:roleName/cam,\
               SIDE.credentials.tke.region=ap-guangzhou,SIDE.credentials.tke.providerId=cls-example";
    let tls = "web.secret=cam-web,SIDE.web.tlsSecret=cam-tls,SIDE.extraArgs[0]=--log.format=json,\
               SIDE.extraEnv[0].name=A,SIDE.extraEnv[0].value=b";
    let forms = ["native=true", "native=false", tke, tls, "credentials.source=none"];
    let shop = shop();
    let mut documents = vec![];
    for form in forms {
        let set = format!("--set=SIDE.{form}").replace("SIDE", SIDECAR_CHART);
        documents.extend(both("shop", shop.path(), &[&set]));
    }
    assert_eq!(documents.len(), forms.len() * WORKLOADS.len());
    // A native sidecar needs the newer of these.
    for version in VERSIONS {
        for (document, fault) in documents.iter().zip(faults(&documents, version)) {
            assert_eq!(fault, "", "Kubernetes {version}: {document}");
        }
    }
    let args = documents.iter().filter_map(ours).map(|container| list(container, "/args").len());
    assert_eq!(args.max(), Some(6), "the flags of the web configuration and of the user");
}

/// The dependency in Chart.yaml, as a user adds it.
#[test]
#[ignore = "needs helm 3 and 4"]
fn the_library_is_a_dependency_like_others() {
    for helm in HELMS {
        let shop = shop();
        fs::remove_dir_all(shop.path().join("charts")).unwrap();
        let chart = shop.path().join("Chart.yaml");
        let text = fs::read_to_string(&chart).unwrap();
        let path = folder(SIDECAR_CHART);
        fs::write(
            &chart,
            text.replace("../../../../deploy/helm/tencentcloud-cam-exporter-sidecar", path.to_str().unwrap()),
        )
        .unwrap();
        let output = helm.run(&["dependency", "update", shop.path().to_str().unwrap()]);
        assert!(output.status.success(), "{helm:?}: {}", String::from_utf8_lossy(&output.stderr));
        let documents = helm.template("shop", shop.path(), &[]).unwrap();
        assert!(ours(find(&documents, "Deployment", "shop")).is_some());
    }
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn wrong_use_is_refused() {
    let shop = shop();
    let path = shop.path().join("templates/deployment.yaml");
    for helm in HELMS {
        for (values, message) in [
            ("nativ=false", "at '': additional properties 'nativ' not allowed"),
            ("credentials.source=tke-oidc", "at '/credentials/tke/region': minLength: got 0, want 1"),
            ("web.tlsSecret=cam-tls", "at '/web/secret': minLength: got 0, want 1"),
        ] {
            let values = format!("--set={SIDECAR_CHART}.{values}");
            let error = helm.template("shop", shop.path(), &[&values]).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let original = fs::read_to_string(&path).unwrap();
        for (workload, message) in [
            ("kind: Service\n", "the template other prints no Deployment, StatefulSet or DaemonSet"),
            ("kind: [\n", "the template other is not YAML"),
        ] {
            let other = format!("{{{{ define \"other\" }}}}{workload}{{{{ end }}}}");
            fs::write(&path, original.replace("shop.deployment", "other") + &other).unwrap();
            let error = helm.template("shop", shop.path(), &[]).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        fs::write(&path, original).unwrap();
    }
}
