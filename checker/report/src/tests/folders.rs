//! Whole folders in, files out.

use super::fixture::{Made, SECOND, backoff_study, plan, write_run};
use super::{no_deadline, *};
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn judged(variants: &[Made]) -> (tempfile::TempDir, RunVerdict) {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", variants);
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    (dir, verdict)
}

fn small(name: &'static str) -> Made {
    Made { rate: 60.0, load: 4 * SECOND, kills: vec![(SECOND, 2 * SECOND)], ..Made::sound(name) }
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.lines().count() > 0 && text.ends_with("\r\n"), "RFC 4180 ends lines with CR LF");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Width, height, and whether there is anything but one colour.
fn decoded(path: &Path) -> (u32, u32, bool) {
    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Indexed, "a drawing has few colours");
    (info.width, info.height, pixels.iter().any(|pixel| *pixel != pixels[0]))
}

#[test]
fn reports_are_written_only_of_kept_runs() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    let reports = ["verdict.json", "summary.csv", "report.html", "main/operations.csv", "main/faults.csv"];
    let written = || reports.iter().filter(|name| dir.path().join(name).exists()).count();
    let removed = judge_and_keep(dir.path(), &no_deadline, |answer| answer == Answer::Invalid).unwrap();
    assert_eq!((removed.answer, written()), (Answer::Valid, 0));
    let kept = judge_and_keep(dir.path(), &no_deadline, |answer| answer == Answer::Valid).unwrap();
    assert_eq!(written(), reports.len());
    assert_eq!(kept.sentence, removed.sentence);
}

#[test]
fn a_run_leaves_every_table_with_the_columns_that_were_promised() {
    let (dir, verdict) = judged(&[small("main")]);
    assert_eq!(verdict.answer, Answer::Valid, "{:?}", verdict.complaints());
    let main = dir.path().join("main");
    let header = |path: &Path| rows(path)[0].join(",");
    assert_eq!(
        header(&main.join("operations.csv")),
        "index,client,process,f,key,argument,result,outcome,refused,error,intended_ns,invoked_ns,completed_ns,node,phase,faults"
    );
    assert_eq!(
        header(&main.join("faults.csv")),
        "fault,kind,label,target,nodes,planned_start_ns,planned_end_ns,start_ns,end_ns,took_effect,evidence"
    );
    assert_eq!(
        header(&main.join("outages.csv")),
        "fault,kind,label,first_error_ns,last_ok_before_ns,first_ok_after_ns,outage_ns,recovered_ns,backlog_drained_ns,same_as"
    );
    assert_eq!(
        header(&dir.path().join("summary.csv")),
        "variant,verdict,operations,ok,refused,fail,info,unsent,throughput_per_s,p50_ms,p90_ms,p99_ms,p999_ms,max_ms,decided,\
         decided_per_s,preemptions,preemptions_per_s,adoptions,adoptions_per_s,longest_without_decision_s,\
         longest_outage_s,time_to_recover_s,load_start_ns"
    );
    assert_eq!(
        header(&main.join("recoveries.csv")),
        "fault,label,node,restarted,slots_before,from_own_log,from_peers,level_after_s,level_ns,slots_after,sentence"
    );
    let recoveries = rows(&main.join("recoveries.csv"));
    assert_eq!(recoveries[1][..4], ["1", "kill leader (n2)", "n2", "true"]);
    let operations = rows(&main.join("operations.csv"));
    let refused = operations[1..].iter().filter(|row| row[8] == "true").count();
    assert!(operations[1..].iter().all(|row| row[8] == (row[9] == "precondition").to_string()));
    assert!(refused <= operations[1..].iter().filter(|row| row[7] == "fail").count());
    assert!(operations[1..].iter().any(|row| row[15] == "1"), "some operation met the fault");
    let faults = rows(&main.join("faults.csv"));
    assert_eq!(faults[1][..5], ["1", "kill", "kill leader (n2)", "leader", "n2"]);
    assert_eq!(faults[1][9..], ["true", "pid 4711 ended by signal 9"]);
}

#[test]
fn pictures_decode_have_the_right_width_and_are_not_blank() {
    let never_ran = Made { kills: vec![], ..small("never-ran") };
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("a"), small("b"), never_ran]);
    fs::remove_dir_all(dir.path().join("never-ran")).unwrap();
    judge(dir.path(), &no_deadline).unwrap();
    for name in PICTURES.into_iter().filter(|name| *name != "backoff.png") {
        let (width, height, drawn) = decoded(&dir.path().join(name));
        assert_eq!(width, 1800, "{name}");
        assert!((900..6000).contains(&height) && drawn, "{name} is {height} high");
    }
}

