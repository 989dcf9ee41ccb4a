//! How the protocol scales in virtual time: acceptors, leaders, latencies, and each policy of competing leaders.
//!
//! Only messages, syncs and waits take time; processors are infinitely fast. So the figures show what the protocol costs, and not
//! what this machine can do. Clients ask in a closed loop, each again when it got its answer.

use crate::failure::Failure;
use nemesis::Delay;
use node::config::{Backoff, BackoffKind, Leadership, Member, PaxosOptions, Role};
use node::paxos::message::Command;
use node::sim::{Cluster, LinkCondition};
use node::store::Operation;
use rand::rngs::ChaCha8Rng;
use report::curves::{Curves, Panel, Point, draw};
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const REPLICAS: usize = 2;
const CLIENTS: u64 = 20;
/// How many leaders there are while the acceptors vary, and the other way round.
const LEADERS: usize = 5;
const ACCEPTORS: usize = 5;
const ACCEPTORS_TRIED: [usize; 7] = [3, 5, 9, 17, 33, 65, 101];
const LEADERS_TRIED: [usize; 6] = [2, 3, 5, 8, 16, 32];

/// What a preempted leader does.
const POLICIES: [(&str, Leadership, BackoffKind); 5] = [
    ("none", Leadership::Compete, BackoffKind::None),
    ("exponential", Leadership::Compete, BackoffKind::Exponential),
    ("aimd", Leadership::Compete, BackoffKind::Aimd),
    ("paxosmmc", Leadership::Compete, BackoffKind::Paxosmmc),
    ("monitor", Leadership::Monitor, BackoffKind::Exponential),
];

/// Where the nodes are: the name, the one-way delay with its jitter in microseconds, and the virtual seconds that are measured.
const NETWORKS: [(&str, u64, u64, u64); 2] =
    [("data centre", 250, 100, 2), ("continents", 40_000, 10_000, 30)];

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Setting {
    network: usize,
    policy: usize,
    acceptors: usize,
    leaders: usize,
}

/// What was counted in it.
#[derive(Debug, Clone, Copy)]
struct Figures {
    decisions: u64,
    preemptions: u64,
}

/// Measures every setting and writes `scale.csv`, `scale-acceptors.png` and `scale-leaders.png`.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn run(
    folder: &Path,
    seed: u64,
    threads: usize,
    tell: impl Fn(usize, usize) + Sync,
) -> Result<(), Failure> {
    let settings = settings();
    let next = AtomicUsize::new(0);
    let measured: Mutex<Vec<Option<Figures>>> = Mutex::new(vec![None; settings.len()]);
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(setting) = settings.get(turn) else { break };
            let figures = measure(*setting, seed);
            measured.lock().expect("no thread panics with it")[turn] = Some(figures);
            tell(turn + 1, settings.len());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let measured = measured.into_inner().expect("no thread panics with it");
    let rows: Vec<(Setting, Figures)> = settings
        .into_iter()
        .zip(measured)
        .filter_map(|(setting, figures)| Some((setting, figures?)))
        .collect();
    write_csv(&folder.join("scale.csv"), &rows)?;
    for (name, title, of) in [
        (
            "scale-acceptors.png",
            "acceptors",
            (|it: &Setting| (it.leaders == LEADERS).then_some(it.acceptors)) as Axis,
        ),
        ("scale-leaders.png", "leaders", |it: &Setting| (it.acceptors == ACCEPTORS).then_some(it.leaders)),
    ] {
        let path = folder.join(name);
        let curves = curves(title, seed, &rows, of);
        draw(&curves, &path)
            .map_err(|error| Failure::bench(path.display().to_string(), error.to_string()))?;
    }
    Ok(())
}

/// The value of a setting on an axis; none if it does not belong to it.
type Axis = fn(&Setting) -> Option<usize>;

fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for network in 0..NETWORKS.len() {
        for policy in 0..POLICIES.len() {
            let of = |(acceptors, leaders)| Setting { network, policy, acceptors, leaders };
            let others = LEADERS_TRIED.into_iter().filter(|leaders| *leaders != LEADERS);
            settings.extend(ACCEPTORS_TRIED.map(|acceptors| of((acceptors, LEADERS))));
            settings.extend(others.map(|leaders| of((ACCEPTORS, leaders))));
        }
    }
    settings
}

fn members(setting: Setting) -> Vec<Member> {
    let with = |letter: &'static str, count: usize, role: Role| {
        (1..=count).map(move |number| Member {
            name: format!("{letter}{number}"),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [role].into(),
        })
    };
    let replicas = with("r", REPLICAS, Role::Replica);
    let leaders = with("l", setting.leaders, Role::Leader);
    replicas.chain(leaders).chain(with("a", setting.acceptors, Role::Acceptor)).collect()
}

