//! Nodes under heavy client load: bounded memory, descriptors and time, no lost acknowledged write.

use crate::cluster::{Cluster, resident_bytes};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// Number of descriptors of the limited nodes.
const FEW: u64 = 256;

fn connect(cluster: &Cluster, index: usize) -> TcpStream {
    let stream = TcpStream::connect(cluster.members[index].address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The head of a request with these headers, and a body of this length.
fn head(first: &str, headers: &str, length: usize) -> String {
    format!("{first} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n")
}

/// The status and the body of one answer.
fn answer(stream: &mut TcpStream) -> std::io::Result<(u16, String, String)> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                return Ok((status, head, body));
            }
        }
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

/// One request over a persistent connection.
fn ask(stream: &mut TcpStream, first: &str, headers: &str, body: &str) -> (u16, String, String) {
    stream.write_all(head(first, headers, body.len()).as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    answer(stream).unwrap()
}

fn resident(cluster: &Cluster, index: usize) -> u64 {
    resident_bytes(cluster.nodes[index].as_ref().unwrap().id())
}

/// A cluster whose nodes may open few files.
fn with_few_descriptors(size: u8) -> Cluster {
    let mut cluster = Cluster::new(size);
    cluster.descriptors = Some(FEW);
    (0..usize::from(size)).for_each(|index| cluster.start(index));
    cluster
}

#[test]
fn idle_connections_leave_descriptors_for_the_log() {
    let mut cluster = with_few_descriptors(1);
    let mut writer = connect(&cluster, 0);
    assert_eq!(ask(&mut writer, "PUT /kv/w", "", "0").0, 200);
    let idle: Vec<_> = (0..FEW + 50).map(|_| connect(&cluster, 0)).collect();
    let value = "y".repeat(200_000);
    for _ in 0..60 {
        assert_eq!(ask(&mut writer, "PUT /kv/w", "", &value).0, 200);
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", cluster.nodes[0].as_ref().unwrap().id())).unwrap();
    assert!((open.count() as u64) < FEW);
    cluster.put(0, "late", "1");
    drop(idle);
    cluster.kill(0);
    cluster.start(0);
    assert!(cluster.ask(0, "GET", "/kv/w", "").unwrap().1.contains(&value));
}

#[test]
fn nodes_connect_where_clients_fill_the_limit() {
    let mut cluster = with_few_descriptors(3);
    let mut busy = Vec::new();
    for index in 0..2 {
        for _ in 0..FEW {
            // A body that never ends keeps its connection busy.
            let mut stream = connect(&cluster, index);
            let _ = stream.write_all(format!("{}1", head("PUT /kv/a", "", 2)).as_bytes());
            busy.push(stream);
        }
    }
    cluster.kill(2);
    cluster.start(2);
    cluster.eventually("n3 is level", |it| it.status(2).recovery.level_seconds.is_some());
    cluster.put(2, "b", "1");
}

#[test]
fn too_few_descriptors_are_refused() {
    let mut cluster = Cluster::new(1);
    cluster.descriptors = Some(64);
    let output = cluster.refused(0);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("64 open files") && stderr.contains("ulimit -n"), "{stderr}");
}

#[test]
fn reads_without_a_name_leave_no_memory() {
    let mut cluster = Cluster::started(1);
    let mut stream = connect(&cluster, 0);
    let value = "x".repeat(MIB);
    assert_eq!(ask(&mut stream, "PUT /kv/big", "", &value).0, 200);
    let before = resident(&cluster, 0);
    for _ in 0..150 {
        let (status, _, body) = ask(&mut stream, "GET /kv/big", "", "");
        assert!(status == 200 && body.len() > MIB);
    }
    let grown = resident(&cluster, 0).saturating_sub(before);
    assert!(grown < 40 << 20, "150 answers of 1 MiB left {grown} bytes");
    let many = vec![r#"{"get":{"key":"big"}}"#; 500].join(",");
    let (status, _, body) = ask(&mut stream, "POST /txn", "", &format!(r#"{{"operations":[{many}]}}"#));
    assert!(
        status == 413 && body.contains("\"applied\":false") && body.contains("request less"),
        "{status} {body}"
    );
    let grown = resident(&cluster, 0).saturating_sub(before);
    assert!(grown < 60 << 20, "a refused transaction took {grown} bytes");
    cluster.kill(0);
    cluster.start(0);
    assert!(cluster.status(0).snapshot_bytes + cluster.status(0).log_bytes < 4 << 20);
}

#[test]
fn batches_omit_answers_beyond_limit() {
    let cluster = Cluster::started(1);
    let mut stream = connect(&cluster, 0);
    assert_eq!(ask(&mut stream, "PUT /kv/big", "", &"x".repeat(MIB - 100)).0, 200);
    let command =
        |number| format!(r#"{{"client":"c{number}","sequence":1,"operation":{{"get":{{"key":"big"}}}}}}"#);
    let commands: Vec<_> = (0..50).map(command).collect();
    let body = format!(r#"{{"commands":[{}]}}"#, commands.join(","));
    let (status, _, body) = ask(&mut stream, "POST /commands", "", &body);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let statuses: Vec<_> =
        body["results"].as_array().unwrap().iter().map(|it| it["status"].as_u64().unwrap()).collect();
    assert_eq!((status, statuses.len()), (200, 50));
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 4);
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
}

#[test]
fn a_large_answer_asked_again_is_definite() {
    let mut cluster = Cluster::started(3);
    let value = "x".repeat(100_000);
    cluster.put(0, "big", &value);
    let txn = r#"{"operations":[{"append":{"key":"l","value":"1"}},{"get":{"key":"big"}}]}"#;
    let named = "x-client-id: c\r\nx-sequence: 7\r\ncontent-type: application/json\r\n";
    let (status, _, body) = ask(&mut connect(&cluster, 0), "POST /txn", named, txn);
    assert!(status == 200 && body.contains(&value), "{status}");
    let again = |cluster: &Cluster, index| {
        let (status, _, body) = ask(&mut connect(cluster, index), "POST /txn", named, txn);
        assert!(status == 410 && body.contains("\"applied\":true"), "{status} {body}");
        let (_, body) = cluster.ask(index, "GET", "/kv/l", "").unwrap();
        assert!(body.contains("\"value\":\"1\""), "{body}");
    };
    again(&cluster, 0);
    again(&cluster, 2);
    cluster.kill(1);
    cluster.start(1);
    again(&cluster, 1);
    let cas = r#"{"from":"other","to":"2"}"#;
    let named = "x-client-id: d\r\nx-sequence: 1\r\n";
    assert_eq!(ask(&mut connect(&cluster, 0), "POST /kv/big/cas", named, cas).0, 409);
    let (status, _, body) = ask(&mut connect(&cluster, 1), "POST /kv/big/cas", named, cas);
    assert!(status == 409 && body.contains("\"applied\":false"), "{status} {body}");
}

#[test]
fn values_and_lists_end_at_their_limits() {
    let cluster = Cluster::started(1);
    cluster.put(0, "long", &"x".repeat(MIB - 1));
    assert_eq!(cluster.ask(0, "POST", "/kv/long/append", "y").unwrap().0, 200);
    let (status, body) = cluster.ask(0, "POST", "/kv/long/append", "z").unwrap();
    assert!(status == 409 && body.contains("\"applied\":false"), "{status} {body}");
    let deep = format!("{}1{}", "[".repeat(400_000), "]".repeat(400_000));
    let nested = format!("{}{}", r#"{"transaction":{"operations":["#.repeat(30_000), "]}}".repeat(30_000));
    let many = format!(r#"{{"operations":[{}]}}"#, vec![r#"{"get":{"key":"a"}}"#; 20_000].join(","));
    let key = format!(r#"{{"operations":[{{"get":{{"key":"{}"}}}}]}}"#, "k".repeat(300));
    let wrapped = format!(r#"{{"operations":[{nested}]}}"#);
    for path in ["/txn", "/commands", "/config", "/bank/total", "/bank/transfer", "/kv/a/cas", "/kv/a/incr"] {
        for body in [&deep, &nested, &many, &key, &wrapped] {
            let status = cluster.ask(0, "POST", path, body).unwrap().0;
            assert!(matches!(status, 400 | 413), "{path} {}: {status}", &body[..30]);
        }
    }
    cluster.put(0, "a", "1");
}

#[test]
fn requests_of_web_pages_are_refused() {
    let cluster = Cluster::started(1);
    let address = cluster.members[0].address;
    let send = |first: &str, headers: &str, body: &str| {
        let mut stream = connect(&cluster, 0);
        let length = body.len();
        let request = format!("{first} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let (status, _, body) = answer(&mut stream).unwrap();
        (status, body)
    };
    let own = format!("host: {address}\r\n");
    for headers in [
        "host: evil.example\r\n".to_owned(),
        "host: x\r\n".to_owned(),
        format!(
            "host: evil.example:{}\r\norigin: http://evil.example:{}\r\n",
            address.port(),
            address.port()
        ),
        format!("{own}origin: http://evil.example\r\n"),
        format!("{own}origin: null\r\n"),
        format!("{own}sec-fetch-site: cross-site\r\n"),
    ] {
        for first in
            ["PUT /kv/a", "GET /kv/a", "POST /kv/a/append", "POST /txn", "GET /status", "OPTIONS /kv/a"]
        {
            let (status, body) = send(first, &headers, "1");
            assert!(status == 403 && body.contains("\"error\""), "{first} {headers}: {status} {body}");
        }
    }
    let txn = r#"{"operations":[{"put":{"key":"a","value":"1"}}]}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        for path in
            ["/txn", "/commands", "/config", "/bank/transfer", "/bank/total", "/kv/a/cas", "/kv/a/incr"]
        {
            let (status, body) =
                send(&format!("POST {path}"), &format!("{own}content-type: {kind}\r\n"), txn);
            assert!(status == 415 && body.contains("application/json"), "{path} {kind}: {status} {body}");
        }
    }
    let form = format!("{own}content-type: application/x-www-form-urlencoded\r\n");
    assert_eq!(cluster.ask(0, "GET", "/kv/a", "").unwrap().0, 404, "the request had no effect");
    assert_eq!(send("PUT /kv/a", &form, "1").0, 200, "as curl -d sends it");
    for host in ["127.0.0.1:1", "localhost", "[::1]:7", "n1:80"] {
        assert_eq!(send("GET /kv/a", &format!("host: {host}\r\n"), "").0, 200, "{host}");
    }
    let json = format!("{own}content-type: application/json; charset=utf-8\r\n");
    assert_eq!(send("POST /txn", &json, txn).0, 200);
    assert_eq!(send("POST /txn", &format!("{json}origin: http://{address}\r\n"), txn).0, 200);
}

#[test]
fn names_of_clients_are_not_those_of_replicas() {
    let cluster = Cluster::started(1);
    let mut stream = connect(&cluster, 0);
    let (status, _, body) = ask(&mut stream, "PUT /kv/a", "x-client-id: ~0-1\r\nx-sequence: 1\r\n", "1");
    assert_eq!(status, 400, "{body}");
    let batch = r#"{"commands":[{"client":"~0-1","sequence":1,"operation":{"get":{"key":"a"}}}]}"#;
    assert_eq!(cluster.ask(0, "POST", "/commands", batch).unwrap().0, 400);
}

#[test]
fn slow_bodies_give_way_and_end() {
    let mut cluster = Cluster::started(1);
    let before = resident(&cluster, 0);
    let mut slow: Vec<_> = (0..100).map(|_| connect(&cluster, 0)).collect();
    for stream in &mut slow {
        stream.write_all(head("PUT /kv/slow", "", MIB).as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        // The kernel buffers the bytes that the node does not read.
        let _ = stream.write(&vec![b'x'; MIB - 1]);
    }
    let begun = Instant::now();
    cluster.put(0, "small", "1");
    assert!(begun.elapsed() < Duration::from_secs(5), "small requests need no room");
    let grown = resident(&cluster, 0).saturating_sub(before);
    assert!(grown < 80 << 20, "100 slow bodies of 1 MiB take {grown} bytes");
    let begun = Instant::now();
    while ask(&mut connect(&cluster, 0), "PUT /kv/big", "", &"y".repeat(MIB)).0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no room for another body");
    }
    for stream in &mut slow {
        stream.set_nonblocking(false).unwrap();
        let (status, head, _) = answer(stream).unwrap();
        assert!(status == 408 || status == 503 && head.contains("retry-after"), "{head}");
    }
    let node = cluster.nodes[0].as_mut().unwrap();
    let mut half = TcpStream::connect(cluster.members[0].address).unwrap();
    half.write_all(format!("{}x", head("PUT /kv/slow", "", 100)).as_bytes()).unwrap();
    std::process::Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap();
    let begun = Instant::now();
    while node.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn unread_answers_are_bounded() {
    let cluster = Cluster::started(1);
    cluster.put(0, "big", &"x".repeat(MIB));
    let before = resident(&cluster, 0);
    let request = head("GET /kv/big", "", 0).repeat(20);
    let mut deaf: Vec<_> = (0..100).map(|_| connect(&cluster, 0)).collect();
    for stream in &mut deaf {
        stream.write_all(request.as_bytes()).unwrap();
    }
    let begun = Instant::now();
    while ask(&mut connect(&cluster, 0), "GET /kv/big", "", "").0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no room for another answer");
    }
    let grown = resident(&cluster, 0).saturating_sub(before);
    assert!(grown < 80 << 20, "unread answers take {grown} bytes");
    cluster.put(0, "small", "1");
}

/// Writes large values from many clients at once; returns the acknowledged ones.
fn put_large(cluster: &Cluster, clients: usize) -> Vec<usize> {
    let put = |number: usize| {
        let mut stream = connect(cluster, number % cluster.members.len());
        let value = format!("{number:08}").repeat(MIB / 8);
        for _ in 0..100 {
            let (status, _, body) = ask(&mut stream, &format!("PUT /kv/b{number}"), "", &value);
            match status {
                200 => return Some(number),
                503 => std::thread::sleep(Duration::from_millis(200)),
                504 => return None,
                other => panic!("{other}: {body}"),
            }
        }
        None
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || put(number))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    })
}

fn press(size: u8, idle: usize, puts: usize, gets: usize) {
    let mut cluster = with_few_descriptors(size);
    let nodes = usize::from(size);
    let mut strangers = Vec::new();
    for number in 0..idle {
        strangers.push(connect(&cluster, number % nodes));
        // The test itself may have few descriptors.
        if strangers.len() > 600 {
            strangers.remove(0);
        }
    }
    let acknowledged = put_large(&cluster, puts);
    assert!(acknowledged.len() > puts / 2, "{} of {puts} puts were acknowledged", acknowledged.len());
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (cluster, acknowledged) = (&cluster, &acknowledged);
            scope.spawn(move || {
                let mut stream = connect(cluster, client % nodes);
                for number in 0..gets / 8 {
                    let key = acknowledged[number % acknowledged.len()];
                    let (status, _, _) = ask(&mut stream, &format!("GET /kv/b{key}"), "", "");
                    assert!(matches!(status, 200 | 503), "{status}");
                }
            });
        }
    });
    for index in 0..nodes {
        let resident = resident(&cluster, index);
        println!(
            "{} has {} MiB after {idle} idle connections, {puts} puts, {gets} gets",
            cluster.members[index].name,
            resident >> 20
        );
        assert!(resident < 300_000_000, "{resident} bytes");
    }
    (0..nodes).for_each(|index| cluster.kill(index));
    (0..nodes).for_each(|index| cluster.start(index));
    for number in acknowledged {
        let (status, body) = cluster.ask(0, "GET", &format!("/kv/b{number}"), "").unwrap();
        let value = format!("{number:08}").repeat(MIB / 8);
        assert!(status == 200 && body.contains(&value), "b{number} is lost: {status}");
    }
}

#[test]
fn loaded_node_stays_within_memory_limit() {
    press(3, 1_000, 60, 240);
}

#[test]
#[ignore = "takes minutes: the full measure"]
fn ten_thousand_clients_load_the_nodes() {
    press(3, 10_000, 60, 10_000);
}
