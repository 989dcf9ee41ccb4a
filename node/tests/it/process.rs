//! Real node processes: service, recovery from logs, and refused starts.

use crate::cluster::{Cluster, folder_bytes, put_many, resident_bytes, small};
use node::config::{Member, PaxosOptions, Role};
use node::status::Status;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn first_segment(folder: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().write(true).read(true).open(folder.join("00000001.log")).unwrap()
}

#[test]
fn every_operation_is_answered_through_every_node() {
    let cluster = Cluster::started(3);
    let ask = |index, method, path, body| {
        let (status, body) = cluster.ask(index, method, path, body).unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        (status, body)
    };
    assert_eq!(ask(0, "GET", "/kv/a", "").0, 404);
    assert_eq!(ask(0, "PUT", "/kv/a", "1").0, 200);
    assert_eq!(ask(1, "GET", "/kv/a", "").1["value"], "1");
    assert_eq!(ask(2, "POST", "/kv/a/cas", r#"{"from":"1","to":"2"}"#).0, 200);
    let (status, body) = ask(2, "POST", "/kv/a/cas", r#"{"from":null,"to":"3"}"#);
    assert_eq!((status, &body["actual"]), (409, &"2".into()));
    assert_eq!(ask(0, "POST", "/kv/a/append", "0").0, 200);
    assert_eq!(ask(1, "POST", "/kv/a/incr", r#"{"by":-15}"#).1["value"], "5");
    assert_eq!(ask(1, "DELETE", "/kv/a", "").0, 200);
    assert_eq!(ask(0, "DELETE", "/kv/a", "").0, 404);
    let many = "x".repeat((1 << 20) + 1);
    for (method, path, body, status) in [
        ("PUT", "/kv/", "1", 400),
        ("PUT", "/kv/a", many.as_str(), 413),
        ("POST", "/kv/a/cas", "{", 400),
        ("POST", "/kv/a/cas", r#"{"to":"2","form":"1"}"#, 400),
        ("GET", "/kv/a?read=stale", "", 400),
        ("PATCH", "/kv/a", "", 405),
        ("GET", "/nothing", "", 404),
        ("GET", "/paxos", "", 400),
    ] {
        assert_eq!(ask(0, method, path, body).0, status, "{method} {path}");
    }
}

#[test]
fn batches_are_answered_in_order() {
    let cluster = Cluster::started(3);
    let ask = |path: &str, body: serde_json::Value| {
        let (status, body) = cluster.ask(1, "POST", path, &body.to_string()).unwrap();
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (status, body) =
        ask("/txn", json(r#"{"operations":[{"append":{"key":"l","value":",1"}},{"get":{"key":"l"}}]}"#));
    assert_eq!((status, &body["results"][1]["value"]), (200, &",1".into()), "{body}");
    let (status, body) = ask(
        "/txn",
        json(r#"{"operations":[{"put":{"key":"l","value":"x"}},{"cas":{"key":"l","from":"y","to":"z"}}]}"#),
    );
    assert_eq!((status, &body["place"], &body["because"]["actual"]), (409, &1.into(), &"x".into()), "{body}");
    let batch = json(
        r#"{"commands":[{"client":"c","sequence":1,"operation":{"incr":{"key":"n","by":1}}},
        {"client":"d","sequence":1,"operation":{"get":{"key":"l"}}},{"client":"c","sequence":1,"operation":{"incr":{"key":"n","by":1}}}]}"#,
    );
    let (status, body) = ask("/commands", batch);
    let values: Vec<_> = (0..3).map(|index| body["results"][index]["value"].clone()).collect();
    assert_eq!((status, values), (200, vec!["1".into(), ",1".into(), "1".into()]), "{body}");
    assert_eq!(ask("/kv/a/deposit", json(r#"{"amount":10}"#)).1["value"], "10");
    assert_eq!(ask("/bank/transfer", json(r#"{"from":"a","to":"b","amount":4}"#)).0, 200);
    assert_eq!(ask("/kv/b/withdraw", json(r#"{"amount":5}"#)).0, 409);
    let (_, body) = ask("/bank/total", json(r#"{"accounts":["a","b"]}"#));
    assert_eq!((&body["balances"]["a"], &body["total"]), (&6.into(), &"10".into()), "{body}");
    for (path, body) in [
        ("/txn", r#"{"operations":[]}"#),
        ("/txn", r#"{"operations":["nothing"]}"#),
        ("/txn", r#"{"operations":[{"retire":{"version":1}}]}"#),
        ("/txn", r#"{"operations":[{"get":{"key":""}}]}"#),
        ("/commands", r#"{"commands":[{"client":"","sequence":1,"operation":{"get":{"key":"a"}}}]}"#),
        ("/bank/transfer", r#"{"from":"a","to":"b","amount":-1}"#),
        ("/bank/total", "[]"),
    ] {
        assert_eq!(cluster.ask(0, "POST", path, body).unwrap().0, 400, "{path} {body}");
    }
}

#[test]
fn killed_node_recovers_from_log_and_peers() {
    let mut cluster = Cluster::started(3);
    for value in 0..20 {
        cluster.put(0, "a", &value.to_string());
    }
    let seen = |cluster: &Cluster| cluster.status(1).slot_out;
    cluster.eventually("n2 has it all", |cluster| seen(cluster) == cluster.status(0).slot_out);
    let before = seen(&cluster);
    std::thread::sleep(Duration::from_millis(500));
    cluster.kill(1);
    for value in 20..50 {
        cluster.put(0, "a", &value.to_string());
    }
    cluster.start(1);
    cluster.eventually("n2 is level", |cluster| cluster.status(1).recovery.level_seconds.is_some());
    let Status { recovery, slot_out, .. } = cluster.status(1);
    assert!(recovery.restarted);
    assert_eq!(recovery.decisions_from_log, before - 1, "{recovery:?}");
    assert!(recovery.decisions_from_peers >= 30, "{recovery:?}");
    assert!(slot_out >= before + 30);
    let decisions = |index| cluster.ask(index, "GET", &format!("/decisions?to={slot_out}"), "").unwrap().1;
    let parsed =
        |index| serde_json::from_str::<serde_json::Value>(&decisions(index)).unwrap()["decisions"].clone();
    assert_eq!(parsed(0), parsed(1));
}

#[test]
fn node_recovers_from_own_or_handed_snapshot() {
    let mut cluster = Cluster::started_with(3, small(20_000, 100_000));
    put_many(cluster.members[0].address, 4, 500, 100);
    cluster.put(0, "a", "old");
    let done = |cluster: &Cluster, index| {
        let Status { snapshots, first_kept, collected, .. } = cluster.status(index);
        snapshots > 0 && first_kept > 1000 && collected > 1000
    };
    cluster.eventually("all have forgotten the first slots", |it| (0..3).all(|index| done(it, index)));
    let (status, body) = cluster.ask(1, "GET", "/decisions?from=1", "").unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(status == 200 && body["first"].as_u64() > Some(1000) && body["first"] == body["from"], "{body}");
    cluster.kill(1);
    put_many(cluster.members[0].address, 4, 500, 100);
    cluster.put(0, "a", "new");
    cluster.start(1);
    cluster.eventually("n2 is level", |cluster| cluster.status(1).recovery.level_seconds.is_some());
    let Status { recovery, .. } = cluster.status(1);
    assert!(recovery.decisions_from_snapshot > 1000 && recovery.snapshot_bytes > 0, "{recovery:?}");
    assert!(recovery.slots_of_state_from_peers > 1000 && recovery.bytes_from_peers > 0, "{recovery:?}");
    let (_, body) = cluster.ask(1, "GET", "/kv/a?read=local", "").unwrap();
    assert!(body.contains("\"new\""), "{body}");
    (0..3).for_each(|index| cluster.kill(index));
    (0..3).for_each(|index| cluster.start(index));
    let (_, body) = cluster.ask(1, "GET", "/kv/a", "").unwrap();
    assert!(body.contains("\"new\""), "{body}");
}

/// Loads a cluster in rounds; in the second half neither the folders nor the memory may grow.
fn stays_flat(rounds: usize, clients: usize, each: usize, options: PaxosOptions, limit: u64) {
    let cluster = Cluster::started_with(3, options);
    let mut seen = Vec::new();
    for round in 0..rounds {
        put_many(cluster.members[round % 3].address, clients, each, 100);
        let disk = (0..3).map(|index| folder_bytes(&cluster.data(index))).max().unwrap();
        let memory = (0..3).map(|index| resident_bytes(cluster.status(index).pid)).max().unwrap();
        println!("{} commands: {disk} bytes on disk, {memory} in memory", (round + 1) * clients * each);
        seen.push((disk, memory));
    }
    let most = |half: &[(u64, u64)]| {
        (half.iter().map(|it| it.0).max().unwrap(), half.iter().map(|it| it.1).max().unwrap())
    };
    let (first, second) = seen.split_at(rounds / 2);
    let ((disk_before, memory_before), (disk, memory)) = (most(first), most(second));
    assert!(disk < disk_before + limit, "disk grew from {disk_before} to {disk} bytes");
    assert!(memory < memory_before + limit, "memory grew from {memory_before} to {memory} bytes");
}

#[test]
fn disk_and_memory_stay_bounded_under_load() {
    stays_flat(24, 8, 300, small(100_000, 200_000), 5 << 20);
}

#[test]
#[ignore = "takes minutes: run it with --release after a change to the retained data"]
fn disk_and_memory_stay_bounded() {
    stays_flat(20, 250, 2_000, PaxosOptions::default(), 100 << 20);
}

#[test]
fn killing_all_nodes_loses_nothing_acknowledged() {
    let mut cluster = Cluster::started(3);
    for round in 0..3 {
        for key in 0..10 {
            cluster.put(key % 3, &format!("k{key}"), &format!("{round}"));
        }
        (0..3).for_each(|index| cluster.kill(index));
        (0..3).for_each(|index| cluster.start(index));
        for key in 0..10 {
            let (status, body) = cluster.ask(key % 3, "GET", &format!("/kv/k{key}"), "").unwrap();
            assert_eq!(status, 200, "{body}");
            assert!(body.contains(&format!("\"value\":\"{round}\"")), "{body}");
        }
    }
}

/// The eight bytes at this offset of a file.
fn long(path: &Path, offset: usize) -> u64 {
    u64::from_le_bytes(std::fs::read(path).unwrap()[offset..offset + 8].try_into().unwrap())
}

/// Kills a node as if during a write of a record.
///
/// A header without its record follows the end in `owner`'s latest mark.
fn tear(cluster: &mut Cluster, index: usize) {
    cluster.kill(index);
    let folder = cluster.data(index);
    let salt = long(&folder.join("00000001.log"), 32);
    let end = long(&folder.join("owner"), 3 * 512 + 16);
    let header = [&salt.to_le_bytes()[..], &100_u32.to_le_bytes()].concat();
    first_segment(&folder).write_all_at(&header, end).unwrap();
}

#[test]
fn torn_record_is_cut_damage_is_refused() {
    let mut cluster = Cluster::started(1);
    for value in 0..5 {
        cluster.put(0, "a", &value.to_string());
    }
    let folder = cluster.data(0);
    tear(&mut cluster, 0);
    cluster.start(0);
    assert_eq!(cluster.status(0).recovery.torn_bytes, 124);
    cluster.kill(0);
    first_segment(&folder).write_all_at(&[0xff; 4], 90).unwrap();
    let output = cluster.refused(0);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("00000001.log") && stderr.contains("damaged at byte 64"), "{stderr}");
}

#[test]
fn lost_acknowledged_records_are_refused() {
    let mut cluster = Cluster::started(1);
    for value in 0..5 {
        cluster.put(0, "a", &value.to_string());
    }
    let folder = cluster.data(0);
    cluster.kill(0);
    let end = long(&folder.join("owner"), 3 * 512 + 16);
    let good = std::fs::read(folder.join("00000001.log")).unwrap();
    let refused = |cluster: &Cluster, word: &str| {
        let output = cluster.refused(0);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(4) && stderr.contains(word), "{stderr}");
    };
    first_segment(&folder).write_all_at(&[good[usize::try_from(end).unwrap() - 1] ^ 1], end - 1).unwrap();
    refused(&cluster, &format!("they were synced up to byte {end}"));
    first_segment(&folder).write_all_at(&[0; 4096], 64).unwrap();
    refused(&cluster, "damaged at byte 64");
    first_segment(&folder).set_len(end).unwrap();
    refused(&cluster, &format!("00000001.log: damaged at byte {end}: the file ends here"));
    std::fs::remove_file(folder.join("00000001.log")).unwrap();
    refused(&cluster, "00000001.log: missing");
    std::fs::write(folder.join("00000001.log"), &good).unwrap();
    let owner = std::fs::read(folder.join("owner")).unwrap();
    std::fs::remove_file(folder.join("owner")).unwrap();
    refused(&cluster, "owner: missing");
    std::fs::write(folder.join("owner"), owner).unwrap();
    cluster.start(0);
    assert!(cluster.ask(0, "GET", "/kv/a", "").unwrap().1.contains("\"4\""));
}

#[test]
fn no_answer_shows_a_salt() {
    let mut cluster = Cluster::started(1);
    cluster.put(0, "a", "1");
    let salt = long(&cluster.data(0).join("00000001.log"), 32);
    let forms = [salt.to_string(), format!("{salt:x}"), format!("{:x}", salt.swap_bytes())];
    for path in ["/status", "/decisions", "/config", "/clock", "/metrics", "/kv/a", "/openapi.json", "/none"]
    {
        let (_, body) = cluster.ask(0, "GET", path, "").unwrap();
        assert!(!forms.iter().any(|form| body.contains(form)), "{path}: {body}");
    }
    tear(&mut cluster, 0);
    first_segment(&cluster.data(0)).write_all_at(&[0xff], 90).unwrap();
    let printed = format!("{:?}", cluster.refused(0));
    assert!(!forms.iter().any(|form| printed.contains(form)), "{printed}");
}

impl Cluster {
    /// Adds a node that is not a member yet and polls the others until it is.
    fn add_waiting(&mut self) -> usize {
        let index = self.members.len();
        let mut address = self.members[0].address;
        let IpAddr::V4(ip) = address.ip() else { unreachable!("the cluster is on 127.x.y.z") };
        let [a, b, c, _] = ip.octets();
        address.set_ip(IpAddr::from([a, b, c, u8::try_from(index + 1).unwrap()]));
        let roles = [Role::Replica, Role::Leader, Role::Acceptor].into();
        self.members.push(Member { name: format!("n{}", index + 1), address, roles });
        self.joins = self.joins.min(index);
        self.nodes.push(Some(self.command(index).spawn().unwrap()));
        index
    }

    fn change(&self, index: usize, add: &[usize], remove: &[usize]) -> (u16, String) {
        let add: Vec<_> = add.iter().map(|&index| &self.members[index]).collect();
        let remove: Vec<_> = remove.iter().map(|&index| &self.members[index].name).collect();
        let body = serde_json::json!({ "add": add, "remove": remove }).to_string();
        self.ask(index, "POST", "/config", &body).unwrap()
    }

    fn names(&self, index: usize) -> Vec<String> {
        let membership = self.status(index).configuration;
        if membership.coming().is_some() {
            return Vec::new();
        }
        membership.nodes().map(|node| node.name.clone()).collect()
    }
}

#[test]
fn all_members_are_replaced_under_load() {
    let mut cluster = Cluster::started_with(3, PaxosOptions { window: 50, ..small(20_000, 100_000) });
    put_many(cluster.members[0].address, 4, 200, 100);
    cluster.put(0, "a", "old");
    for old in 0..3 {
        let new = cluster.add_waiting();
        let receiver = old + 1;
        let (status, body) = cluster.change(receiver, &[new], &[old]);
        assert_eq!(status, 200, "{body}");
        let names: Vec<_> = (old + 1..old + 4).map(|index| format!("n{}", index + 1)).collect();
        cluster.eventually("the change is over", |cluster| cluster.names(receiver) == names);
        cluster.kill(old);
        cluster.put(receiver, &format!("k{old}"), "1");
    }
    cluster.eventually("n6 knows", |cluster| cluster.names(5).len() == 3);
    let (status, body) = cluster.ask(5, "GET", "/kv/a", "").unwrap();
    assert!(status == 200 && body.contains("\"old\""), "{body}");
    (3..6).for_each(|index| cluster.kill(index));
    (3..6).for_each(|index| cluster.start(index));
    let (_, body) = cluster.ask(4, "GET", "/kv/k2", "").unwrap();
    assert!(body.contains("\"1\""), "{body}");
    cluster.kill(3);
    cluster.put(5, "a", "new");
    assert_eq!(cluster.change(4, &[], &[]).0, 409);
    assert_eq!(cluster.change(4, &[5], &[]).0, 409);
    assert_eq!(cluster.ask(4, "POST", "/config", "{\"ad\":[]}").unwrap().0, 400);
}

#[test]
fn removed_member_refuses_commands_and_can_return() {
    let mut cluster = Cluster::started_with(4, PaxosOptions { window: 20, ..PaxosOptions::default() });
    cluster.put(0, "a", "1");
    assert_eq!(cluster.change(3, &[], &[3]).0, 200);
    cluster.eventually("n4 is out", |cluster| cluster.names(0).len() == 3);
    cluster.eventually("n4 refuses", |it| {
        it.ask(3, "PUT", "/kv/a", "2").is_some_and(|(status, _)| status == 503)
    });
    cluster.put(0, "a", "3");
    assert_eq!(cluster.change(1, &[3], &[]).0, 200);
    cluster
        .eventually("n4 is in again", |cluster| cluster.names(3).len() == 4 && cluster.names(0).len() == 4);
    cluster.kill(0);
    let (_, body) = cluster.ask(3, "GET", "/kv/a", "").unwrap();
    assert!(body.contains("\"3\""), "{body}");
}

#[test]
fn leader_answers_lease_reads_alone() {
    let cluster = Cluster::started(3);
    cluster.put(0, "k", "1");
    let statuses = || (0..3).map(|index| cluster.status(index)).collect::<Vec<_>>();
    let adoptions = |statuses: &[Status]| statuses.iter().map(|it| it.adoptions).sum::<u64>();
    cluster.eventually("a leader is active", |it| (0..3).any(|index| it.status(index).active));
    let before = statuses();
    for value in 2..30 {
        cluster.put(value % 3, "k", &value.to_string());
        for index in 0..3 {
            let (code, body) = cluster.ask(index, "GET", "/kv/k?read=lease", "").unwrap();
            assert_eq!(code, 200, "{body}");
            assert!(body.contains(&format!("\"value\":\"{value}\"")), "{body} after {value}");
        }
    }
    let after = statuses();
    let leased = after.iter().filter(|it| it.leased > 0).count();
    assert!(leased > 0, "no read was answered by a lease");
    // On a busy machine another leader may be adopted meanwhile.
    assert!(leased == 1 || adoptions(&after) > adoptions(&before), "{leased} nodes had a lease");
}

#[test]
fn other_window_is_refused() {
    let mut cluster = Cluster::new(3);
    cluster.start(0);
    cluster.paxos.window = 20;
    let other = cluster.command(1).stderr(Stdio::piped()).spawn().unwrap();
    let mut printed = String::new();
    cluster.nodes[1] = Some(other);
    let mut output = cluster.nodes[1].as_mut().unwrap().stderr.take().unwrap();
    let mut bytes = [0; 1024];
    while !printed.contains("give all nodes of a cluster the same") {
        let read = output.read(&mut bytes).unwrap();
        assert!(read > 0, "it ended with {printed}");
        printed.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(printed.contains("n2 has window 20 and this node 1000"), "{printed}");
    cluster.eventually("the node has saved its window", |cluster| cluster.status(1).syncs > 0);
    cluster.kill(1);
    cluster.paxos.window = 1000;
    let refused = cluster.refused(1);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("its log was begun with 20; set it to 20"), "{stderr}");
}

#[test]
fn stopping_node_answers_pending_requests_only() {
    let mut cluster = Cluster::started(1);
    let address = cluster.members[0].address;
    let mut under_way = TcpStream::connect(address).unwrap();
    let idle = TcpStream::connect(address).unwrap();
    under_way.write_all(b"PUT /kv/a HTTP/1.1\r\nhost: n1\r\ncontent-length: 2\r\n\r\n1").unwrap();
    // The node has read the first half once it has answered another request on a later connection.
    cluster.put(0, "b", "1");
    let node = cluster.nodes[0].as_mut().unwrap();
    let killed = Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap();
    assert!(killed.success());
    cluster.eventually("takes nothing new", |_| TcpStream::connect(address).is_err());
    under_way.write_all(b"2").unwrap();
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(idle);
    // `wait` would close the pipe first, which also ends a node.
    let node = cluster.nodes[0].as_mut().unwrap();
    let status = loop {
        if let Some(status) = node.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0));
    cluster.start(0);
    assert!(cluster.ask(0, "GET", "/kv/a", "").unwrap().1.contains("\"12\""));
}

#[test]
fn the_interface_describes_itself() {
    let cluster = Cluster::started(1);
    let (status, body) = cluster.ask(0, "GET", "/openapi.json", "").unwrap();
    let description: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, description["openapi"].as_str()), (200, Some("3.1.0")));
    // The node knows every listed path: only known paths answer a wrong method like this.
    for path in description["paths"].as_object().unwrap().keys() {
        let path = path.replace("{key}", "k");
        assert_eq!(cluster.ask(0, "PATCH", &path, "").unwrap().0, 405, "{path}");
    }
}

#[test]
fn port_in_use_names_the_address() {
    let cluster = Cluster::new(1);
    let _taken = std::net::TcpListener::bind(cluster.members[0].address).unwrap();
    let output = cluster.refused(0);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains(&cluster.members[0].address.to_string()), "{stderr}");
}

#[test]
fn node_ends_with_pipe_of_parent() {
    let mut cluster = Cluster::started(1);
    let node = cluster.nodes[0].as_mut().unwrap();
    drop(node.stdin.take());
    assert_eq!(node.wait().unwrap().code(), Some(4));
}
