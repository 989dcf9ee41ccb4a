//! Files that describe a system: those built into the binary, and a user's own. A spec stands on top of them.

use super::document::Document;
use super::explain;
use super::path::{KeyPath, Step};
use std::path::Path;
use toml::{Table, Value};

/// The sections that a spec has from the file of its system.
const SECTIONS: [&str; 7] = ["cluster", "client", "status", "digest", "members", "load", "check"];
/// Those that it has from the system that `cluster.api` names.
const OF_API: [&str; 3] = ["client", "status", "digest"];
/// The interface of the bench's own store, which no file describes.
pub(crate) const KV: &str = "kv";

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/systems/", $name, ".toml")))),*]
    };
}

/// The systems inside the binary, by name, with the text of their files.
const BUILT_IN: &[(&str, &str)] = built_in!["etcd", "mariadb", "postgres", "redis"];

/// The file of a system, and the sections that are taken from it.
#[derive(Debug, Clone)]
pub(crate) struct SystemFile {
    /// Its text.
    pub document: Document,
    sections: &'static [&'static str],
    table: Table,
}

/// Why there is no file: the key that names it, what is wrong, and what to do.
pub(crate) type NoFile = (KeyPath, String, String);

/// The systems that `bench list` shows: name, what it is, and what it promises.
pub(crate) fn list() -> impl Iterator<Item = (&'static str, String)> {
    BUILT_IN.iter().map(|(name, text)| {
        let table: Table = text.parse().expect("a test reads every built-in system");
        let word = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        (*name, format!("{}; promises: {}", word("about"), word("promise")))
    })
}

/// The files that a spec stands on, the lowest first.
pub(crate) fn files(spec: &Table) -> Result<Vec<SystemFile>, NoFile> {
    let cluster = spec.get("cluster").and_then(Value::as_table);
    let named = |key: &str| cluster.and_then(|cluster| cluster.get(key)).and_then(Value::as_str);
    let path = |key: &str| KeyPath::default().key("cluster").key(key);
    let mut files = Vec::new();
    if let Some(system) = named("system").filter(|system| !matches!(*system, "paxos" | "command")) {
        files.push(open(system, &SECTIONS).map_err(|(what, help)| (path("system"), what, help))?);
    }
    if let Some(api) = named("api").filter(|api| *api != KV) {
        files.push(open(api, &OF_API).map_err(|(what, help)| (path("api"), what, help))?);
    }
    Ok(files)
}

fn open(name: &str, sections: &'static [&'static str]) -> Result<SystemFile, (String, String)> {
    let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|ending| ending == "toml");
    let document = if is_path {
        let text = std::fs::read_to_string(name).map_err(|error| {
            (
                format!("the file of the system, {name}, cannot be read: {error}"),
                "give the path of one".to_owned(),
            )
        })?;
        Document { name: name.to_owned(), text }
    } else {
        let Some((name, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) else {
            let names = BUILT_IN.iter().map(|(name, _)| *name).chain(["paxos", "command"]);
            let near = explain::nearest(name, names.clone());
            let near = near.map_or(String::new(), |near| format!("did you mean \"{near}\"? "));
            let names = names.collect::<Vec<_>>().join(", ");
            return Err((
                format!("there is no system \"{name}\""),
                format!(
                    "{near}there are {names}; the file of another one is named by its path, for example \"./{name}.toml\""
                ),
            ));
        };
        Document { name: format!("workloads/systems/{name}.toml"), text: (*text).to_owned() }
    };
    let table: Table = document.text.parse().map_err(|error: toml::de::Error| {
        let place = error.span().map_or_else(|| document.name.clone(), |span| document.location(&span));
        (format!("{place}: {}", error.message()), "the file of a system is TOML, as a spec is".to_owned())
    })?;
    let odd = table
        .keys()
        .find(|key| !SECTIONS.contains(&key.as_str()) && !["about", "promise"].contains(&key.as_str()));
    if let Some(odd) = odd {
        let has = SECTIONS.map(|section| format!("[{section}]")).join(", ");
        return Err((
            format!("{}: the file of a system has no \"{odd}\"", document.name),
            format!("it has about, promise, {has}; what is done to the system stands in the spec"),
        ));
    }
    Ok(SystemFile { document, sections, table })
}