#[test]
fn a_page_shows_only_pictures_that_say_something() {
    let (dir, verdict) = judged(&[small("main")]);
    let there = |dir: &tempfile::TempDir, name: &str| dir.path().join(name).exists();
    assert!(
        there(&dir, "recovery.png") && !there(&dir, "backoff.png"),
        "one node was killed, no leaders competed"
    );
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains(&verdict.variants[0].recoveries[0].sentence), "the sentence stands on the page");
    fs::write(dir.path().join("backoff.png"), "of an earlier report").unwrap();
    judge(dir.path(), &no_deadline).unwrap();
    assert!(!there(&dir, "backoff.png"));
    let (dir, _) =
        judged(&backoff_study().map(|made| Made { rate: 40.0, load: 3 * SECOND, kills: vec![], ..made }));
    assert!(!there(&dir, "recovery.png") && there(&dir, "backoff.png"));
}

#[test]
fn page_and_pictures_count_time_from_the_load() {
    let (dir, verdict) = judged(&[small("main")]);
    let fault = &verdict.variants[0].faults[0];
    let load = verdict.variants[0].summary.load_start_ns;
    assert_eq!((load, fault.start_ns.unwrap() - load), (SECOND / 2, SECOND + SECOND / 500));
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(
        page.contains("\"start\"><span>1.00 s<") && page.contains("\"healed\"><span>2.00 s<"),
        "planned at 1 s and 2 s of the load"
    );
    let recovered = verdict.variants[0].outages[0].time_to_recover_ns(fault).unwrap() as f64 / 1e9;
    assert_eq!(
        verdict.variants[0].summary.time_to_recover_s,
        Some(recovered),
        "counted from the heal everywhere"
    );
}

#[test]
fn page_needs_nothing_from_elsewhere() {
    let (dir, _) =
        judged(&backoff_study().map(|made| Made { rate: 40.0, load: 3 * SECOND, kills: vec![], ..made }));
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    for forbidden in ["http:", "https:", "<link", "@import", "url(", "src=\"/", "javascript:", "import("] {
        assert!(!page.contains(forbidden), "the page has {forbidden}");
    }
    let policy = "default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;; script-src &#39;sha256-";
    let policy = policy.replace("&#39;", "'");
    assert!(page.contains(&policy), "only the page's own program may run");
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("<svg class=\"picture\"").count(), 4, "all but recovery.png");
    assert!(page.contains("prefers-color-scheme:dark"));
    assert!(page.contains("bench run"));
}

#[test]
fn a_folder_that_was_moved_is_reported_like_before_and_names_no_place() {
    let (dir, _) = judged(&[small("main")]);
    let written =
        |root: &Path| ["report.html", "verdict.json"].map(|name| fs::read(root.join(name)).unwrap());
    let before = written(dir.path());
    let path = dir.path().to_str().unwrap();
    assert!(before.iter().all(|file| !String::from_utf8_lossy(file).contains(path)));
    let other = tempfile::tempdir().unwrap();
    let moved = other.path().join("moved");
    fs::rename(dir.path(), &moved).unwrap();
    judge(&moved, &no_deadline).unwrap();
    assert!(before == written(&moved));
}

#[test]
fn long_evidence_is_folded_and_the_whole_of_it_is_on_the_page_and_in_the_table() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    let path = dir.path().join("main/history.jsonl");
    let cut = "\"n1→n2, n2→n1: a probe got no answer in 100.0 ms\",\"n1→n2: 1 chunk (9 bytes) held\"";
    let history = fs::read_to_string(&path).unwrap().replacen("\"pid 4711 ended by signal 9\"", cut, 1);
    fs::write(&path, history).unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("<details><summary>probes unanswered on 2 links; 1 chunk held</summary>"));
    assert!(page.contains("<li>n1→n2: 1 chunk (9 bytes) held</li>"));
    assert!(rows(&dir.path().join("main/faults.csv"))[1][10].ends_with("n1→n2: 1 chunk (9 bytes) held"));
    let check = verdict.variants[0].checks.iter().find(|check| check.name == "faults").unwrap();
    assert!(check.evidence[0].ends_with(": probes unanswered on 2 links; 1 chunk held"), "{check:?}");
}

#[test]
fn a_hostile_name_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    let mut plan = plan("<script>alert(1)</script>", &[small("main")]);
    plan.about = "\"><img src=x onerror=alert(1)>".into();
    plan.variants[0].faults[0].label = "<b>never</b>".into();
    plan.variants[0].faults[0].fault = 9;
    fs::write(dir.path().join("plan.json"), serde_json::to_vec(&plan).unwrap()).unwrap();
    judge(dir.path(), &no_deadline).unwrap();
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<b>never"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;b&gt;never&lt;/b&gt;"));
}

