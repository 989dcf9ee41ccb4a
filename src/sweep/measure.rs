//! One measurement without a history: starts a cluster, writes its keys, warms up, and measures.

use super::usage;
use crate::failure::Failure;
use crate::spec::Experiment;
use crate::systems::cluster::Cluster;
use report::sweep::Measurement;
use std::path::Path;
use tokio::sync::oneshot;
use workloads::{
    CancellationToken, LoadSpec, PaxosHttp, Protocol, Target, ThroughputMeter, ThroughputReport,
};

/// Largest number of named failures per measurement.
const NAMED: usize = 3;

/// Starts the cluster of an experiment in this folder, measures, and stops it. None if cancelled.
///
/// # Errors
/// When the cluster cannot be started or stopped, or its keys cannot be written.
pub(super) async fn measure(
    experiment: &Experiment,
    folder: &Path,
    seed: u64,
    cancel: &CancellationToken,
) -> Result<Option<(Measurement, Vec<String>)>, Failure> {
    let cluster = Cluster::prepare(experiment, folder, seed).await?;
    let outcome = with_cluster(&cluster, experiment, folder, seed, cancel).await;
    let stopped = cluster.stop().await;
    let outcome = outcome?;
    stopped?;
    Ok(outcome)
}

async fn with_cluster(
    cluster: &Cluster,
    experiment: &Experiment,
    folder: &Path,
    seed: u64,
    cancel: &CancellationToken,
) -> Result<Option<(Measurement, Vec<String>)>, Failure> {
    let mut exits = cluster.testbed.take_exits().expect("the exits of this cluster are taken once");
    tokio::select! {
        biased;
        Some(exit) = exits.recv() => return Err(cluster.ended_at_start(&exit)),
        () = cancel.cancelled() => return Ok(None),
        launched = cluster.launch(experiment) => launched?,
    }
    let mut pids = Vec::new();
    for (name, _) in &cluster.nodes {
        pids.extend(cluster.testbed.pid(name).await);
    }
    let job = Job {
        load: experiment.spec.load.clone(),
        protocol: protocol(experiment)?,
        targets: cluster.targets(),
        seed,
        pids,
        cancel: cancel.clone(),
    };
    let measured =
        job.on_its_own_thread().map_err(|error| Failure::bench("measurement", error.to_string()))?;
    tokio::select! {
        // A node that ends explains the failures of its requests.
        biased;
        Some(exit) = exits.recv() => Err(cluster.ended_at_start(&exit)),
        measured = measured => measured
            .expect("the thread of a measurement sends its result")
            .map_err(|reason| Failure::bench("cluster", reason)
                .help(format!("the nodes' output is in {}", folder.join("nodes").display()))),
    }
}

/// The protocol of its clients.
fn protocol(experiment: &Experiment) -> Result<Box<dyn Protocol>, Failure> {
    let load = &experiment.spec.load;
    match &experiment.spec.client {
        Some(client) => client
            .table(load)
            .map(|table| Box::new(table) as Box<dyn Protocol>)
            .map_err(|error| experiment.complaint(&error.field, &error.message)),
        None => Ok(Box::new(PaxosHttp::new(load.workload, load.keys))),
    }
}

/// The parameters of the thread that runs all clients.
struct Job {
    load: LoadSpec,
    protocol: Box<dyn Protocol>,
    targets: Vec<Target>,
    seed: u64,
    pids: Vec<u32>,
    cancel: CancellationToken,
}

type Outcome = Result<Option<(Measurement, Vec<String>)>, String>;

impl Job {
    /// Runs all clients on one thread, so that they leave the processors to the nodes.
    fn on_its_own_thread(self) -> std::io::Result<oneshot::Receiver<Outcome>> {
        let (sender, receiver) = oneshot::channel();
        std::thread::Builder::new().name("clients".to_owned()).spawn(move || {
            let outcome = self.run();
            // After the end of a node the result is not needed.
            let _ = sender.send(outcome);
        })?;
        Ok(receiver)
    }

    fn run(self) -> Outcome {
        let failed = |error: std::io::Error| error.to_string();
        let meter = ThroughputMeter::new(&self.load, &*self.protocol, self.targets, self.seed)
            .map_err(|error| error.to_string())?;
        if !meter.fill(&self.cancel).map_err(failed)? {
            return Ok(None);
        }
        let warmed = self.load.warmup.is_zero()
            || meter.run(self.load.warmup, &self.cancel).map_err(failed)?.is_some();
        let before = usage::processor_seconds(&self.pids);
        let report = if warmed { meter.run(self.load.duration, &self.cancel).map_err(failed)? } else { None };
        let Some(report) = report else { return Ok(None) };
        let after = usage::processor_seconds(&self.pids);
        let cpu_us = before.zip(after).filter(|_| report.ok > 0);
        let cpu_us = cpu_us.map(|(before, after)| (after - before) * 1e6 / report.ok as f64);
        let measurement =
            Measurement { cpu_us, memory_bytes: usage::memory_bytes(&self.pids), ..row(&report) };
        Ok(Some((measurement, failures(&report))))
    }
}

fn row(report: &ThroughputReport) -> Measurement {
    Measurement {
        seconds: report.seconds,
        ok: report.ok,
        failed: report.failures(),
        throughput_per_s: Some(report.ok as f64 / report.seconds),
        p50_ms: report.quantile_ms(0.5),
        p90_ms: report.quantile_ms(0.9),
        p99_ms: report.quantile_ms(0.99),
        p999_ms: report.quantile_ms(0.999),
        max_ms: report.max_ms(),
        ..Measurement::default()
    }
}

/// The most frequent outcomes of operations without success.
fn failures(report: &ThroughputReport) -> Vec<String> {
    let mut failed: Vec<_> = report.failed.iter().collect();
    failed.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    failed.into_iter().take(NAMED).map(|(error, count)| format!("{count} {error}")).collect()
}
