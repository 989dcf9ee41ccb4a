//! Checks of `[members]`: calls that can be made, pointers, and words.

use crate::failure::Failure;
use crate::spec::Experiment;
use crate::spec::members::MemberCall;
use crate::spec::sections::Cluster;
use crate::systems::foreign;
use crate::systems::words::{self, WORDS};
use std::path::Path;

/// Everything about the members of a system that is not the bench's own.
pub(super) fn check(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let Some(members) = &experiment.spec.members else { return Ok(()) };
    let list = &members.list;
    let complain = |key: &str, what: &str| Err(experiment.complaint(&format!("members.{key}"), what));
    for (key, pointer) in [("each", Some(&list.each)), ("at", Some(&list.at)), ("id", list.id.as_ref())] {
        if pointer.is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            return complain(
                &format!("list.{key}"),
                "a JSON pointer begins with /, for example \"/members\"",
            );
        }
    }
    let via: &[&str] = &["via"];
    let id: &[&str] = if list.id.is_some() { &["via", "id"] } else { via };
    one(experiment, cluster, "list", &list.call(), via)?;
    one(experiment, cluster, "add", &members.add, via)?;
    one(experiment, cluster, "remove", &members.remove, id)?;
    let plain = members.join_args.iter().find_map(|text| words::unknown(text, &cluster.ports));
    let of_list = words::unknown_in_file(&list.is, &cluster.ports);
    for (key, word) in [("join-args", plain), ("list.is", of_list)] {
        if let Some(word) = word {
            return complain(
                key,
                &format!("there is no {{{word}}}; it could be {WORDS} and the names of `ports`"),
            );
        }
    }
    Ok(())
}

fn one(
    experiment: &Experiment,
    cluster: &Cluster,
    key: &str,
    call: &MemberCall,
    further: &[&str],
) -> Result<(), Failure> {
    let complain =
        |field: &str, what: &str| Err(experiment.complaint(&format!("members.{key}{field}"), what));
    match (call.request.is_empty(), call.exec.first()) {
        (true, None) => return complain("", "say how: with a request, or with a command in exec"),
        (false, Some(_)) => return complain(".exec", "there is a request too; remove one of the two"),
        (true, Some(program)) => {
            let set = format!("--set members.{key}.exec.1=");
            if let Err(reason) = foreign::find(Path::new(program), &set) {
                return complain(".exec", &reason);
            }
        }
        (false, None) => {
            let (method, path) = call.request.split_once(' ').unwrap_or_default();
            let is_method = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase());
            if !is_method || !path.starts_with('/') {
                return complain(".request", "a method and a path, for example \"POST /members\"");
            }
        }
    }
    let texts = [("request", &call.request), ("body", &call.body)].into_iter();
    let texts = texts.chain(call.headers.values().map(|text| ("headers", text)));
    for (field, text) in texts.chain(call.exec.iter().map(|text| ("exec", text))) {
        if let Some(word) = words::unknown_in_call(text, &cluster.ports, further) {
            let further: Vec<_> = further.iter().map(|word| format!(", {{{word}}}")).collect();
            let what = format!("there is no {{{word}}}; it could be {WORDS}{}", further.concat());
            return complain(&format!(".{field}"), &what);
        }
    }
    Ok(())
}
