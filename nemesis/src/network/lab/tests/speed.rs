//! Measures the switch beside a bridge of the kernel, in one run. It asserts nothing; it prints.
//!
//! `cargo test -p nemesis --release -- --ignored --nocapture beside_a_bridge`

use super::*;
use std::net::{Shutdown, SocketAddr};

const ROUNDS: usize = 5;
const BULK: usize = 300_000_000;

/// The results of one round.
#[derive(Clone, Copy)]
struct Found {
    /// The median round trip of a request over one connection, in microseconds.
    one: f64,
    /// Requests a second over sixteen connections.
    many: f64,
    /// Megabytes a second over one connection.
    bulk: f64,
}

#[test]
#[ignore = "it measures; see the file"]
fn the_switch_beside_a_bridge() {
    if !inside("network::lab::tests::speed::the_switch_beside_a_bridge") {
        return;
    }
    let mut found: [Vec<Found>; 2] = Default::default();
    for _ in 0..ROUNDS {
        let switch = network(2, Delay::default());
        found[0].push(measure(&[switch.namespace("n1"), switch.namespace("n2")], switch.address("n2")));
        drop(switch);
        let bridge = std::thread::spawn(bridge).join().unwrap();
        found[1].push(measure(&bridge.namespaces, (address(1), PORT).into()));
    }
    for (name, rounds) in ["switch", "bridge"].into_iter().zip(&found) {
        let figure = |of: fn(&Found) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            format!("{:.0} ({:.0} to {:.0})", all[ROUNDS / 2], all[0], all[ROUNDS - 1])
        };
        println!(
            "{name}: one connection {} µs a request; sixteen {} requests/s; bulk {} MB/s",
            figure(|found| found.one),
            figure(|found| found.many),
            figure(|found| found.bulk)
        );
    }
}

/// Two nodes and a bridge between them; dropping it removes all.
struct Bridge {
    namespaces: [Namespace; 2],
    _hub: Namespace,
}

/// Creates it, on a thread without other work.
fn bridge() -> Bridge {
    let namespaces = [Namespace::create().unwrap(), Namespace::create().unwrap()];
    Namespace::create().unwrap();
    let hub = Netlink::open().unwrap();
    hub.add_bridge("bridge").unwrap();
    let bridge = Netlink::index("bridge").unwrap();
    hub.up(bridge).unwrap();
    for (node_index, namespace) in namespaces.iter().enumerate() {
        let name = format!("port{node_index}");
        let mut inner = frame::mac(node_index);
        inner[1] = 0xbd;
        let here = End { name: &name, mac: inner };
        hub.add_pair(&here, &End { name: INTERFACE, mac: frame::mac(node_index) }, namespace.fd()).unwrap();
        let index = Netlink::index(&name).unwrap();
        hub.plug(index, bridge).unwrap();
        hub.up(index).unwrap();
        namespace.inside(|| settle(node_index, 2, None)).unwrap();
        hub.wait_until_running(index).unwrap();
    }
    Bridge { namespaces, _hub: Namespace::current().unwrap() }
}

fn measure(namespaces: &[Namespace; 2], address: SocketAddr) -> Found {
    let listener = namespaces[1].inside(|| TcpListener::bind(address)).unwrap();
    let echo = std::thread::spawn(move || {
        let streams: Vec<_> = (0..18).map(|_| listener.accept().unwrap().0).collect();
        let threads = streams.into_iter().map(|mut stream| {
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    // Requests get an answer; bulk data is only read.
                    if length == 200 && stream.write_all(&buffer[..200]).is_err() {
                        return;
                    }
                }
            })
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    });
    let connect = || namespaces[0].inside(|| TcpStream::connect(address)).unwrap();
    let streams: Vec<_> = (0..18).map(|_| connect()).collect();
    let mut streams = streams.into_iter();
    let one = requests(streams.next().unwrap(), 5_000);
    let start = Instant::now();
    let many: Vec<_> =
        streams.by_ref().take(16).map(|stream| std::thread::spawn(|| requests(stream, 1_000))).collect();
    for thread in many {
        thread.join().unwrap();
    }
    let many = 16_000.0 / start.elapsed().as_secs_f64();
    let mut last = streams.next().unwrap();
    let start = Instant::now();
    let chunk = vec![0; 1 << 16];
    for _ in 0..BULK / chunk.len() {
        last.write_all(&chunk).unwrap();
    }
    last.shutdown(Shutdown::Write).unwrap();
    let _ = last.read(&mut [0; 1]);
    let bulk = BULK as f64 / 1e6 / start.elapsed().as_secs_f64();
    drop(last);
    echo.join().unwrap();
    Found { one, many, bulk }
}

/// The median time of a number of requests of 200 bytes, in microseconds.
fn requests(mut stream: TcpStream, count: usize) -> f64 {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [7; 200];
    let mut times: Vec<f64> = (0..count)
        .map(|_| {
            let start = Instant::now();
            stream.write_all(&buffer).unwrap();
            stream.read_exact(&mut buffer).unwrap();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[count / 2]
}
