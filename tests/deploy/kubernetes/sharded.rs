//! Exporters that share the work: as many as the flags say, each with its own part.

use serde_json::json;

use super::{
    NAME, list, ours,
    rendering::{Rendering, everything, find, render},
};

#[test]
#[ignore = "needs kubectl"]
fn shards_are_as_many_as_each_is_told() {
    for count in [1, 2, 17] {
        let shards = format!(
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n\
             replicas: [{{name: {NAME}, count: {count}}}]\n"
        );
        let kustomization = "resources: [ROOT/base]\ncomponents: [shards, ROOT/components/sharded]\n";
        let documents = render(kustomization, &[("shards/kustomization.yaml", &shards)]);
        let set = find(&documents, "StatefulSet", NAME);
        assert_eq!(set["spec"]["replicas"], count);
        let args = list(ours(set).unwrap(), "/args");
        assert_eq!(args[..2], [json!(format!("--total-shards={count}")), json!("--shard=$(SHARD)")]);
        assert!(!documents.iter().any(|document| document["kind"] == "Deployment"), "it stands in for the Deployment");
    }
}

#[test]
#[ignore = "needs kubectl"]
fn every_shard_of_an_example_is_there() {
    let mut sets = 0;
    for Rendering { name, documents } in everything() {
        let ours_of = |kind: &str| documents.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == NAME);
        let Some(set) = ours_of("StatefulSet") else { continue };
        sets += 1;
        let total = format!("--total-shards={}", set["spec"]["replicas"]);
        assert!(list(ours(set).unwrap(), "/args").contains(&total.into()), "{name}");
        // Each shard's address comes from the Service that the set names.
        let service = ours_of("Service").unwrap();
        assert_eq!(set["spec"]["serviceName"], service["metadata"]["name"], "{name}");
        assert_eq!(service["spec"]["clusterIP"], "None", "{name}");
    }
    assert!(sets >= 2);
}