fn measure(setting: Setting, seed: u64) -> Figures {
    let (_, mean, jitter, seconds) = NETWORKS[setting.network];
    let (_, leadership, kind) = POLICIES[setting.policy];
    let options = PaxosOptions {
        leadership,
        backoff: Backoff { kind, jitter: kind != BackoffKind::Paxosmmc, ..Backoff::default() },
        resend: Duration::from_millis(200).max(Duration::from_micros(8 * mean)),
        patience: Duration::from_millis(150).max(Duration::from_micros(8 * mean)),
        deadline: Duration::from_secs(3600),
        ..PaxosOptions::default()
    };
    let members = members(setting);
    let size = members.len();
    let mut cluster = Cluster::driven(members, &options, seed);
    let micros = Duration::from_micros;
    let delay = Delay { mean: micros(mean), jitter: micros(jitter), ..Delay::default() };
    for link in (0..size * size).filter(|link| link / size != link % size) {
        let travel: node::sim::Travel = Arc::new(move |rng: &mut ChaCha8Rng| delay.draw(rng));
        cluster.set_link(
            link / size,
            link % size,
            LinkCondition { travel: Some(travel), ..LinkCondition::default() },
        );
    }
    let counted = |cluster: &Cluster| {
        let preemptions = (REPLICAS..REPLICAS + setting.leaders)
            .filter_map(|index| cluster.progress(index))
            .map(|(_, _, preempted)| preempted);
        (cluster.decided(), preemptions.sum::<u64>())
    };
    (0..CLIENTS).for_each(|client| ask(&mut cluster, client, 1));
    let mut sequences = vec![1; usize::try_from(CLIENTS).unwrap_or_default()];
    let warm = Duration::from_secs(seconds) / 4;
    run_until(&mut cluster, warm, &mut sequences);
    let before = counted(&cluster);
    run_until(&mut cluster, warm + Duration::from_secs(seconds), &mut sequences);
    let after = counted(&cluster);
    Figures { decisions: after.0 - before.0, preemptions: after.1 - before.1 }
}

fn ask(cluster: &mut Cluster, client: u64, sequence: u64) {
    let operation = Operation::Put { key: "k".to_owned(), value: Arc::new(sequence.to_string()) };
    let command = Command { client: format!("c{client}").into(), sequence, operation };
    let replica = usize::try_from(client).unwrap_or_default() % REPLICAS;
    cluster.request(replica, command, None, client);
}

/// Lets each client ask again when it got its answer, until this time.
fn run_until(cluster: &mut Cluster, time: Duration, sequences: &mut [u64]) {
    while cluster.next_event().is_some_and(|next| next < time) {
        cluster.step();
        for (client, _) in cluster.take_replies() {
            let sequence = &mut sequences[usize::try_from(client).unwrap_or_default()];
            *sequence += 1;
            let sequence = *sequence;
            ask(cluster, client, sequence);
        }
    }
}

fn seconds(setting: &Setting) -> f64 {
    NETWORKS[setting.network].3 as f64
}

fn write_csv(path: &Path, rows: &[(Setting, Figures)]) -> Result<(), Failure> {
    let mut csv =
        "network,policy,acceptors,leaders,seconds,decisions,decisions_per_s,preemptions,preemptions_per_decision\n"
            .to_owned();
    for (setting, Figures { decisions, preemptions }) in rows {
        let (network, policy) = (NETWORKS[setting.network].0, POLICIES[setting.policy].0);
        writeln!(
            csv,
            "{network},{policy},{},{},{},{decisions},{:.1},{preemptions},{:.4}",
            setting.acceptors,
            setting.leaders,
            seconds(setting),
            *decisions as f64 / seconds(setting),
            *preemptions as f64 / (*decisions).max(1) as f64
        )
        .expect("a text takes every line");
    }
    std::fs::write(path, csv).map_err(|error| Failure::io(path, &error))
}

fn curves(axis: &str, seed: u64, rows: &[(Setting, Figures)], of: Axis) -> Curves {
    let panel = |network: usize, title: &str, figure: fn(&Setting, &Figures) -> f64| Panel {
        title: format!("{title}, {}", NETWORKS[network].0),
        by_powers: true,
        curves: (0..POLICIES.len())
            .map(|policy| {
                let own = rows.iter().filter(|(it, _)| (it.network, it.policy) == (network, policy));
                let mut points: Vec<Point> = own
                    .filter_map(|(it, figures)| {
                        Some(Point { x: of(it)? as f64, y: figure(it, figures), interval: None })
                    })
                    .collect();
                points.sort_by(|one, other| one.x.total_cmp(&other.x));
                points
            })
            .collect(),
    };
    let both = |network| {
        [
            panel(network, "Decisions per second", |it, figures| figures.decisions as f64 / seconds(it)),
            panel(network, "Preemptions per decision", |_, figures| {
                figures.preemptions as f64 / figures.decisions.max(1) as f64
            }),
        ]
    };
    let fixed =
        if axis == "acceptors" { format!("{LEADERS} leaders") } else { format!("{ACCEPTORS} acceptors") };
    Curves {
        title: format!("How the protocol scales over {axis}"),
        origin: format!("seed {seed}, virtual time"),
        sentence: format!(
            "{fixed}, {REPLICAS} replicas, {CLIENTS} clients in a closed loop; one-way delays of 0.25 ± 0.1 ms and 40 ± 10 ms; values of 0 are left out"
        ),
        x_title: axis.to_owned(),
        x_by_powers: true,
        names: POLICIES.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        panels: (0..NETWORKS.len()).flat_map(both).collect(),
        ..Curves::default()
    }
}
