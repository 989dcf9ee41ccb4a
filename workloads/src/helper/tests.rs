//! Helpers that do well and badly, each a shell that answers request by request; and sections that are refused.

use super::*;
use crate::outcome::{Answer, ending};
use serde_json::{Value, json};
use std::time::Instant;

fn client(command: &str, more: &str) -> ClientSpec {
    toml::from_str(&format!("kind = \"exec\"\ncommand = ['/bin/sh', '-c', '''{command}''']\n{more}")).unwrap()
}

fn load(text: &str) -> LoadSpec {
    toml::from_str(text).unwrap()
}

/// Without a guard, as this program is none: the shell ends when its input is closed.
fn command(program: &str, args: &[String], env: &[(OsString, OsString)]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(env.iter().map(|(name, text)| (name, text)));
    command
}

fn clients(script: &str, folder: &std::path::Path, timeout: Duration) -> HelperClients {
    let start = HelperStart { command, folder: folder.to_owned() };
    HelperClients::new(
        &client(script, "env = { GREETING = \"hello\" }"),
        &LoadSpec { timeout, ..load("") },
        start,
    )
}

/// What is asked of one client: the outcome of each operation, in the words of a history.
/// Besides, how many processes ended, wrote nonsense, and were silent.
async fn outcomes(script: &str, functions: &[Function], timeout: Duration) -> (Vec<String>, [u64; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let clients = clients(script, folder.path(), timeout);
    let mut speaker = clients.speaker();
    let target = Target { name: "n1".to_owned(), address: ([127, 0, 0, 1], 1).into(), spare: false };
    let mut said = Vec::new();
    for function in functions {
        let argument = if function.is_read() { Value::Null } else { json!(7) };
        let operation = Operation { function: *function, key: "k1".to_owned(), argument };
        let mut sent = false;
        let asked = speaker.perform(&target, &operation, None, &mut sent);
        let happened = tokio::time::timeout(timeout, asked).await;
        let outcome = ending(&operation, happened.unwrap_or(Happened::Timeout)).outcome;
        said.push(match outcome {
            history::Outcome::Ok(value) => value.to_string(),
            history::Outcome::Fail { error, .. } => format!("fail {}", error.unwrap()),
            history::Outcome::Info { error } => error.unwrap(),
        });
    }
    let HelperCounts { started, exited, nonsense, silent } = clients.helpers().unwrap();
    // After the last one was given up no other need have been started.
    assert!(started > 0 && started + 1 >= exited + nonsense + silent, "{started} were started");
    (said, [exited, nonsense, silent])
}

/// A helper that answers line after line, with this in the place of an answer.
fn answering(answer: &str) -> String {
    format!(
        "while read -r line; do id=${{line#*:}}; id=${{id%%,*}}; {answer}; done; # the request has its id first"
    )
}

const OK: &str = r#"echo "{\"id\":$id,\"type\":\"ok\",\"value\":3}""#;
const READS: [Function; 2] = [Function::Read, Function::Read];
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
/// Where an operation must run out of time.
const SHORT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn one_process_answers_all_operations() {
    let (said, given_up) =
        outcomes(&answering(OK), &[Function::Read, Function::Write, Function::Read], LONG).await;
    assert_eq!(said, ["3", "7", "3"]);
    assert_eq!(given_up, [0, 0, 0]);
    let (said, _) =
        outcomes(&answering(r#"echo "{\"id\":$id,\"type\":\"ok\",\"value\":\"$GREETING\"}""#), &READS, LONG)
            .await;
    assert_eq!(said, [r#""hello""#; 2]);
}

#[tokio::test]
async fn whatever_is_no_answer_is_unknown() {
    let (ended, nonsense) = ([2, 0, 0], [0, 2, 0]);
    for (answer, first, second, counts) in [
        ("exit 3", "helper-exited", "helper-exited", ended),
        ("printf half; exit 0", "helper-exited", "helper-exited", ended),
        ("echo hello", "helper-nonsense", "helper-nonsense", nonsense),
        ("echo", "helper-nonsense", "helper-nonsense", nonsense),
        (r#"echo "{\"id\":$id,\"type\":\"ok\"}""#, "helper-nonsense", "helper-nonsense", nonsense),
        (r#"echo "{\"id\":99,\"type\":\"ok\",\"value\":3}""#, "helper-nonsense", "helper-nonsense", nonsense),
        ("yes | tr -d '\\n'", "helper-nonsense", "helper-nonsense", nonsense),
        ("while true; do echo 1; done", "helper-nonsense", "helper-nonsense", nonsense),
    ] {
        let (said, given_up) = outcomes(&answering(answer), &READS, LONG).await;
        assert_eq!(said, [first, second], "{answer}");
        assert_eq!(given_up, counts, "{answer}");
    }
}

#[tokio::test]
async fn second_answer_costs_the_process_only() {
    let twice = format!("{OK}; {OK}; sleep 0.1");
    let (said, given_up) = outcomes(&answering(&twice), &READS, LONG).await;
    assert_eq!(said[0], "3");
    assert!(said[1] == "3" || said[1] == "helper-nonsense", "the second line may come late: {said:?}");
    assert_eq!(given_up, [0, 1, 0]);
}

#[tokio::test]
async fn late_answer_is_not_taken_for_the_next() {
    // The first is answered when the second was asked.
    let answer = |id: &str| format!(r#"echo "{{\"id\":{id},\"type\":\"ok\",\"value\":{id}}}""#);
    let late = format!("case $id in 1) ;; 2) {}; {};; *) {};; esac", answer("1"), answer("2"), answer("$id"));
    let (said, given_up) = outcomes(&answering(&late), &[Function::Read; 4], SHORT).await;
    assert_eq!(said, ["timeout", "2", "3", "4"]);
    assert_eq!(given_up, [0, 0, 0], "a late answer costs nothing");
}

#[tokio::test]
async fn silent_process_is_given_up() {
    // The first process falls silent after an answer, the next one answers.
    let silent = format!(
        "case $id in 1) {OK};; *) test -e \"$TMPDIR/helper-again\" && {OK} || {{ touch \"$TMPDIR/helper-again\"; sleep 3; }};; esac"
    );
    let folder = tempfile::tempdir().unwrap();
    let script = format!("TMPDIR={}; {}", folder.path().display(), answering(&silent));
    let begun = Instant::now();
    let (said, given_up) = outcomes(&script, &[Function::Read; 7], SHORT).await;
    assert_eq!(said, ["3", "timeout", "timeout", "timeout", "3", "3", "3"], "{:?}", begun.elapsed());
    assert_eq!(given_up, [0, 0, 1]);
}

#[tokio::test]
async fn program_that_cannot_start_was_never_asked() {
    let folder = tempfile::tempdir().unwrap();
    let start = HelperStart { command, folder: folder.path().to_owned() };
    let mut spec = client("", "");
    spec.command = vec!["/no/such/program".to_owned()];
    let clients = HelperClients::new(&spec, &load(""), start);
    let target = Target { name: "n1".to_owned(), address: ([127, 0, 0, 1], 1).into(), spare: false };
    let operation = Operation { function: Function::Read, key: "k1".to_owned(), argument: Value::Null };
    let (mut speaker, mut sent) = (clients.speaker(), false);
    let happened = speaker.perform(&target, &operation, None, &mut sent).await;
    assert_eq!((happened, sent), (Happened::NotSent, false));
    assert!(speaker.last_answer().unwrap().contains("cannot be started"));
}

#[tokio::test]
async fn standard_error_is_kept_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let script = answering(&format!("yes word | head -c 3000000 >&2; {OK}"));
    let clients = clients(&script, folder.path(), LONG);
    let mut speaker = clients.speaker();
    let target = Target { name: "n1".to_owned(), address: ([127, 0, 0, 1], 1).into(), spare: false };
    let operation = Operation { function: Function::Read, key: "k1".to_owned(), argument: Value::Null };
    let happened = speaker.perform(&target, &operation, None, &mut false).await;
    assert_eq!(happened, Happened::Answered(Answer::Value(json!(3))));
    let path = folder.path().join("helper-1.log");
    while !std::fs::read_to_string(&path).unwrap().ends_with("(the rest is left out)\n") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let length = std::fs::metadata(&path).unwrap().len();
    assert!((1 << 20..(1 << 20) + 100).contains(&length), "{length}");
}

#[tokio::test]
async fn probes_share_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let clients = clients(&answering(OK), folder.path(), LONG);
    let (first, second) = (clients.speaker(), clients.speaker());
    drop((first, second));
    drop(clients.speaker());
    drop(clients.speaker());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn mix_has_what_the_helper_can_do() {
    let mix = |more: &str, workload| client("", more).default_mix(workload).into_iter().collect::<Vec<_>>();
    let named = |name: &str, weight| (name.to_owned(), weight);
    assert_eq!(mix("", Workload::Register), [named("read", 4), named("write", 4)]);
    assert_eq!(mix("", Workload::Kv), [named("get", 4), named("put", 3)]);
    assert_eq!(mix("", Workload::ListAppend), [named("txn", 1)]);
    assert_eq!(mix("", Workload::Bank), [named("read", 1), named("transfer", 1)]);
    let able = "functions = [\"get\", \"put\", \"append\"]";
    assert_eq!(mix(able, Workload::Kv), [named("append", 1), named("get", 4), named("put", 3)]);
}

#[test]
fn mistakes_are_refused_with_their_key() {
    let refused = |spec: &str, text: &str| {
        toml::from_str::<ClientSpec>(spec).unwrap().check(&load(text)).map_err(|error| error.field)
    };
    let exec = |more: &str| format!("kind = \"exec\"\ncommand = [\"sh\"]\n{more}");
    let mix = "mix = { read = 1, write = 1 }";
    assert_eq!(refused(&exec(""), mix), Ok(()));
    for (spec, text, field) in [
        ("kind = \"exec\"", mix, "client.command"),
        ("kind = \"exec\"\ncommand = [\"\"]", mix, "client.command"),
        (&exec("functions = [\"read\", \"get\"]"), mix, "client.functions.2"),
        (&exec("functions = [\"read\"]"), mix, "client.functions"),
        (&exec(""), "mix = { read = 1, cas = 1 }", "client.functions"),
        (&exec("env = { \"A=B\" = \"c\" }"), mix, "client.env.A=B"),
        (&exec("headers = { a = \"b\" }"), mix, "client.headers"),
        (&exec("[read]\nrequest = \"GET /{key}\"\nanswers = []"), mix, "client.read"),
        (&exec(""), "retry = \"100ms\"", "load.retry"),
        (&exec(""), "record = false\nmix = { read = 1, write = 1 }", "load.record"),
        ("kind = \"http\"\ncommand = [\"sh\"]", mix, "client.command"),
        ("kind = \"http\"\nfunctions = [\"read\"]", mix, "client.functions"),
    ] {
        assert_eq!(refused(spec, text), Err(field.to_owned()), "{spec} {text}");
    }
    for workload in ["list-append", "rw-register", "bank"] {
        assert_eq!(refused(&exec(""), &format!("workload = \"{workload}\"")), Ok(()), "{workload}");
    }
}
