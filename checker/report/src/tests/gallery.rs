//! Pictures for people: `GALLERY=/some/folder cargo test -p checker gallery -- --ignored`.

use super::fixture::{Made, SECOND, backoff_study, write_run};
use super::{judge, no_deadline};
use std::path::Path;

#[test]
#[ignore = "writes pictures to look at; needs the folder in GALLERY"]
fn gallery() {
    let root = std::env::var("GALLERY").unwrap();
    let write = |name: &str, variants: &[Made]| {
        let dir = Path::new(&root).join(name);
        std::fs::create_dir_all(&dir).unwrap();
        write_run(&dir, name, variants);
        let verdict = judge(&dir, &no_deadline).unwrap();
        println!("{name}: {} {}", verdict.sentence, verdict.reading.unwrap_or_default());
    };
    write("backoff", &backoff_study());
    write("one", &[Made::sound("main")]);
    let [a, b, c] = backoff_study();
    let other = |name: &'static str, latency_ms: f64| Made { latency_ms, ..Made::sound(name) };
    write("five", &[a, b, c, other("a rather long name of a variant", 9.0), other("e", 30.0)]);
    let quiet = Made { rate: 0.01, kills: vec![], ..Made::sound("main") };
    write("quiet", &[quiet]);
    let short = Made { load: 2 * SECOND, kills: vec![(SECOND / 2, SECOND)], ..Made::sound("main") };
    write("short", &[short]);
    let kills = (0..24).map(|n| ((10 + 24 * n) * SECOND, (14 + 24 * n) * SECOND)).collect();
    let long = Made { load: 580 * SECOND, kills, rate: 1000.0, ..Made::sound("main") };
    write("long", &[long]);
}
