//! Every document, judged by the schemas of Kubernetes and of the Prometheus Operator.

use std::{
    collections::BTreeMap,
    env,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::rendering::{everything, read};

/// The first version that has native sidecars without being asked to, and the newest that there is a schema of.
pub(crate) const VERSIONS: [&str; 2] = ["1.29", "1.37"];

/// Reads documents, one a line, and prints what is wrong with each, or an empty line. The arguments are the version of
/// Kubernetes to judge by, and the newest that we know of.
const PYTHON: &str = r#"
import functools, json, sys
import kubernetes_validate
from cloudcoil.models.prometheus_operator import v1
from pydantic import ValidationError

# Without this it would read megabytes of schemas for every document.
utils = kubernetes_validate.utils
utils.schema_contents = functools.lru_cache(maxsize=None)(utils.schema_contents)

MODELS = {model.__name__: model for model in (v1.PodMonitor, v1.ServiceMonitor, v1.PrometheusRule)}

def fault(text):
    document = json.loads(text)
    if not all(isinstance(document.get(field), str) for field in ("apiVersion", "kind")):
        return "it does not say what it is"
    model = MODELS.get(document.get("kind"))
    try:
        if model is None:
            kubernetes_validate.validate(document, sys.argv[1], strict=True)
        else:
            model.model_validate_json(text, strict=True, extra="forbid", by_alias=True, by_name=False)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return error.message
    except ValidationError as error:
        return str(error)
    return ""

if not utils.all_versions()[-1].startswith(sys.argv[2]):
    sys.exit("the newest schema is of " + utils.all_versions()[-1])
for line in sys.stdin:
    print(fault(line).replace("\n", " "))
"#;

/// What is wrong with each document; an empty text for those that are good.
pub(crate) fn faults(documents: &[Value], version: &str) -> Vec<String> {
    let Some(python) = env::var_os("KUBERNETES_VALIDATE_PYTHON") else {
        panic!("KUBERNETES_VALIDATE_PYTHON, a Python that has the schemas, is not set: .ci/run makes one");
    };
    let mut child = Command::new(python)
        .args(["-c", PYTHON, version, VERSIONS[1]])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    let text = lines.join("\n");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{version}");
    writer.join().unwrap().unwrap();
    let faults: Vec<String> = str::from_utf8(&output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(faults.len(), documents.len());
    faults
}

/// All that is rendered, and the examples that are not part of a kustomization, each with where it comes from.
fn documents() -> Vec<(String, Value)> {
    let rendered =
        everything().into_iter().flat_map(|one| one.documents.into_iter().map(move |it| (one.name.clone(), it)));
    let files = ["base/secret.example.yaml", "components/web-tls/secret.example.yaml", "plain/sidecar.yaml"];
    let files = files.iter().flat_map(|file| read(file).into_iter().map(|document| ((*file).to_owned(), document)));
    rendered.chain(files).collect()
}

/// Every copy of `document` in which one field has another name, and every one in which one value is of another type,
/// each with the place. What users name freely, such as labels, keeps its names.
pub(crate) fn broken(document: &Value) -> Vec<(String, Value)> {
    let mut all = vec![];
    visit(document, "", &mut |place, value| {
        let mut another_type = document.clone();
        let wrong = if value.is_object() { json!("wrong") } else { json!({"wrong": "type"}) };
        *another_type.pointer_mut(place).unwrap() = wrong;
        all.push((format!("{place}: of another type"), another_type));
        let (parent, key) = place.rsplit_once('/').unwrap();
        let free = ["labels", "matchLabels", "annotations", "data", "stringData", "selector", "requests", "limits"];
        let named_by_users = free.iter().any(|name| parent.ends_with(&format!("/{name}")));
        // A Service's selector is labels; a workload's has fields.
        let has_fields = !named_by_users || parent == "/spec/selector" && value.is_object();
        let mut another_name = document.clone();
        if let Some(fields) = another_name.pointer_mut(parent).unwrap().as_object_mut().filter(|_| has_fields) {
            let field = key.replace("~1", "/");
            let value = fields.remove(&field).unwrap();
            fields.insert(format!("{field}x"), value);
            all.push((format!("{place}: misspelt"), another_name));
        }
    });
    all
}

fn visit(value: &Value, place: &str, see: &mut impl FnMut(&str, &Value)) {
    if !place.is_empty() {
        see(place, value);
    }
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.replace('/', "~1"), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for (key, child) in children {
        visit(child, &format!("{place}/{key}"), see);
    }
}

#[test]
#[ignore = "needs kubectl, kubernetes-validate and cloudcoil-models-prometheus-operator"]
fn every_document_is_valid_in_the_oldest_and_the_newest_version() {
    let (places, documents): (Vec<String>, Vec<Value>) = documents().into_iter().unzip();
    for version in VERSIONS {
        for ((place, document), fault) in places.iter().zip(&documents).zip(faults(&documents, version)) {
            assert_eq!(fault, "", "{place}, Kubernetes {version}: {document}");
        }
    }
}

#[test]
#[ignore = "needs kubectl, kubernetes-validate and cloudcoil-models-prometheus-operator"]
fn a_field_that_is_wrong_anywhere_is_found() {
    let mut of_each_kind: BTreeMap<String, Value> = BTreeMap::new();
    for (_, document) in documents() {
        let kind = document["kind"].as_str().unwrap();
        let longest = of_each_kind.entry(kind.to_owned()).or_default();
        if document.to_string().len() > longest.to_string().len() {
            *longest = document;
        }
    }
    let kinds: Vec<&str> = of_each_kind.keys().map(String::as_str).collect();
    let expected = [
        "ConfigMap",
        "DaemonSet",
        "Deployment",
        "Namespace",
        "NetworkPolicy",
        "PodMonitor",
        "PrometheusRule",
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    ];
    assert_eq!(kinds, expected);
    let (places, broken): (Vec<String>, Vec<Value>) = of_each_kind
        .iter()
        .flat_map(|(kind, document)| {
            broken(document).into_iter().map(move |(place, it)| (format!("{kind}{place}"), it))
        })
        .unzip();
    assert!(broken.len() >= 700, "only {} faults were made", broken.len());
    let found = faults(&broken, VERSIONS[1]);
    let missed: Vec<&String> =
        places.iter().zip(&found).filter(|(_, fault)| fault.is_empty()).map(|(at, _)| at).collect();
    assert!(missed.is_empty(), "{} of {} are not found: {missed:#?}", missed.len(), places.len());
}