#[test]
fn a_read_that_nothing_explains_makes_the_run_invalid_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    let path = dir.path().join("main/history.jsonl");
    let mut history = fs::read_to_string(&path).unwrap();
    let last: u64 = history
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("{\"time\":")?.split_once(',')?.0.parse().ok())
        .unwrap();
    for (offset, kind, process, f, value) in [
        (1, "invoke", 90_001, "write", "17"),
        (2, "ok", 90_001, "write", "17"),
        (3, "invoke", 90_002, "read", "null"),
        (4, "ok", 90_002, "read", "99"),
    ] {
        let time = last + offset;
        writeln!(
            history,
            "{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"stale\",\"value\":{value}}}"
        )
        .unwrap();
    }
    fs::write(&path, history).unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    assert_eq!(verdict.answer, Answer::Invalid);
    let violation = verdict.variants[0].violation().unwrap();
    assert_eq!(
        (violation.odd, violation.operations.last().copied()),
        (violation.operations.last().copied(), violation.odd)
    );
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    for part in
        ["What broke", "reads stale: the answer after 0 µs is 99", "bench check main/history.jsonl --explain"]
    {
        assert!(page.contains(part), "{part}");
    }
    let said = "Invalid: a read of stale returned 99, which no operation had written, ";
    assert!(
        verdict.sentence.starts_with(said) && verdict.sentence.contains(" s after the load began, "),
        "{}",
        verdict.sentence
    );
    let (variant, check) = verdict.complaints()[0];
    assert_eq!((variant, check.name), ("main", "linearizable"));
    assert!(
        check.evidence.iter().any(|line| line.contains("read stale → 99") && line.starts_with("operation "))
    );
    assert!(fs::read_to_string(dir.path().join("verdict.json")).unwrap().contains("\"answer\": \"invalid\""));
    assert_eq!(rows(&dir.path().join("summary.csv"))[1][1], "invalid");
}

#[test]
fn an_interrupted_run_is_judged_from_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main"), small("second")]);
    fs::remove_file(dir.path().join("main/load.json")).unwrap();
    fs::remove_dir_all(dir.path().join("main/nodes")).unwrap();
    fs::remove_dir_all(dir.path().join("second")).unwrap();
    let path = dir.path().join("main/history.jsonl");
    let history = fs::read(&path).unwrap();
    fs::write(&path, &history[..history.len() / 2]).unwrap();
    let samples = fs::read(dir.path().join("main/samples.csv")).unwrap();
    fs::write(dir.path().join("main/samples.csv"), &samples[..samples.len() / 2]).unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    assert_eq!(verdict.answer, Answer::Unknown);
    assert!(verdict.sentence.contains("it was interrupted (main)"), "{}", verdict.sentence);
    assert!(verdict.variants[0].summary.counts.ok > 10);
    let complete = verdict.variants[1].checks.iter().find(|check| check.name == "complete").unwrap();
    assert_eq!(complete.reason, "this variant never ran");
    assert!(dir.path().join("report.html").exists() && !dir.path().join("second").exists());
}

#[test]
fn a_history_that_is_none_makes_its_variant_failed_and_names_the_line() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    let path = dir.path().join("main/history.jsonl");
    let broken = fs::read_to_string(&path).unwrap().replacen("\"type\":\"ok\"", "\"type\":\"oh\"", 1);
    fs::write(&path, broken).unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    assert_eq!(verdict.answer, Answer::Failed);
    assert!(verdict.sentence.contains("history.jsonl: line "), "{}", verdict.sentence);
}

#[test]
fn replicas_that_decided_differently_make_the_run_invalid() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    let path = dir.path().join("main/nodes/n2/decisions.jsonl");
    let other = fs::read_to_string(&path).unwrap().replacen("\"sequence\":7}", "\"sequence\":8}", 1);
    fs::write(&path, other).unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    assert_eq!(verdict.answer, Answer::Invalid);
    let (_, check) = verdict.complaints()[0];
    assert_eq!(check.name, "agreement");
    assert!(check.evidence[0].starts_with("slot 7: n1 and n3"), "{:?}", check.evidence);
}

#[test]
fn a_replica_that_could_not_be_asked_leaves_agreement_unknown() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[small("main")]);
    fs::write(dir.path().join("main/nodes/n2/decisions.jsonl"), "").unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    assert_eq!(verdict.answer, Answer::Unknown);
    let (_, check) = verdict.complaints()[0];
    assert!(check.name == "agreement" && check.reason.contains("what n2 decided"), "{check:?}");
}

#[test]
fn pictures_have_the_size_that_was_asked_for() {
    let (dir, _) = judged(&[small("main")]);
    let latency = dir.path().join("latency.png");
    let (width, ..) = decoded(&latency);
    let paper = PictureOptions { width: Some(PictureWidth::Metres(0.0762)), dpi: Some(300), svg: true };
    judge_read_only(dir.path(), &no_deadline, &paper).unwrap();
    let (half, _, drawn) = decoded(&latency);
    assert!(width == 1800 && half == 900 && drawn, "{half} of {width}");
    let reader =
        png::Decoder::new(std::io::BufReader::new(fs::File::open(&latency).unwrap())).read_info().unwrap();
    assert_eq!(reader.info().pixel_dims.map(|pixels| pixels.xppu), Some(11_811), "300 dots an inch");
    let svg = fs::read_to_string(dir.path().join("latency.svg")).unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.contains("width=\"76.2mm\"") && svg.contains(">Latency"),
        "{}",
        &svg[..300]
    );
    judge(dir.path(), &no_deadline).unwrap();
    assert!(!dir.path().join("latency.svg").exists(), "an old one would show something else");
}
