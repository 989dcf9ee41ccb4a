//! The program `nemesis` as a script uses it, with a simulated cluster.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "it is a test from the first line to the last")]

use nemesis::{Reply, Request, SOCKET};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

/// A simulated cluster that answers one request with these replies, and returns the request.
fn simulated_cluster(folder: &Path, replies: Vec<Reply>) -> JoinHandle<Request> {
    let _ = std::fs::remove_file(folder.join(SOCKET));
    let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        BufReader::new(&stream).read_line(&mut request).unwrap();
        for reply in replies {
            writeln!(&stream, "{}", serde_json::to_string(&reply).unwrap()).unwrap();
        }
        serde_json::from_str(&request).unwrap()
    })
}

fn nemesis(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nemesis"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn standard_input_faults_decide_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let input =
        "[[fault]]\nkind = \"kill\"\ntarget = \"n1\"\n[[fault]]\nkind = \"reset\"\nafter = { fault = 1 }\n";
    for (well, code) in [(true, 0), (false, 3)] {
        let cluster = simulated_cluster(folder.path(), vec![Reply::Done { well }]);
        let output = nemesis(&["inject", path, "--seed", "7", "--for", "9s"], input);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, b"{\"seed\":7}\n");
        let Request::Faults { faults, seed, duration } = cluster.join().unwrap() else { panic!() };
        assert_eq!((faults.len(), seed, duration.as_secs()), (2, 7, 9));
        assert!(faults[0].at.is_some() && faults[1].at.is_none());
    }
    let refusal = Reply::Refused { reason: "there is no node `n1`".to_owned() };
    let cluster = simulated_cluster(folder.path(), vec![refusal]);
    let output = nemesis(&["inject", path], input);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no node `n1`"));
    cluster.join().unwrap();
}

#[test]
fn unusable_requests_end_with_code_2() {
    for (arguments, input, expected) in [
        (vec!["inject", "/nowhere"], "[[fault]]\nkind = \"kill\"\n", "no cluster runs there"),
        (vec!["inject", "/nowhere"], "[[fault]]\nkind = \"kil\"\n", "line 2"),
        (vec!["inject", "/nowhere", "/nowhere.toml"], "", "/nowhere.toml: No such file"),
        (vec!["inject", "/nowhere", "--for", "soon"], "", "for example 250ms"),
        (vec!["status", "/nowhere"], "", "`bench up` starts one"),
    ] {
        let output = nemesis(&arguments, input);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && complaint.contains(expected), "{complaint}");
    }
    let list = String::from_utf8(nemesis(&["list"], "").stdout).unwrap();
    assert!(list.lines().count() > 20 && list.contains("\"kind\":\"power-loss\""), "{list}");
}
