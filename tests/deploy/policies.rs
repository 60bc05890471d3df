//! The CAM policies in deploy/: whether they obey CAM's grammar (its documents 598/10603 and 598/10604), allow what the
//! exporter calls, and are what the commands and resources in the documents make of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;
use tencentcloud_api::{
    Action, DescribeOrganizationMembers, GetCallerIdentity, ListAccessKeys,
    sts::{AssumeRole, AssumeRoleWithWebIdentity},
};
use tencentcloud_cam_exporter::metrics::ACTIONS;

/// The pages with commands that create policies and roles.
const PAGES: [&str; 2] = ["docs/credentials.md", "docs/organizations.md"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    version: String,
    statement: Vec<Statement>,
}

/// Of what CAM accepts as a string or as a list, this accepts only lists, as the Terraform provider does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    effect: Effect,
    action: Vec<String>,
    resource: Option<Vec<String>>,
    principal: Option<Principal>,
    condition: Option<Condition>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Principal {
    Federated(Vec<String>),
    Qcs(Vec<String>),
    Service(Vec<String>),
}

/// The only operator that the policies use.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    string_equal: BTreeMap<String, Vec<String>>,
}

// === impl Policy ===

impl Policy {
    /// The policy in that file.
    fn read(file: &str) -> Self {
        Self::parse(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let policy: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if policy.version != "2.0" || policy.statement.is_empty() {
            return Err("no version 2.0, or no statement".to_owned());
        }
        policy.statement.iter().try_for_each(Statement::check)?;
        Ok(policy)
    }

    /// Whether it says who can assume a role, rather than what a user or a role can do.
    fn is_trust(&self) -> bool {
        self.statement.iter().all(|statement| statement.principal.is_some())
    }

    fn actions(&self) -> BTreeSet<&str> {
        self.statement.iter().flat_map(|statement| &statement.action).map(String::as_str).collect()
    }

    fn resources(&self) -> BTreeSet<&str> {
        self.statement.iter().flat_map(|statement| statement.resource.iter().flatten()).map(String::as_str).collect()
    }

    /// The values that a key must have.
    fn required(&self, key: &str) -> Vec<&str> {
        let conditions = self.statement.iter().filter_map(|statement| statement.condition.as_ref());
        conditions.flat_map(|condition| &condition.string_equal[key]).map(String::as_str).collect()
    }
}

// === impl Statement ===

impl Statement {
    fn check(&self) -> Result<(), String> {
        let all = |list: &[String], check: fn(&str) -> bool| !list.is_empty() && list.iter().all(|item| check(item));
        let principal = match &self.principal {
            Some(Principal::Federated(list) | Principal::Qcs(list)) => all(list, is_six_segments),
            Some(Principal::Service(list)) => all(list, |service| service.ends_with(".qcloud.com")),
            None => true,
        };
        let resource = self.resource.as_ref();
        let checks = [
            ("effect", self.effect == Effect::Allow),
            ("action", all(&self.action, is_action)),
            ("principal or resource", self.principal.is_some() != resource.is_some()),
            ("principal", principal),
            ("resource", resource.is_none_or(|list| all(list, |it| it == "*" || is_six_segments(it)))),
            ("condition", self.condition.as_ref().is_none_or(Condition::is_complete)),
        ];
        checks.into_iter().find(|(_, good)| !good).map_or(Ok(()), |(part, _)| Err(format!("wrong: {part}")))
    }
}

// === impl Condition ===

impl Condition {
    fn is_complete(&self) -> bool {
        let names_a_key =
            |key: &str| key.split_once(':').is_some_and(|(service, key)| !service.is_empty() && !key.is_empty());
        !self.string_equal.is_empty()
            && self.string_equal.iter().all(|(key, values)| names_a_key(key) && !values.is_empty())
    }
}

/// `service:Action`, or `name/service:Action`.
fn is_action(text: &str) -> bool {
    let action = text.strip_prefix("name/").unwrap_or(text);
    action.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty()
            && service.bytes().all(|byte| byte.is_ascii_lowercase())
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// `qcs:project:service:region:account:resource`.
fn is_six_segments(text: &str) -> bool {
    let segments: Vec<&str> = text.split(':').collect();
    let [qcs, _, service, _, account, resource] = segments[..] else { return false };
    qcs == "qcs" && !service.is_empty() && account.starts_with("uin/") && !resource.is_empty()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The policies, by their files.
fn policies() -> BTreeMap<String, Policy> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let policies = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let files = policies.map(|path| format!("deploy/{}", path.file_name().unwrap().display()));
    files.map(|file| (file.clone(), Policy::read(&file))).collect()
}

/// The commands in the shell blocks of a page, each on one line.
fn commands(page: &str) -> Vec<String> {
    let text = read(page);
    let blocks = text.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.map(|block| block.replace("\\\n", " ")).collect::<String>();
    lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// What follows an option of a command.
fn option<'a>(command: &'a str, name: &str) -> &'a str {
    let (_, after) = command.split_once(&format!("--{name} ")).unwrap_or_else(|| panic!("no --{name}: {command}"));
    after.split(' ').next().unwrap()
}

fn file_of(command: &str) -> &str {
    let (_, after) = command.split_once("--PolicyDocument \"$(cat ").unwrap_or_else(|| panic!("no file: {command}"));
    after.split_once(")\"").unwrap().0
}

#[test]
fn every_policy_obeys_the_grammar() {
    let policies = policies();
    let trust: Vec<&str> =
        policies.iter().filter(|(_, policy)| policy.is_trust()).map(|(file, _)| file.as_str()).collect();
    assert_eq!(trust, policies.keys().filter(|file| file.ends_with("-trust-policy.json")).collect::<Vec<_>>());
    assert_eq!(policies.len(), 6);
}

#[test]
fn an_error_in_a_policy_is_found() {
    let files = ["deploy/cam-policy.json", "deploy/tke-trust-policy.json"];
    let changes = [
        (0, r#""version": "2.0""#, r#""version": "1""#),
        (0, "allow", "Allow"),
        (0, "\"action\"", "\"Action\""),
        (0, "cam:ListUsers", "ListUsers"),
        (0, "cam:ListUsers", "cam:list users"),
        (0, r#"["*"]"#, r#""*""#),
        (0, r#"["*"]"#, r#"["qcs::cam:uin/1:root"]"#),
        (0, r#""resource": ["*"]"#, r#""condition": {"string_equal": {"a:b": ["c"]}}"#),
        (1, "federated", "Federated"),
        (1, "string_equal", "StringEquals"),
        (1, "oidc:aud", "aud"),
        (1, r#"["sts.cloud.tencent.com"]"#, "[]"),
        (1, "oidc-provider/cls-example", ""),
    ];
    for (file, from, to) in changes {
        let text = read(files[file]);
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from}");
        assert!(Policy::parse(&text).is_ok() && Policy::parse(&wrong).is_err(), "{from} to {to} is accepted");
    }
}

#[test]
fn the_policies_allow_what_is_called_and_no_more() {
    let policies = policies();
    let assume = format!("{}:{}", AssumeRole::SERVICE, AssumeRole::NAME);
    let members = format!("{}:{}", DescribeOrganizationMembers::SERVICE, DescribeOrganizationMembers::NAME);
    let of_others = [GetCallerIdentity::NAME, DescribeOrganizationMembers::NAME];
    let of_cam = ACTIONS.into_iter().filter(|name| !of_others.contains(name));
    let of_cam: Vec<String> = of_cam.map(|name| format!("{}:{name}", ListAccessKeys::SERVICE)).collect();
    let by_role = format!("name/{assume}");
    let by_token = format!("name/{}:{}", AssumeRoleWithWebIdentity::SERVICE, AssumeRoleWithWebIdentity::NAME);
    let expected = [
        ("account-trust", vec![by_role.as_str()]),
        ("assume-role", vec![&assume]),
        ("cam", of_cam.iter().map(String::as_str).collect()),
        ("cvm-trust", vec![&by_role]),
        ("organization", vec![&members, &assume]),
        ("tke-trust", vec![&by_token]),
    ];
    for ((file, policy), (name, actions)) in policies.iter().zip(expected) {
        assert_eq!(file, &format!("deploy/{name}-policy.json"));
        assert_eq!(policy.actions(), actions.into_iter().collect(), "{file}");
    }
    assert_eq!(policies["deploy/cam-policy.json"].resources(), BTreeSet::from(["*"]));
}

#[test]
fn the_role_of_a_pod_fits_the_example_for_tke() {
    let policy = Policy::read("deploy/tke-trust-policy.json");
    let example = read("deploy/kubernetes/overlays/examples/tke/kustomization.yaml");
    let value = |line: &str| {
        let found = example.lines().find_map(|it| it.trim().trim_start_matches("- ").strip_prefix(line));
        found.unwrap_or_else(|| panic!("the example has no {line}")).to_owned()
    };
    let role = value("TKE_ROLE_ARN=");
    let account = role.split(":roleName/").next().unwrap();
    let provider = format!("{account}:oidc-provider/{}", value("TKE_PROVIDER_ID="));
    assert_eq!(policy.statement[0].principal, Some(Principal::Federated(vec![provider])));
    let account = read("deploy/kubernetes/base/serviceaccount.yaml");
    let name = account.lines().find_map(|line| line.trim().strip_prefix("name: ")).unwrap();
    let subject = format!("system:serviceaccount:{}:{name}", value("namespace: "));
    assert_eq!(policy.required("oidc:sub"), [subject]);
    let component = read("deploy/kubernetes/components/tke-oidc/standalone.yaml");
    assert!(component.contains(&format!("audience: {}\n", policy.required("oidc:aud")[0])));
    let issuer = format!("https://{}-oidc.", value("TKE_REGION="));
    assert!(policy.required("oidc:iss")[0].starts_with(&issuer));
    assert!(Policy::read("deploy/assume-role-policy.json").resources().contains(role.as_str()));
}

#[test]
fn the_documented_commands_create_roles_of_these_policies() {
    let policies = policies();
    let mut created = BTreeSet::new();
    for page in PAGES {
        let (mut names, mut roles) = (BTreeSet::new(), BTreeSet::new());
        let commands = commands(page);
        for command in commands.iter().filter(|command| command.starts_with("tccli cam ")) {
            match command.split(' ').nth(2).unwrap() {
                action @ ("CreatePolicy" | "CreateRole") => {
                    let file = file_of(command);
                    let is_role = action == "CreateRole";
                    assert_eq!(policies[file].is_trust(), is_role, "{page}: {command}");
                    created.insert(file.to_owned());
                    if is_role {
                        roles.insert(option(command, "RoleName"));
                    } else {
                        names.insert(option(command, "PolicyName"));
                    }
                }
                "AttachRolePolicy" => {
                    assert!(roles.contains(option(command, "AttachRoleName")), "{page}: {command}");
                    assert!(names.contains(option(command, "PolicyName")), "{page}: {command}");
                }
                "AttachUserPolicy" | "DescribeOIDCConfig" => {}
                other => panic!("{page}: {other}"),
            }
        }
    }
    assert_eq!(created, policies.keys().cloned().collect());
}

#[test]
fn the_terraform_resources_name_these_policies() {
    let page = read(PAGES[0]);
    let block = page.split("```hcl\n").nth(1).unwrap().split("```").next().unwrap();
    let files: Vec<&str> = block.split("file(\"").skip(1).map(|after| after.split('"').next().unwrap()).collect();
    let [policy, role] = files[..] else { panic!("{files:?}") };
    assert!(!Policy::read(policy).is_trust() && Policy::read(role).is_trust());
    // A document has no copy of a policy that could differ from the file.
    assert!(PAGES.iter().all(|page| !read(page).contains("\"statement\"")));
}
