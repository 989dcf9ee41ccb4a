//! `bench status`, `bench down` and `bench nemesis --attach`: requests to a cluster that `bench up` keeps.

use crate::cli::{Kept, Nemesis};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge::print_value;
use crate::terminal::events::{FaultNotice, Stage};
use crate::terminal::{BAD, FAINT, GOOD, Screen};
use nemesis::{AskError, Reply, Request};
use report::brief_evidence;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The default folder in which `bench up` makes the folder of its cluster.
const KEPT: &str = "results/up";

/// Says how the nodes of a cluster are. Valid if all of them answer.
///
/// # Errors
/// When no cluster is kept in the folder.
pub(crate) fn status(arguments: &Kept) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.json);
    let mut nodes = Vec::new();
    let folder = kept(arguments)?;
    let well = ask(&folder, &Request::Status, |reply| {
        let Reply::Node(node) = reply else { return };
        let how = match (node.up, node.spare) {
            (true, _) => format!("{GOOD}up{GOOD:#}   "),
            (false, true) => format!("{FAINT}spare{FAINT:#}"),
            (false, false) => format!("{BAD}down{BAD:#} "),
        };
        let leads = if node.leads { "leads" } else { "" };
        let applied = node.applied.map_or_else(String::new, |slots| format!("{slots} slots applied"));
        screen.line(&format!(
            "  {:6} {how} {leads:5} {applied:24} {FAINT}{}  {}{FAINT:#}",
            node.node,
            node.address,
            node.socket.display()
        ));
        nodes.push(json!(node));
    })?;
    if arguments.json {
        print_value(&json!({ "nodes": nodes, "well": well }))?;
    }
    Ok(if well { Exit::Valid } else { Exit::Failed })
}

/// Stops a cluster.
///
/// # Errors
/// When no cluster is kept in the folder.
pub(crate) fn down(arguments: &Kept) -> Result<Exit, Failure> {
    ask(&kept(arguments)?, &Request::Down, |_| ())?;
    Screen::new(arguments.json).line("the cluster is stopped");
    Ok(Exit::Valid)
}

/// Injects faults into a cluster that runs, at once, and waits until all of them are healed. Unknown if one left no
/// evidence; nothing is checked, because the operations on the cluster are not recorded.
///
/// # Errors
/// When no cluster is kept in the folder, or it cannot be hurt in this way.
pub(crate) fn nemesis(arguments: &Nemesis, folder: &Path) -> Result<Exit, Failure> {
    if !arguments.options.sets.is_empty() || arguments.options.out.is_some() {
        return Err(Failure::usage(
            "--attach",
            "--set and --out belong to a run, and this cluster runs already",
        ));
    }
    if arguments.ci.is_asked() {
        return Err(Failure::usage(
            "--attach",
            "--junit, --summary and --sarif belong to a run with a verdict",
        ));
    }
    let screen = Screen::new(arguments.options.json);
    let seed = arguments.options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let request = Request::faults(arguments.faults.faults(arguments.lasts)?, seed, None);
    screen.line(&format!("seed {seed}  {}", folder.display()));
    let mut events = Vec::new();
    let well = ask(folder, &request, |reply| {
        let Reply::Event { event } = reply else { return };
        if let Some(event) = FaultNotice::read(&event) {
            let what = match event.stage {
                Stage::Start => event.label.clone(),
                Stage::End => format!("healed: {}", event.label),
                Stage::Exit => event.exit_in_words(),
            };
            let shown = match (&event.evidence[..], &event.note) {
                ([], Some(note)) => format!("no evidence: {note}"),
                ([], None) => "no evidence".to_owned(),
                (lines, _) => brief_evidence(lines),
            };
            screen.line(&format!("  {what}  {FAINT}{shown}{FAINT:#}"));
        }
        events.push(json!(event));
    })?;
    if arguments.options.json {
        print_value(&json!({ "seed": seed, "events": events, "well": well }))?;
    }
    Ok(if well { Exit::Valid } else { Exit::Unknown })
}

/// The folder that was named, or that of the one cluster that is up.
fn kept(arguments: &Kept) -> Result<PathBuf, Failure> {
    arguments.folder.clone().map_or_else(|| the_one_below(Path::new(KEPT)), Ok)
}

fn the_one_below(kept: &Path) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(kept).into_iter().flatten();
    let mut up: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    up.retain(|folder| nemesis::is_listening(folder));
    up.sort();
    match &up[..] {
        [one] => Ok(one.clone()),
        [] => Err(Failure::usage(kept.display().to_string(), "no cluster is up there").help(
            "`bench up` starts one; one that is up elsewhere is found by its folder: bench status DIR",
        )),
        several => {
            let names: Vec<String> = several.iter().map(|folder| folder.display().to_string()).collect();
            let what = format!("{} clusters are up there: {}", names.len(), names.join(", "));
            Err(Failure::usage(kept.display().to_string(), what).help("say which: bench status DIR"))
        }
    }
}

/// Asks the cluster that is kept in a folder, and hands on what it answers. Gives whether all was well.
fn ask(folder: &Path, request: &Request, hear: impl FnMut(Reply)) -> Result<bool, Failure> {
    nemesis::ask(folder, request, hear).map_err(|error| {
        let (location, text) = (folder.display().to_string(), error.to_string());
        let (what, help) = text.split_once("; ").map_or((&*text, None), |(what, help)| (what, Some(help)));
        let failure = match error {
            AskError::Absent(_) | AskError::Refused(_) => Failure::usage(location, what),
            AskError::Broken(_) => Failure::bench(location, what),
        };
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_one_cluster_that_is_up_is_found() {
        let top = tempfile::tempdir().unwrap();
        let none = the_one_below(top.path()).unwrap_err();
        assert!(none.help.unwrap().contains("bench up"));
        let listen = |name: &str| {
            let folder = top.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            UnixListener::bind(folder.join(nemesis::SOCKET)).unwrap()
        };
        // A killed bench leaves a socket without a listener.
        drop(listen("a"));
        let _b = listen("b");
        assert_eq!(the_one_below(top.path()).unwrap(), top.path().join("b"));
        let _c = listen("c");
        let several = the_one_below(top.path()).unwrap_err();
        assert!(several.what.contains("2 clusters are up"), "{}", several.what);
    }
}
