//! The objects of `operations.json`, in their present and their older form (etcd
//! `tests/robustness/model/types.go`).

use serde::Deserialize;

/// One operation.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "ClientId", alias = "ClientID")]
    pub(super) client: u64,
    #[serde(rename = "Input")]
    pub(super) input: Request,
    #[serde(rename = "Call")]
    pub(super) call: i64,
    #[serde(rename = "Output")]
    pub(super) output: Response,
    #[serde(rename = "Return")]
    pub(super) end: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) range: Option<Range>,
    pub(super) txn: Option<Txn>,
    pub(super) lease_revoke: Option<Lease>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Lease {
    #[serde(rename = "LeaseID")]
    pub(super) id: i64,
}

/// One key, or all from `start` up to `end`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Range {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) revision: i64,
    pub(super) limit: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Txn {
    pub(super) conditions: Option<Vec<Condition>>,
    pub(super) operations_on_success: Option<Vec<Step>>,
    pub(super) operations_on_failure: Option<Vec<Step>>,
}

/// The key was last changed at this revision; 0: it is absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Condition {
    pub(super) key: String,
    #[serde(default)]
    pub(super) expected_revision: i64,
    #[serde(default)]
    pub(super) expected_version: i64,
}

/// A step of a transaction. Older files have the key and the value beside the type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Step {
    #[serde(rename = "Type")]
    kind: String,
    range: Option<Range>,
    put: Option<Put>,
    delete: Option<Delete>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    with_prefix: bool,
    #[serde(default)]
    value: Text,
    #[serde(rename = "LeaseID", default)]
    lease: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Put {
    key: String,
    value: Text,
    #[serde(rename = "LeaseID")]
    lease: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Delete {
    key: String,
}

/// A text, or the hash of one of 20 bytes and more.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) hash: u32,
}

/// What a step does.
pub(super) enum Does<'a> {
    Get(&'a str),
    List,
    Put { key: &'a str, value: &'a Text, lease: i64 },
    Delete(&'a str),
}

impl Entry {
    /// Whether this is a read of another revision than the store had.
    pub(super) fn reads_old(&self) -> bool {
        let asked = self.input.range.as_ref().map_or(0, |range| range.revision);
        asked != 0 && asked != self.output.revision
    }
}

impl Step {
    pub(super) fn does(&self) -> Result<Does<'_>, String> {
        let kind = self.kind.as_str();
        match (kind, &self.range, &self.put, &self.delete) {
            ("range-operation", Some(range), ..) if range.end.is_empty() => Ok(Does::Get(&range.start)),
            ("range-operation", Some(_), ..) => Ok(Does::List),
            ("put-operation", _, Some(put), _) => {
                Ok(Does::Put { key: &put.key, value: &put.value, lease: put.lease })
            }
            ("delete-operation", .., Some(delete)) => Ok(Does::Delete(&delete.key)),
            ("range", ..) if self.with_prefix => Ok(Does::List),
            ("range", ..) => Ok(Does::Get(&self.key)),
            ("put", ..) => Ok(Does::Put { key: &self.key, value: &self.value, lease: self.lease }),
            ("delete", ..) => Ok(Does::Delete(&self.key)),
            _ => Err(format!(
                "a step of the transaction has the type {kind:?}, which is not known or lacks its fields"
            )),
        }
    }

    /// The keys that a read asks for, where it says so in the present form.
    pub(super) fn range(&self) -> Option<&Range> {
        self.range.as_ref().filter(|_| self.kind == "range-operation")
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Response {
    pub(super) range: Option<Found>,
    pub(super) txn: Option<TxnResponse>,
    #[serde(default)]
    pub(super) revision: i64,
    error: Option<String>,
    client_error: Option<String>,
    /// It took effect, but its response was not seen.
    #[serde(default, alias = "PartialResponse")]
    persisted: bool,
}

impl Response {
    /// Whether the client got an answer.
    pub(super) fn answered(&self) -> bool {
        let failed = self.error.as_deref().is_some_and(|error| !error.is_empty());
        !failed && !self.persisted && (self.range.is_some() || self.txn.is_some())
    }

    /// Whether a read was answered from an old revision, or refused because of one.
    pub(super) fn stale(&self) -> bool {
        self.revision < 0 || self.client_error.as_deref().is_some_and(|error| !error.is_empty())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TxnResponse {
    #[serde(default)]
    pub(super) failure: bool,
    pub(super) results: Option<Vec<Found>>,
}

/// What a read found, or how many keys a delete removed, where it says so.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    #[serde(rename = "KVs")]
    pub(super) entries: Option<Vec<KeyValue>>,
    #[serde(rename = "Deleted", default)]
    pub(super) deleted: Option<i64>,
    /// How many keys there are in the range, whatever its limit.
    #[serde(rename = "Count", default)]
    pub(super) count: Option<i64>,
}

impl Found {
    /// Two keys that stand in another order than a range has them.
    pub(super) fn disorder(&self) -> Option<(&str, &str)> {
        let entries = self.entries.as_deref().unwrap_or_default();
        let pair = entries.windows(2).find(|pair| pair[0].key >= pair[1].key)?;
        Some((&pair[0].key, &pair[1].key))
    }

    /// Whether the count contradicts the entries: all of them without a limit, and at least as many with one.
    pub(super) fn miscounts(&self, range: &Range) -> bool {
        let entries = self.entries.as_ref().map_or(0, Vec::len) as u64;
        self.count.and_then(|count| u64::try_from(count).ok()).is_some_and(|count| match range.limit {
            0 => count != entries,
            _ => count < entries,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyValue {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: Text,
    #[serde(default)]
    pub(super) mod_revision: i64,
    /// How often the key was put since it was created.
    #[serde(default)]
    pub(super) version: i64,
}
