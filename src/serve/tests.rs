//! Responses and refusals of the server.

use super::answer::{Answered, Content};
use super::results::Filter;
use super::route::answer_or_head;
use super::{Server, live};
use hyper::body::Body;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

/// A server for a folder with two runs.
async fn served() -> (tempfile::TempDir, Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("store/one"), "store", "valid", "2026-11-23T10:00:00Z");
    write_run(&folder.path().join("other/two"), "other", "invalid", "2026-11-25T10:00:00Z");
    let (server, _) = Server::bind(folder.path(), 0).await.unwrap();
    (folder, Arc::new(server))
}

fn write_run(path: &Path, spec: &str, answer: &str, started: &str) {
    fs::create_dir_all(path.join("main")).unwrap();
    let plan = format!(
        r#"{{"bench":"0.1.0","spec":"{spec}","seed":7,"started":"{started}",
            "variants":[{{"name":"main","model":"kv","system":"paxos","network":"host","nodes":["n1"],"clients":1,
            "rate":null,"keys":1,"check":{{"linearizable":true,"timeout":"1s","agreement":true}}}}]}}"#
    );
    fs::write(path.join("plan.json"), plan).unwrap();
    fs::write(
        path.join("verdict.json"),
        format!(r#"{{"answer":"{answer}","sentence":"<b> & so","variants":[]}}"#),
    )
    .unwrap();
    fs::write(path.join("report.html"), "<script>1</script>").unwrap();
    fs::write(path.join("page.html"), "<script>1</script>").unwrap();
}

async fn asked(server: &Arc<Server>, method: &str, host: &str, target: &str) -> Answered {
    let request = Request::builder().method(method).uri(target).header(HOST, host).body(()).unwrap();
    answer_or_head(server, &request).await
}

async fn get(server: &Arc<Server>, target: &str) -> (StatusCode, String) {
    let answered = asked(server, "GET", &server.address.to_string(), target).await;
    (answered.status(), text(answered).await)
}

