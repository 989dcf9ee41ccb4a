//! One proxied connection, from `accept` to its last byte or its reset.

use super::link::{Lane, LinkState};
use super::pump::Pump;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::network::condition::Condition;

/// Accepts connections until it is dropped, which also ends every connection.
pub(super) async fn accept(listener: TcpListener, link: Arc<LinkState>, upstream: SocketAddr) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, peer)) => {
                    number += 1;
                    let caller = Caller { peer, number };
                    connections.spawn(serve(client, caller, Arc::clone(&link), upstream));
                }
                // Most likely too many open files: the next connection that closes frees one.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// The address of the dialler, and the index of the connection at its listener.
#[derive(Debug, Clone, Copy)]
struct Caller {
    peer: SocketAddr,
    number: u64,
}

async fn serve(mut client: TcpStream, caller: Caller, link: Arc<LinkState>, upstream: SocketAddr) {
    let counted = !link.is_probe(caller.peer.port());
    let condition = link.condition();
    let at_first = *condition.borrow();
    if at_first.refused {
        link.counters.refused.fetch_add(u64::from(counted), Relaxed);
        abort(&client);
        return;
    }
    let open = counted.then(|| link.opened());
    let mut onward = None;
    let ended = tokio::select! {
        ended = relay((&mut client, &mut onward), upstream, &link, caller.number, counted) => ended,
        () = reset_ordered(condition, at_first.resets) => {
            link.counters.reset.fetch_add(u64::from(counted), Relaxed);
            Err(io::ErrorKind::ConnectionReset.into())
        }
    };
    if ended.is_err() {
        abort(&client);
        onward.iter().for_each(abort);
    }
    drop(open);
}

/// Turns the close of a socket into a reset.
fn abort(stream: &TcpStream) {
    // It fails only on a socket that was already reset.
    let _ = stream.set_zero_linger();
}

async fn reset_ordered(mut condition: watch::Receiver<Condition>, seen: u64) {
    // An error means that the link was dropped, which ends this task too.
    let _ = condition.wait_for(|condition| condition.resets != seen).await;
}

/// Passes bytes both ways until both sides have ended. An error ends both sides with a reset.
async fn relay(
    (client, onward): (&mut TcpStream, &mut Option<TcpStream>),
    upstream: SocketAddr,
    link: &LinkState,
    number: u64,
    counted: bool,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let mut forward = Pump::new(link, Lane::Forward, number, counted);
    let Some(from_client) = forward.before_dialling(from_client).await else {
        return Ok(());
    };
    let stream = onward.insert(TcpStream::connect(upstream).await?);
    stream.set_nodelay(true)?;
    let (from_upstream, to_upstream) = stream.split();
    let backward = Pump::new(link, Lane::Backward, number, counted);
    tokio::try_join!(forward.run(from_client, to_upstream), backward.run(from_upstream, to_client))?;
    Ok(())
}