/// A spec with everything that it does not say itself taken from the files that it stands on.
pub(crate) fn layered(spec: &Table, files: &[SystemFile]) -> Table {
    let mut below = Table::new();
    for file in files {
        let taken = file
            .sections
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), file.table.get(*name)?.clone())));
        below = over(taken.collect(), below);
    }
    over(spec.clone(), below)
}

/// One table over another. A client or a state of another kind takes nothing from the one below.
fn over(top: Table, mut below: Table) -> Table {
    for (key, value) in top {
        let merged = match (value, below.remove(&key)) {
            (Value::Table(top), Some(Value::Table(below))) if of_one_kind(&top, &below) => {
                Value::Table(over(top, below))
            }
            (value, _) => value,
        };
        below.insert(key, merged);
    }
    below
}

fn of_one_kind(top: &Table, below: &Table) -> bool {
    top.get("kind").is_none_or(|kind| below.get("kind").is_none_or(|other| kind == other))
}

/// What stands at a path, which leads through tables.
pub(crate) fn at<'a>(table: &'a Table, path: &[Step]) -> Option<&'a Value> {
    let (Step::Key(first), rest) = path.split_first()? else { return None };
    let value = table.get(first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

/// Puts a value at a path, which leads through tables.
pub(crate) fn put(table: &mut Table, path: &[Step], value: Value) {
    let Some((Step::Key(first), rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
    } else if let Value::Table(inner) =
        table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()))
    {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Table {
        let spec: Table = text.parse().unwrap();
        layered(&spec, &files(&spec).unwrap())
    }

    #[test]
    fn spec_stands_on_the_file_of_its_system() {
        let etcd = spec("[cluster]\nsystem = \"etcd\"\nprogram = \"/opt/etcd\"\nports.client = 1\n");
        assert_eq!(etcd["cluster"]["program"].as_str(), Some("/opt/etcd"));
        assert_eq!(etcd["cluster"]["ports"]["client"].as_integer(), Some(1));
        assert_eq!(etcd["cluster"]["ports"]["peer"].as_integer(), Some(2380));
        assert_eq!(etcd["client"]["kind"].as_str(), Some("http"));
        assert!(!etcd.contains_key("promise"));
    }

    #[test]
    fn every_built_in_system_says_what_it_is() {
        assert_eq!(list().count(), BUILT_IN.len());
        for (name, about) in list() {
            let (about, promise) = about.split_once("; promises: ").unwrap();
            assert!(!about.is_empty() && !promise.is_empty(), "{name}");
            assert!(spec(&format!("[cluster]\nsystem = \"{name}\"")).contains_key("cluster"), "{name}");
        }
    }

    #[test]
    fn client_of_another_kind_takes_nothing() {
        let other = spec("[cluster]\nsystem = \"etcd\"\n[client]\nkind = \"resp\"\nread.command = [\"GET\"]");
        assert!(other["client"].as_table().unwrap().get("write").is_none());
        let same = spec("[cluster]\nsystem = \"etcd\"\n[client.read]\nrequest = \"GET /x\"");
        assert_eq!(same["client"]["read"]["request"].as_str(), Some("GET /x"));
        assert!(same["client"]["read"].as_table().unwrap().contains_key("body"));
    }

    #[test]
    fn interface_of_another_system_is_its_client_only() {
        let fork = spec("[cluster]\nsystem = \"command\"\napi = \"redis\"\nprogram = \"my-fork\"");
        assert_eq!(fork["client"]["kind"].as_str(), Some("resp"));
        assert!(fork["cluster"].as_table().unwrap().get("args").is_none());
        assert!(spec("[cluster]\nsystem = \"command\"\napi = \"kv\"").get("client").is_none());
    }

    #[test]
    fn unknown_system_is_named_with_the_nearest() {
        let wrong: Table = "[cluster]\nsystem = \"ectd\"".parse().unwrap();
        let (path, what, help) = files(&wrong).unwrap_err();
        assert_eq!(
            (path.to_string().as_str(), what.as_str()),
            ("cluster.system", "there is no system \"ectd\"")
        );
        assert!(help.starts_with("did you mean \"etcd\"?") && help.contains("./ectd.toml"), "{help}");
        let wrong: Table = "[cluster]\nsystem = \"./no.toml\"".parse().unwrap();
        assert!(files(&wrong).unwrap_err().1.contains("./no.toml, cannot be read"));
    }
}
