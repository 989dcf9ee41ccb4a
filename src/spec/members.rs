//! How the members of a system are listed and changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[members]`: how the members of the system are listed, added and removed, for the fault `reconfigure`. A node is started when it
/// has become a member, and ended, with its data removed, when it is none any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MembersSpec {
    /// Lists the members.
    pub list: MemberList,
    /// Adds a node.
    pub add: MemberCall,
    /// Removes a node.
    pub remove: MemberCall,
    /// Arguments behind the others, of a node that joins. In all arguments of such a node, {members} are those of that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub join_args: Vec<String>,
}

/// `[members.list]`: a call whose answer is JSON with a list of members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MemberList {
    /// Over HTTP, asked of each node: method and path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Headers of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Instead of a request: a command that prints the answer. {via} is the address of the node that is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// A JSON pointer to the list.
    pub each: String,
    /// A JSON pointer, in an entry of the list, to what tells which node it is.
    pub at: String,
    /// What stands there for a node, with its words. Absent: {name}.
    #[serde(default = "name", skip_serializing_if = "is_name")]
    pub is: String,
    /// A JSON pointer, in an entry of the list, to what {id} stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// `[members.add]` and `[members.remove]`: a call about a node, with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MemberCall {
    /// Over HTTP, to one member after another until one answers with a status below 300: method and path. {id} is the id
    /// of the node in the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Headers of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Instead of a request: a command that succeeds when it is done. {via} is the address of a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
}

fn name() -> String {
    "{name}".to_owned()
}

fn is_name(text: &str) -> bool {
    text == "{name}"
}

impl MemberList {
    /// The call without what reads its answer.
    pub(crate) fn call(&self) -> MemberCall {
        let Self { request, headers, body, exec, .. } = self.clone();
        MemberCall { request, headers, body, exec }
    }
}
