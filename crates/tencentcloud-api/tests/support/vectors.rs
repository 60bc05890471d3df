//! Signatures known to be right: thirteen made with the official Python SDK, two printed in Tencent's own documents.

use secrecy::SecretString;
use serde_json::Value;
use tencentcloud_api::Credential;

/// A request with its signature.
pub(crate) struct Vector(Value);

impl Vector {
    /// The vector of that name.
    pub(crate) fn named(name: &str) -> Self {
        let vectors: Vec<Value> = serde_json::from_str(include_str!("tc3_vectors.json")).unwrap();
        let vector = vectors.into_iter().find(|vector| vector["name"] == name);
        Self(vector.unwrap_or_else(|| panic!("no vector {name}")))
    }

    /// A field, which holds text.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    /// `X-TC-Timestamp`.
    pub(crate) fn timestamp(&self) -> i64 {
        self.0["timestamp"].as_i64().unwrap()
    }

    /// The headers that are sent, `Authorization` aside.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0["headers"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
    }

    /// Who signed.
    pub(crate) fn credential(&self) -> Credential {
        let token = Some(self.text("token")).filter(|token| !token.is_empty());
        Credential {
            secret_id: self.text("secret_id").into(),
            secret_key: self.text("secret_key").into(),
            token: token.map(SecretString::from),
        }
    }
}

/// A test for each vector, by its name, that calls `$check` with it.
macro_rules! for_each_vector {
    ($check:path) => {
        $crate::vectors::for_each_vector! { $check:
            cam_list_access_keys_target_uin
            cam_list_access_keys_empty_body
            cam_list_access_keys_token_region
            cam_get_user_non_ascii
            cam_get_user_non_ascii_raw_utf8
            cam_list_access_keys_intl_region_midnight
            cam_list_access_keys_regional_host_after_midnight
            cam_get_security_last_used
            sts_get_caller_identity
            sts_assume_role
            organization_describe_members
            cam_list_access_keys_get
            cam_list_access_keys_unsigned_payload
            published_doc_example_cvm
            published_doc_example_cvm_action_signed
        }
    };
    ($check:path: $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                $check(&$crate::vectors::Vector::named(stringify!($name)));
            }
        )+
    };
}

pub(crate) use for_each_vector;
