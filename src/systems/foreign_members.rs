//! The members of other systems than the own store: listed, added and removed by `[members]`.

use super::foreign;
use super::words::Words;
use crate::spec::members::{MemberCall, MembersSpec};
use crate::spec::sections::{Cluster, PlannedNode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use nemesis::{Members, ProcessCommand, Testbed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Weak;
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinSet;
use workloads::HttpConnection;

/// Time limit of a node's answer about the members.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Time limit of a change before another node is tried.
const DECIDED_WITHIN: Duration = Duration::from_millis(1500);
/// The largest answer that is read.
const LARGEST_BODY: usize = 1 << 20;
/// Largest number of characters of an answer in a message.
const SHOWN: usize = 200;

/// The interface to the members of such a system.
#[derive(Debug)]
pub(crate) struct ForeignMembers {
    pub(super) spec: MembersSpec,
    pub(super) cluster: Cluster,
    /// It ends before the tasks that query it.
    pub(super) testbed: Weak<Testbed>,
    pub(super) folder: PathBuf,
}

/// An entry of the list: the node, and its id there.
type Entries = BTreeMap<String, String>;

/// A call with all words filled in.
struct Filled {
    call: MemberCall,
    env: Vec<(OsString, OsString)>,
}

impl ForeignMembers {
    /// The words of a node; none once the cluster is stopped.
    fn words(&self, node: &str) -> Option<Words> {
        let testbed = self.testbed.upgrade()?;
        Some(foreign::words(&self.cluster, &testbed, node, &self.folder, None))
    }

    /// The members, according to the largest group of agreeing nodes; and those nodes.
    async fn read(&self) -> Option<(Entries, Vec<String>)> {
        let mut asking = JoinSet::new();
        for node in self.cluster.planned_nodes() {
            let words = self.words(&node.name)?;
            let (call, address) = (filled(&self.spec.list.call(), &words, "", &words), words.own.address);
            asking.spawn(async move { (node.name, call.ask(address, ANSWER_WITHIN).await) });
        }
        let mut answers: BTreeMap<Entries, Vec<String>> = BTreeMap::new();
        while let Some(answer) = asking.join_next().await {
            if let Ok((node, Ok(text))) = answer
                && let Some(entries) = self.entries(&text)
            {
                answers.entry(entries).or_default().push(node);
            }
        }
        let most: (Entries, Vec<String>) = answers.into_iter().max_by_key(|(_, nodes)| nodes.len())?;
        // A node that is cut off or removed may list outdated members.
        let by_majority = most.1.iter().filter(|node| most.0.contains_key(*node)).count() * 2 > most.0.len();
        let (entries, mut nodes) = most;
        nodes.sort();
        by_majority.then_some((entries, nodes))
    }

    /// The nodes in an answer; none if it is no list of known nodes.
    fn entries(&self, text: &str) -> Option<Entries> {
        let list = &self.spec.list;
        let answer: Value = serde_json::from_str(text).ok()?;
        let is = |PlannedNode { name, .. }| Some((self.words(&name)?.fill_file(&list.is), name));
        let known: BTreeMap<String, String> =
            self.cluster.planned_nodes().into_iter().map(is).collect::<Option<_>>()?;
        let entry = |entry: &Value| {
            let node = known.get(&as_text(entry.pointer(&list.at)?)?)?.clone();
            let id = list.id.as_ref().map(|id| as_text(entry.pointer(id)?));
            Some((node, id.unwrap_or(Some(String::new()))?))
        };
        answer.pointer(&list.each)?.as_array()?.iter().map(entry).collect()
    }

    /// The members, with their source in words.
    pub(super) async fn members(&self) -> Option<Members> {
        let (entries, nodes) = self.read().await?;
        let source = format!("as {} say", nodes.join(", "));
        let source = if nodes.len() == 1 { source.replace(" say", " says") } else { source };
        Some(Members { names: entries.into_keys().collect(), under_way: false, version: 0, source })
    }

    /// Removes nodes and adds others, one after another.
    pub(super) async fn change(&self, add: &[String], remove: &[String]) -> Result<(), String> {
        let (entries, nodes) =
            self.read().await.ok_or("no majority of the members reports the same members")?;
        for node in remove {
            let id = entries.get(node).map_or("", String::as_str);
            let others: Vec<_> = nodes.iter().filter(|other| *other != node).collect();
            self.call(&self.spec.remove, node, id, &others).await?;
        }
        for node in add {
            let left: Vec<_> = nodes.iter().filter(|other| !remove.contains(other)).collect();
            self.call(&self.spec.add, node, "", &left).await?;
        }
        Ok(())
    }

    /// Sends a change to one member after another, until one reports success.
    async fn call(&self, call: &MemberCall, node: &str, id: &str, members: &[&String]) -> Result<(), String> {
        let mut failed = format!("no member is left to send the change of {node} to");
        for member in members {
            let words = self.words(node).zip(self.words(member));
            let (words, via) = words.ok_or("the cluster is stopped")?;
            match filled(call, &words, id, &via).ask(via.own.address, DECIDED_WITHIN).await {
                Ok(_) => return Ok(()),
                Err(reason) => failed = format!("{member}: {reason}"),
            }
        }
        Err(failed)
    }

    /// The command of a node that joins these members.
    pub(super) fn joining(&self, node: &str, members: &[String]) -> Result<ProcessCommand, String> {
        let mut cluster = self.cluster.clone();
        cluster.more_args.extend(self.spec.join_args.iter().cloned());
        let planned = cluster.planned_nodes().into_iter().find(|planned| planned.name == node);
        let planned = planned.ok_or_else(|| format!("there is no node {node}"))?;
        let testbed = self.testbed.upgrade().ok_or("the cluster is stopped")?;
        foreign::command(&cluster, &testbed, &planned, &self.folder, Some(members))
            .map_err(|failure| failure.what)
    }
}

fn filled(call: &MemberCall, words: &Words, id: &str, via: &Words) -> Filled {
    let fill =
        |text: &String| words.fill_file_with(text, &[("id", id), ("via", &via.own.address.to_string())]);
    let headers = call.headers.iter().map(|(name, text)| (name.clone(), fill(text))).collect();
    let call = MemberCall {
        request: fill(&call.request),
        headers,
        body: fill(&call.body),
        exec: call.exec.iter().map(fill).collect(),
    };
    Filled { call, env: workloads::inherited().collect() }
}

impl Filled {
    /// The answer to the call; the error is why there is none.
    async fn ask(self, address: SocketAddr, patience: Duration) -> Result<String, String> {
        let asking =
            async { if self.call.exec.is_empty() { self.request(address).await } else { self.run().await } };
        let late = |_| Err(format!("no answer within {patience:?}"));
        tokio::time::timeout(patience, asking).await.unwrap_or_else(late)
    }

    async fn request(&self, address: SocketAddr) -> Result<String, String> {
        let MemberCall { request, headers, body, .. } = &self.call;
        let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
        let mut builder =
            Request::builder().method(method).uri(path).header(header::HOST, address.to_string());
        if body.trim_start().starts_with(['{', '[']) {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        let request =
            builder.body(Full::new(Bytes::from(body.clone()))).map_err(|error| error.to_string())?;
        let mut connection =
            HttpConnection::open(address).await.map_err(|lost| lost.in_words().to_owned())?;
        let answer = connection.exchange(request, LARGEST_BODY).await.map_err(|_| "no answer".to_owned())?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if answer.status().is_success() {
            return Ok(text);
        }
        Err(format!(
            "it answered {}: {}",
            answer.status(),
            text.chars().take(SHOWN).collect::<String>().trim()
        ))
    }

    async fn run(&self) -> Result<String, String> {
        let exec = &self.call.exec;
        let failed = |error: std::io::Error| format!("`{}` cannot be run: {error}", exec.join(" "));
        let mut child = Command::from(nemesis::guarded_command(&exec[0], &exec[1..], &self.env))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        // Its guard ends it when this closes.
        let input = child.stdin.take();
        let output = child.wait_with_output().await.map_err(failed)?;
        drop(input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let printed = text(&output.stderr) + &text(&output.stdout);
        let printed: String = printed.trim().chars().take(SHOWN).collect();
        Err(format!("`{}` failed ({}): {printed}", exec.join(" "), output.status))
    }
}

/// A number or a text as a text.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
