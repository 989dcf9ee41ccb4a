//! Throughput of a TCP stream over a lossy link, beside the theoretical value.
//!
//! One half prints and asserts nothing: `cargo test -p nemesis --release -- --ignored --nocapture mathis`

use super::*;

/// Payload of a segment in an Ethernet frame, with timestamps.
const SEGMENT: f64 = 1448.0;
/// One-way delay, so a round trip takes twice as long.
const ONE_WAY: u64 = 10;

/// The throughput of a stream between two nodes, in bytes per second, with the counters of its link.
fn throughput(loss: Share, seconds: u64) -> (f64, LinkCounters) {
    let network = network(2, Delay { mean: ms(ONE_WAY), ..Delay::default() });
    let (mut dialled, mut accepted) = connection(&network);
    // The formula is about Reno; the kernel's default may be faster.
    rustix::net::sockopt::set_tcp_congestion(&dialled, "reno").unwrap();
    network.apply(&link(), 1, LinkFault::Flaky(Flaky { loss, ..Flaky::default() }));
    dialled.set_write_timeout(Some(ms(500))).unwrap();
    let sender = std::thread::spawn(move || {
        let chunk = vec![7; 1 << 16];
        while dialled.write(&chunk).is_ok() {}
    });
    let mut buffer = vec![0; 1 << 18];
    let mut read = |until: Instant| {
        let mut bytes = 0;
        while Instant::now() < until {
            bytes += accepted.read(&mut buffer).unwrap();
        }
        bytes
    };
    // Slow start ends within a second.
    read(Instant::now() + ms(1_000));
    let (before, start) = (network.counters(&link()), Instant::now());
    let bytes = read(start + Duration::from_secs(seconds));
    let carried = bytes as f64 / start.elapsed().as_secs_f64();
    let counters = network.counters(&link()) - before;
    drop(accepted);
    sender.join().unwrap();
    (carried, counters)
}

/// The throughput of Reno in bytes per second after Mathis, Semke, Mahdavi and Ott (1997).
///
/// The two values are for a receiver that acknowledges every second segment, and one that acknowledges each.
fn mathis(loss: f64) -> [f64; 2] {
    let round_trip = 2.0 * ONE_WAY as f64 / 1e3;
    [0.87, 1.22].map(|constant| SEGMENT / round_trip * constant / loss.sqrt())
}

#[test]
fn packet_loss_slows_a_stream() {
    if !inside("network::lab::tests::tcp::packet_loss_slows_a_stream") {
        return;
    }
    let (none, one, four) =
        (throughput(Share::default(), 1).0, throughput(percent(1), 3).0, throughput(percent(4), 3).0);
    println!("at 0 %: {none:.0} bytes/s, at 1 %: {one:.0}, at 4 %: {four:.0}; expected {:?}", mathis(0.01));
    // Four times the loss halves the throughput; a switch that lost frames of 64 KB would be 40 times faster.
    assert!(none > 3.0 * one && one > 1.3 * four, "{none} {one} {four}");
    assert!(one < 2.0 * mathis(0.01)[1], "{one}");
}

#[test]
#[ignore = "it measures; see the file"]
fn stream_under_loss_beside_mathis_formula() {
    if !inside("network::lab::tests::tcp::stream_under_loss_beside_mathis_formula") {
        return;
    }
    println!("round trip {} ms, Reno, 10 s each", 2 * ONE_WAY);
    for millionths in [0, 1_000, 3_000, 10_000, 30_000] {
        let (carried, counters) = throughput(Share::of_millionths(millionths), 10);
        let share = f64::from(millionths) / 1e6;
        let lost = counters.lost as f64 / counters.chunks as f64;
        let [low, high] = mathis(share).map(|bytes| bytes / 1e6);
        let expected = if millionths > 0 { format!("; Mathis {low:.3} to {high:.3}") } else { String::new() };
        println!(
            "loss set {:.1} %, lost {:.2} % of {} frames: {:.3} MB/s{expected}",
            100.0 * share,
            100.0 * lost,
            counters.chunks,
            carried / 1e6,
        );
    }
}
