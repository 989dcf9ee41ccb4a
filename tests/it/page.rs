//! `report.html` in a browser: it opens from a file, is reached by keyboard, and hides nothing from anybody.

use crate::support::browser::{Browser, Look, axe_core, chromium};
use crate::support::{output, stderr};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const MS: u64 = 1_000_000;

/// Writes a run with so many operations, and one stale read if asked for.
pub(crate) fn write_run(folder: &Path, operations: u64, stale: bool) {
    let length = (operations * 50_000 / MS).max(2_000) * MS;
    let plan = json!({
        "bench": "0.1.0", "spec": "page", "about": "A made-up run for the page.", "seed": 7,
        "started": "2026-11-29T08:00:00Z", "machine": "2 cores",
        "variants": [{
            "name": "main", "model": "register", "system": "paxos", "network": "proxy", "nodes": ["n1", "n2", "n3"],
            "clients": 20, "rate": null, "keys": 50,
            "check": {"linearizable": true, "timeout": "120s", "agreement": false},
            "faults": [{"fault": 1, "kind": "partition", "label": "partition one (n2 | n1 n3)", "target": "one",
                "nodes": ["n2"], "start": length / 4, "end": length / 2}]
        }]
    });
    fs::write(folder.join("plan.json"), plan.to_string()).unwrap();
    let main = folder.join("main");
    for node in ["n1", "n2", "n3"] {
        fs::create_dir_all(main.join("nodes").join(node)).unwrap();
        let log = format!("2026-11-29T08:00:01.750Z {node} lost sight of the others\nno time here\n");
        fs::write(main.join("nodes").join(node).join("output.log"), log).unwrap();
    }
    fs::write(main.join("history.jsonl"), history(length, operations, stale)).unwrap();
    let span = |phase, start, end| json!({"phase": phase, "start": start, "end": end});
    let phases = [
        span("load", 0, length),
        span("recovery", length, length + 500 * MS),
        span("final", length + 500 * MS, length + 600 * MS),
    ];
    fs::write(main.join("load.json"), json!({"phases": phases, "complete": true}).to_string()).unwrap();
    let mut samples = "time_ns,node,up,pid,active,round,leader,slot_in,slot_out,preemptions,adoptions,backoff_ms,log_bytes\n".to_owned();
    for time in (0..length).step_by(usize::try_from(50 * MS).unwrap()) {
        for node in 1..=3 {
            writeln!(samples, "{time},n{node},true,{node},{},1,n1,{1},{1},0,0,0,0", node == 1, time / MS + 1)
                .unwrap();
        }
    }
    fs::write(main.join("samples.csv"), samples).unwrap();
    let links = "from,to,frames,bytes,cut,cut_bytes,delayed,delayed_bytes,lost\nn1,n2,900,90000,41,4100,0,0,0\nn2,n1,700,70000,40,4000,0,0,0\n";
    fs::write(main.join("links.csv"), links).unwrap();
}

/// Events of a history, by time.
type Events = Vec<(u64, Value)>;

