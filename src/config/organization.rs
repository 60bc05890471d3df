//! The section `organization` of an account, and the accounts that its members are.

use exporter_toolkit::yaml::{Node, Notes, Refused};
use tencentcloud_api::{
    Endpoint, Uin,
    metadata::RoleName,
    sts::{AssumeRole, RoleArn, SessionDuration},
};

use super::{Account, Credentials, Shard, ShardBy, discover::patterns, scalar::duration};
use crate::{
    PROGRAM,
    inventory::AccountName,
    poll::{Discovery, Interval},
};

/// The fields of `organization`.
pub(super) const ORGANIZATION: &[&str] = &["role_name", "interval", "include", "exclude", "endpoint"];

/// An organisation, each member of which is polled as an account of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The role that is taken on in each member.
    pub role_name: RoleName,
    /// How often the members are listed, and who of them is wanted, by name or UIN.
    pub members: Discovery,
    /// How the users of each member are found.
    pub users: Discovery,
    /// Where the organisation's API is reached.
    pub endpoint: Endpoint,
    /// Who of the exporters that share the work this is.
    pub shard: Shard,
}

// === impl Account ===

impl Account {
    /// The account of a member of its organisation; nothing if that is another shard's.
    #[must_use]
    pub fn member(&self, uin: Uin) -> Option<Self> {
        let organization = self.organization.as_ref()?;
        // Digits alone are always a name.
        let name: AccountName = uin.to_string().parse().ok()?;
        let shard = match self.shard_by {
            ShardBy::Account if !organization.shard.owns_account(&name) => return None,
            ShardBy::Account => Shard::WHOLE,
            ShardBy::User => organization.shard,
        };
        let request = AssumeRole {
            role_arn: RoleArn::named(uin, &organization.role_name),
            role_session_name: PROGRAM.into(),
            duration_seconds: SessionDuration::default(),
            external_id: None,
        };
        let mut member = Self {
            name,
            credentials: Credentials::AssumeRole {
                request: Box::new(request),
                source: Box::new(self.credentials.clone()),
            },
            shard,
            organization: None,
            ..self.clone()
        };
        member.has_no_users();
        member.discover = Some(organization.users.clone());
        Some(member)
    }

    /// Leaves it no users of its own.
    pub(super) fn has_no_users(&mut self) {
        self.uins.clear();
        (self.uins_file, self.include_self, self.discover) = (None, false, None);
    }
}

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Organization, Refused> {
    let mut role_name = None;
    let mut members = Discovery { interval: Interval::OF_ORGANIZATION, ..Discovery::default() };
    let mut endpoint = Endpoint::organization();
    let mut whole = Ok(());
    node.each_field(&[ORGANIZATION], notes, |name, field, notes| {
        let read = match name {
            "role_name" => {
                role_name = Some(field.parse(notes));
                Ok(())
            }
            "interval" => {
                field.scalar(notes, |text| duration(text, Interval::new)).map(|interval| members.interval = interval)
            }
            "include" => patterns(&field, notes).map(|patterns| members.include = patterns),
            "exclude" => patterns(&field, notes).map(|patterns| members.exclude = patterns),
            _ => field.parse(notes).map(|other| endpoint = other),
        };
        whole = whole.and(read);
    })?;
    let role_name = role_name.unwrap_or_else(|| {
        Err(node.refuse(notes, "no role_name: add it, the name of a role that each member has, such as exporter"))
    });
    whole?;
    Ok(Organization { role_name: role_name?, members, users: Discovery::default(), endpoint, shard: Shard::WHOLE })
}