async fn text(mut answered: Answered) -> String {
    let mut bytes = Vec::new();
    let mut body: Pin<&mut Content> = Pin::new(answered.body_mut());
    while let Some(Ok(frame)) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        bytes.extend_from_slice(frame.data_ref().unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn list_is_filtered_and_escaped() {
    let (_folder, server) = served().await;
    let (status, all) = get(&server, "/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        all.contains("2 of 2 runs") && all.contains("&lt;b&gt; &amp; so") && !all.contains("<script"),
        "{all}"
    );
    for (query, shown, hidden) in [
        ("verdict=invalid", "/run/other/two", "/run/store/one"),
        ("spec=store&system=paxos&version=0.1.0", "/run/store/one", "/run/other/two"),
        ("from=2026-11-24", "/run/other/two", "/run/store/one"),
        ("to=2026-11-24", "/run/store/one", "/run/other/two"),
    ] {
        let (_, list) = get(&server, &format!("/?{query}")).await;
        assert!(list.contains(shown) && !list.contains(hidden), "{query}: {list}");
    }
    let newest = server.shelf.entries(&server.folder);
    assert_eq!(newest.iter().map(|entry| entry.spec.as_str()).collect::<Vec<_>>(), ["other", "store"]);
    assert!(newest.iter().all(|entry| Filter::default().lets(entry)));
}

#[tokio::test]
async fn foreign_hosts_and_writes_are_refused() {
    let (_folder, server) = served().await;
    let port = server.address.port();
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(asked(&server, "GET", &host, "/").await.status(), StatusCode::OK, "{host}");
    }
    for host in ["evil.example", "evil.example:4400", "127.0.0.1", "localhost:1", ""] {
        let refused = asked(&server, "GET", host, "/").await;
        assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let absolute = asked(&server, "GET", &format!("localhost:{port}"), "http://evil.example/").await;
    assert_eq!(absolute.status(), StatusCode::MISDIRECTED_REQUEST);
    for (mode, status) in [("no-cors", StatusCode::FORBIDDEN), ("navigate", StatusCode::OK)] {
        let request = Request::get("/").header(HOST, server.address.to_string());
        let request = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", mode).body(());
        assert_eq!(answer_or_head(&server, &request.unwrap()).await.status(), status, "{mode}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let refused = asked(&server, method, &server.address.to_string(), "/").await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    let head = asked(&server, "HEAD", &server.address.to_string(), "/files/store/one/report.html").await;
    assert_eq!((head.status(), text(head).await.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn only_reports_run_scripts_in_a_sandbox() {
    let (_folder, server) = served().await;
    let host = server.address.to_string();
    let headers = async |target: &str| {
        let answered = asked(&server, "GET", &host, target).await;
        let of = |name| answered.headers()[name].to_str().unwrap().to_owned();
        (of(CONTENT_TYPE), of(CONTENT_SECURITY_POLICY))
    };
    let (kind, policy) = headers("/files/store/one/report.html").await;
    assert!(
        kind.starts_with("text/html") && policy.starts_with("sandbox allow-scripts; default-src 'none';"),
        "{policy}"
    );
    assert!(!policy.contains("allow-same-origin") && !policy.contains("connect-src"), "{policy}");
    let (kind, policy) = headers("/files/store/one/page.html").await;
    assert!(
        kind.starts_with("text/plain") && policy.starts_with("sandbox; default-src 'none';"),
        "{kind} {policy}"
    );
    let (kind, policy) = headers("/").await;
    assert!(kind.starts_with("text/html") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
}

#[tokio::test]
async fn files_outside_are_not_found() {
    let (folder, server) = served().await;
    std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
    for target in [
        "/files/../x",
        "/files/%2e%2e/etc/passwd",
        "/files/out/passwd",
        "/files/a%00b",
        "/run/..",
        "/nothing",
    ] {
        assert_eq!(get(&server, target).await.0, StatusCode::NOT_FOUND, "{target}");
    }
    let (status, inside) = get(&server, "/files/store/one/").await;
    assert!(status == StatusCode::OK && inside.contains("verdict.json"), "{inside}");
    assert_eq!(get(&server, "/files/store/one").await.0, StatusCode::SEE_OTHER);
    assert!(get(&server, "/run/store/one").await.1.contains("/files/store/one/report.html"));
    assert!(get(&server, "/side?a=store/one&b=other/two").await.1.contains("sandbox=\"allow-scripts\""));
    assert_eq!(get(&server, "/side?a=store/one").await.0, StatusCode::BAD_REQUEST);
}

#[test]
fn a_growing_history_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("main");
    fs::create_dir_all(&main).unwrap();
    let history = main.join("history.jsonl");
    let mut follower =
        live::Follower::new(folder.path().to_owned(), vec!["main".to_owned(), "later".to_owned()]);
    assert_eq!(follower.look(), live::Progress::default());
    let lines = [
        r#"{"history":1,"spec":"t","variant":"main","model":"register","seed":1,"started":"2026-11-23T10:00:00Z"}"#,
        r#"{"time":1000000,"process":0,"type":"invoke","f":"write","key":"k1","value":17,"phase":"load"}"#,
        r#"{"time":2000000,"process":0,"type":"ok","f":"write","key":"k1","value":17}"#,
        r#"{"time":3000000,"process":"nemesis","type":"info","f":"kill","value":{"fault":1,"event":"start","targets":["n2"],"label":"kill n2"}}"#,
        r#"{"time":4000000,"process":1,"type":"invoke","f":"read","key":"k1","phase":"recovery"}"#,
    ];
    // The last line is incomplete.
    let text = lines.join("\n");
    fs::write(&history, &text[..text.len() - 10]).unwrap();
    let seen = follower.look();
    assert_eq!((seen.ok, seen.open, seen.rate, seen.phase.as_str()), (1, 0, 1, "load"));
    assert_eq!(seen.faults, ["kill n2"]);
    fs::write(&history, text + "\n").unwrap();
    let seen = follower.look();
    assert_eq!((seen.ok, seen.open, seen.phase.as_str()), (1, 1, "recovery"));
    fs::create_dir_all(folder.path().join("later")).unwrap();
    fs::write(folder.path().join("later/history.jsonl"), lines[..2].join("\n") + "\n").unwrap();
    let seen = follower.look();
    assert_eq!(
        (seen.variant.as_str(), seen.ok, seen.open),
        ("later", 0, 1),
        "each variant has its own counts"
    );
    fs::write(folder.path().join("verdict.json"), r#"{"sentence":"Valid: so."}"#).unwrap();
    assert_eq!(follower.look().verdict.as_deref(), Some("Valid: so."));
}

#[tokio::test]
async fn hunts_are_listed_with_their_findings() {
    let (folder, server) = served().await;
    let hunt = folder.path().join("hunt/one");
    write_run(&hunt.join("runs/3"), "prey", "invalid", "2026-11-26T10:00:00Z");
    let files = [
        (
            "hunt.json",
            r#"{"bench":"0.1.0","spec":"prey.toml","seed":5,"shard":1,"shards":1,"faults":["kill"]}"#,
        ),
        (
            "findings.json",
            r#"[{"number":1,"class":"linearizable: <stale>","reason":"a read & so","runs":[3,4],
                "again":{"seen":1,"of":2},"seed":77}]"#,
        ),
        (
            "runs.jsonl",
            "{\"run\":3,\"seed\":77,\"answer\":\"invalid\",\"reason\":\"r\",\"seconds\":1.5,\"faults\":[\"kill n1\"]}\n{\"run\":4",
        ),
    ];
    for (name, text) in files {
        fs::write(hunt.join(name), text).unwrap();
    }
    let (_, list) = get(&server, "/").await;
    assert!(
        list.contains("href=\"/hunt/hunt/one\"") && list.contains("linearizable: &lt;stale&gt;"),
        "{list}"
    );
    let (status, page) = get(&server, "/hunt/hunt/one").await;
    assert_eq!(status, StatusCode::OK);
    for part in [
        "1 run: 0 valid, 1 invalid",
        "/files/hunt/one/runs/3/report.html",
        "a read &amp; so",
        "violated in 1 of 2",
        "--seed 77",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let cut = fs::read_to_string(hunt.join("runs.jsonl")).unwrap();
    assert!(cut.ends_with("{\"run\":4"), "the server writes nothing");
    assert_eq!(get(&server, "/hunt/store/one").await.0, StatusCode::NOT_FOUND);
}