/// A number that looks random (the last step of `SplitMix64`), so that pages compress as badly as those of real runs.
fn noise(number: u64) -> u64 {
    let mixed = (number.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Clients that write and read in turn, each on its own keys, so that every answer is what it wrote last.
fn load(events: &mut Events, length: u64, operations: u64) -> [Option<u64>; 50] {
    let gap = length / operations.max(1);
    let mut values = [None; 50];
    for number in 0..operations {
        let process = number % 20;
        let at = number * gap + noise(number) % (gap / 2);
        let key = usize::try_from(process + 20 * (noise(number / 20) % 2)).unwrap();
        let writes = noise(number + 1).is_multiple_of(3);
        if writes {
            values[key] = Some(number + 1);
        }
        let took = ((gap * 4).min(400_000) + noise(number + 2) % (gap * 12).min(900_000)).min(gap * 19);
        let mut event = json!({"process": process, "type": "invoke", "f": if writes { "write" } else { "read" },
            "key": format!("k{key}"), "value": values[key].filter(|_| writes), "client": process,
            "node": format!("n{}", number % 3 + 1), "phase": "load"});
        events.push((at, event.clone()));
        if number % 997 == 500 && !writes {
            (event["type"], event["error"]) = (json!("fail"), json!("unavailable"));
        } else {
            (event["type"], event["value"]) = (json!("ok"), json!(values[key]));
        }
        events.push((at + took, event));
    }
    values
}

/// One operation on the key `hot` that succeeds.
fn hot(events: &mut Events, at: u64, process: u64, node: &str, f: &str, value: u64) {
    let argument = (f == "write").then_some(value);
    let mut event = json!({"process": process, "type": "invoke", "f": f, "key": "hot", "value": argument,
        "client": process, "node": node, "phase": "load"});
    events.push((at, event.clone()));
    (event["type"], event["value"]) = (json!("ok"), json!(value));
    events.push((at + 3 * MS, event));
}

fn history(length: u64, operations: u64, stale: bool) -> String {
    let mut events = Events::new();
    let values = load(&mut events, length, operations);
    for (at, event, evidence) in [
        (length / 4, "start", "n1→n2, n2→n1: a probe got no answer in 100.0 ms"),
        (length / 2, "end", "n1→n2, n2→n1: a probe is answered again"),
    ] {
        let value = json!({"fault": 1, "event": event, "targets": ["n2"], "evidence": [evidence]});
        events.push((at, json!({"process": "nemesis", "type": "info", "f": "partition", "value": value})));
    }
    if stale {
        let middle = length * 3 / 8;
        hot(&mut events, middle - 700 * MS, 100, "n1", "write", 41);
        hot(&mut events, middle, 100, "n1", "write", 42);
        hot(&mut events, middle + 9 * MS, 101, "n3", "read", 42);
        hot(&mut events, middle + 20 * MS, 102, "n2", "read", 41);
    }
    for (key, at) in (0..50).zip((length + 500 * MS..).step_by(1_000_000)) {
        let mut event = json!({"process": 200, "type": "invoke", "f": "read", "key": format!("k{key}"), "value": null,
            "client": 0, "node": "n1", "phase": "final"});
        events.push((at, event.clone()));
        (event["type"], event["value"]) = (json!("ok"), json!(values[key]));
        events.push((at + MS / 2, event));
    }
    events.sort_by_key(|(at, _)| *at);
    let mut text = "{\"history\":1,\"spec\":\"page\",\"variant\":\"main\",\"model\":\"register\",\"seed\":7,\
                    \"started\":\"2026-11-29T08:00:00.5Z\"}\n"
        .to_owned();
    for (at, mut event) in events {
        event["time"] = json!(at);
        writeln!(text, "{event}").unwrap();
    }
    text
}

/// A run in which a read was stale, with its page.
fn invalid() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_run(folder.path(), 3000, true);
    let report = output(folder.path(), &["report", "."]);
    assert_eq!(report.status.code(), Some(1), "{}", stderr(&report));
    folder
}

fn page_of(run: &tempfile::TempDir) -> PathBuf {
    run.path().join("report.html")
}

#[test]
fn pages_open_without_a_complaint() {
    let Some(program) = chromium("page::pages_open_without_a_complaint") else { return };
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/sample/report.html");
    let run = invalid();
    for look in Look::all() {
        let mut browser = Browser::start(&program, look);
        browser.open_report(&page_of(&run), "");
        let wide = browser.evaluate("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(look.width), "{look:?}: the page is {wide} wide");
        browser.evaluate("document.querySelector('[data-row=clients]').scrollIntoView()");
        browser.wait(
            "(canvas => canvas.height > 150 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)\
             .data.some(part => part > 0))(document.querySelector('[data-row=clients] canvas'))",
        );
        browser.open(&sample, "");
        assert_eq!(browser.complaints, [""; 0], "{look:?}");
    }
}

#[test]
fn keyboard_reaches_the_violation() {
    let Some(program) = chromium("page::keyboard_reaches_the_violation") else { return };
    let run = invalid();
    let mut browser = Browser::start(&program, Look::WIDE);
    browser.open_report(&page_of(&run), "");
    let focused = "document.activeElement.textContent";
    let found = (0..60).any(|_| {
        browser.press("Tab");
        browser.text(focused) == "Show the violation"
    });
    assert!(found, "the button was not reached, but {}", browser.text(focused));
    browser.press("Enter");
    let words = browser.text("document.activeElement.innerText");
    for part in ["read hot", "41", "client 102", "n2", "partition one", "Nothing explains this operation"] {
        assert!(words.contains(part), "{part} is not in: {words}");
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn keys_move_select_and_are_kept() {
    let Some(program) = chromium("page::keys_move_select_and_are_kept") else { return };
    let run = invalid();
    let mut browser = Browser::start(&program, Look::WIDE);
    browser.open_report(&page_of(&run), "");
    browser.evaluate("document.querySelector('.stage').focus()");
    for key in ["+", "+", "d", "n"] {
        browser.press(key);
    }
    browser.wait("location.hash.includes('op=')");
    browser.wait("location.hash.includes('t=')");
    let place = browser.text("location.hash");
    let selected = browser.text("document.querySelector('.details h3').textContent");
    let mut other = Browser::start(&program, Look::WIDE);
    other.open_report(&page_of(&run), &place);
    assert_eq!(other.text("document.querySelector('.details h3').textContent"), selected, "{place}");
    assert_eq!(other.text("location.hash"), place);
}

#[test]
fn search_finds_operations_and_logs() {
    let Some(program) = chromium("page::search_finds_operations_and_logs") else { return };
    let run = invalid();
    let mut browser = Browser::start(&program, Look::WIDE);
    for (text, found) in [
        ("key:hot", "4 operations"),
        ("key:hot f:read", "2 operations"),
        ("key:hot value:41", "2 operations"),
        ("client:102", "1 operation"),
        ("lost sight", "0 operations, 3 lines"),
        ("error:nonsense", "0 operations"),
    ] {
        browser.open_report(&page_of(&run), &format!("#q={}", text.replace(' ', "+")));
        assert_eq!(browser.text("document.querySelector('.count').textContent"), found, "{text}");
    }
    browser.evaluate("document.querySelector('[data-row=logs]').scrollIntoView()");
    browser.wait("document.querySelector('.lines').innerText.includes('lost sight')");
    let lines = browser.text("document.querySelector('.lines').innerText");
    assert!(
        lines.contains("1.250 s") && lines.contains("n2 lost sight") && lines.contains("no time here"),
        "{lines}"
    );
}

#[test]
fn accessibility_checker_finds_no_serious_fault() {
    const TEST: &str = "page::accessibility_checker_finds_no_serious_fault";
    let Some(program) = chromium(TEST) else { return };
    let Some(axe) = axe_core(TEST) else { return };
    let run = invalid();
    for look in Look::all() {
        let mut browser = Browser::start(&program, look);
        browser.open_report(&page_of(&run), "");
        browser.evaluate("timeline.showViolation()");
        let faults = browser.serious_faults(&axe);
        assert_eq!(faults, json!([]), "{look:?}");
    }
}

#[test]
fn page_without_scripts_tells_the_same() {
    let Some(program) = chromium("page::page_without_scripts_tells_the_same") else { return };
    let mut browser = Browser::start(&program, Look { scripts: false, ..Look::WIDE });
    let run = invalid();
    browser.open(&page_of(&run), "");
    let document = browser.call("DOM.getDocument", &json!({"depth": 0}));
    let html = browser.call("DOM.getOuterHTML", &json!({"nodeId": document["root"]["nodeId"]}));
    let html = html["outerHTML"].as_str().unwrap();
    for part in
        ["The timeline needs JavaScript", "What broke", "returned 41", "--explain", "could have failed"]
    {
        assert!(html.contains(part), "{part}");
    }
}

/// `cargo test -p bench --test it large_pages -- --ignored --nocapture` prints the figures in `checker/report/README.md`.
#[test]
#[ignore = "measures how fast large pages open; takes minutes"]
fn large_pages_open_and_zoom_fast() {
    let Some(program) = chromium("page::large_pages_open_and_zoom_fast") else { return };
    for operations in [100_000, 1_000_000] {
        let folder = tempfile::tempdir().unwrap();
        write_run(folder.path(), operations, true);
        let begun = Instant::now();
        let report = output(folder.path(), &["report", "."]);
        assert_eq!(report.status.code(), Some(1), "{}", stderr(&report));
        let made = begun.elapsed().as_secs_f64();
        let page = folder.path().join("report.html");
        let size = fs::metadata(&page).unwrap().len();
        let mut browser = Browser::start(&program, Look::WIDE);
        browser.open_report(&page, "");
        let ready = browser.text("document.documentElement.dataset.ready");
        browser.evaluate("document.getElementById('run').scrollIntoView()");
        let frames = browser.evaluate(ZOOM);
        println!(
            "{operations} operations: page made in {made:.1} s, {size} bytes, opened in {ready} ms, zooming at {} frames a second, \
             the slowest frame {} ms",
            frames[0], frames[1]
        );
    }
}

/// Zooms in by a factor of ten thousand and out again, frame by frame: frames a second, and the longest frame.
const ZOOM: &str = "new Promise(done => {
    const begun = performance.now(); let frame = 0, last = begun, longest = 0;
    const step = now => {
        longest = Math.max(longest, now - last); last = now;
        if (frame === 240) return done([Math.round(frame / (now - begun) * 1e4) / 10, Math.round(longest)]);
        timeline.view.zoom(frame < 120 ? 0.926 : 1.08, timeline.view.left + 600); frame += 1;
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})";
