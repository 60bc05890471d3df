//! The fields of `organization`, and the accounts of its members.

use exporter_toolkit::yaml::{Fields, Node, Notes, Refused, fields};
use tencentcloud_api::{
    Endpoint, Uin,
    metadata::RoleName,
    sts::{AssumeRole, RoleArn, SessionDuration},
};

use super::{
    Account, Credentials, Shard, ShardBy,
    read::{duration, patterns},
};
use crate::{
    PROGRAM,
    inventory::AccountName,
    pattern::Pattern,
    poll::{Discovery, Interval},
};

fields! {
    /// `organization`.
    pub(super) struct OrganizationFields {
        role_name: RoleName, read Node::parse,
            required "add it, the name of a role that each member has, such as exporter";
        interval: Interval, read duration(Interval::new), default Interval::OF_ORGANIZATION;
        include: Vec<Pattern>, read patterns, default vec![];
        exclude: Vec<Pattern>, read patterns, default vec![];
        endpoint: Endpoint, read Node::parse, default Endpoint::organization();
    }
}

/// An organization. Each member is polled as an account of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The role to assume in each member.
    pub role_name: RoleName,
    /// How often to list the members, and which to poll, by name or UIN.
    pub members: Discovery,
    /// How to discover the users of each member.
    pub users: Discovery,
    /// The endpoint of the organization's API.
    pub endpoint: Endpoint,
    /// The shard that this exporter is.
    pub shard: Shard,
}

// === impl Account ===

impl Account {
    /// The account of a member of the organization; `None` if another shard polls it.
    #[must_use]
    pub fn member(&self, uin: Uin) -> Option<Self> {
        let organization = self.organization.as_ref()?;
        // A UIN is always a valid account name.
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
        member.clear_users();
        member.discover = Some(organization.users.clone());
        Some(member)
    }

    /// Removes all users of its own.
    pub(super) fn clear_users(&mut self) {
        self.uins.clear();
        (self.uins_file, self.include_self, self.discover) = (None, false, None);
    }
}

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Organization, Refused> {
    let fields = OrganizationFields::read(node, notes)?;
    Ok(Organization {
        role_name: fields.role_name()?,
        members: Discovery {
            interval: fields.interval()?,
            include: fields.include()?,
            exclude: fields.exclude()?,
            user_types: vec![],
        },
        users: Discovery::default(),
        endpoint: fields.endpoint()?,
        shard: Shard::WHOLE,
    })
}
