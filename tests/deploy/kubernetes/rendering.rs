//! Kustomizations, rendered by kubectl.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value};
use tempfile::TempDir;
use yaml_rust2::{Yaml, YamlLoader};

/// Applications as they were before: one that has nothing but a container, one that has everything, one on its node's
/// network, and one that asks for no exporter.
pub(crate) const APPS: &str = include_str!("apps.yaml");

/// Something that renders, and what it is called.
pub(crate) struct Rendering {
    pub(crate) name: String,
    pub(crate) documents: Vec<Value>,
}

/// Renders a kustomization of a user, in which `ROOT` is our folder, with files beside it.
pub(crate) fn render(kustomization: &str, files: &[(&str, &str)]) -> Vec<Value> {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // kubectl takes relative paths alone.
    let up = "../".repeat(folder.path().canonicalize().unwrap().components().count() - 1);
    let root = root().canonicalize().unwrap();
    let root = format!("{up}{}", root.strip_prefix("/").unwrap().display());
    for (name, content) in [("kustomization.yaml", kustomization)].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.replace("ROOT", &root)).unwrap();
    }
    kustomize(folder.path())
}

/// The base, each example, and each component on what it is for.
pub(crate) fn everything() -> Vec<Rendering> {
    let mut all = vec![Rendering { name: "base".to_owned(), documents: kustomize(&root().join("base")) }];
    for example in folders("overlays/examples") {
        let documents = kustomize(&root().join("overlays/examples").join(&example));
        all.push(Rendering { name: example, documents });
    }
    for component in folders("components") {
        let label = match component.as_str() {
            "sidecar" => "native",
            "sidecar-plain" => "plain",
            _ => "",
        };
        let stacks = match label {
            "" => vec![format!("resources: [ROOT/base]\ncomponents: [ROOT/components/{component}]\n")],
            _ => ["", ", ROOT/components/tke-oidc", ", ROOT/components/web-tls"]
                .map(|more| format!("resources: [apps.yaml]\ncomponents: [ROOT/components/{component}{more}]\n"))
                .to_vec(),
        };
        let apps = APPS.replace("SIDECAR", label);
        all.extend(stacks.into_iter().map(|stack| {
            let documents = render(&stack, &[("apps.yaml", &apps)]);
            Rendering { name: stack, documents }
        }));
    }
    all
}

/// The one document of this kind and name.
pub(crate) fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is = |document: &&Value| document["kind"] == kind && document["metadata"]["name"] == name;
    let found: Vec<&Value> = documents.iter().filter(is).collect();
    assert_eq!(found.len(), 1, "{kind} {name}");
    found[0]
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes")
}

/// The documents of a file of ours.
pub(crate) fn read(path: &str) -> Vec<Value> {
    parse(&fs::read_to_string(root().join(path)).unwrap())
}

pub(crate) fn parse(yaml: &str) -> Vec<Value> {
    YamlLoader::load_from_str(yaml).unwrap().iter().map(json).collect()
}

fn folders(of: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(of)).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn kustomize(folder: &Path) -> Vec<Value> {
    let output = Command::new("kubectl").arg("kustomize").arg(folder).output();
    let output = output.unwrap_or_else(|error| panic!("kubectl cannot be run: {error}"));
    assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    parse(str::from_utf8(&output.stdout).unwrap())
}

fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(truth) => (*truth).into(),
        Yaml::Null => Value::Null,
        Yaml::Array(list) => list.iter().map(json).collect(),
        Yaml::Hash(map) => {
            let pairs = map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), json(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Yaml::Real(_) | Yaml::Alias(_) | Yaml::BadValue => panic!("no manifest of ours has {yaml:?}"),
    }
}
