//! `bench doctor --hosts`: what each machine can do as the host of a node.

use crate::cli::Doctor;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::{BAD, FAINT, GOOD, STRONG, Screen};
use futures_util::future::join_all;
use nemesis::{HostAddress, HostConnection, HostError};

/// The largest difference of clocks that is not worth a remark, in seconds.
const CLOCKS: f64 = 0.5;

/// Prints what each host can do; leaves nothing there.
///
/// # Errors
/// When no runtime can be started. A host that cannot be used is exit code 4.
pub(super) fn run(arguments: &Doctor, screen: &Screen) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let ssh: Vec<String> = arguments.ssh.split_whitespace().map(str::to_owned).collect();
    let asked = runtime.block_on(join_all(arguments.hosts.iter().map(|host| ask(host, &ssh))));
    let mut exit = Exit::Valid;
    for (host, asked) in arguments.hosts.iter().zip(asked) {
        screen.line(&format!("{STRONG}{host}{STRONG:#}"));
        match asked {
            Ok(lines) => lines.iter().for_each(|line| screen.line(line)),
            Err(error) => {
                screen.line(&format!("  {BAD}no{BAD:#}   reached     {FAINT}{error}{FAINT:#}"));
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// The lines about a host.
async fn ask(host: &str, ssh: &[String]) -> Result<Vec<String>, HostError> {
    let to = HostAddress { destination: host.to_owned(), address: None, ssh: ssh.to_vec() };
    let connection = HostConnection::connect(to).await?;
    let able = connection.abilities();
    let address = connection.address();
    let mut lines = vec![format!("  {GOOD}yes{GOOD:#}  reached     {address}, {}", able.kernel)];
    let abouts = [
        (&able.guards, "no process of a node outlives its agent, daemons neither"),
        (&able.cut, "links can be cut: partition, one-way, swizzle"),
        (&able.delay, "packets can be delayed, and a share lost: delay, flaky"),
    ];
    for (ability, about) in abouts {
        lines.push(match &ability.outcome {
            Ok(how) => format!("  {GOOD}yes{GOOD:#}  {:10}  {about} {FAINT}({how}){FAINT:#}", ability.name),
            Err(why) => format!("  {BAD}no{BAD:#}   {:10}  {about}  {FAINT}{why}{FAINT:#}", ability.name),
        });
    }
    let listens = connection.reserve(vec![(address, 0).into()]).await;
    lines.push(match listens {
        Ok(()) => format!("  {GOOD}yes{GOOD:#}  address     nodes can listen at {address}"),
        Err(error) => format!("  {BAD}no{BAD:#}   address     {FAINT}{error}{FAINT:#}"),
    });
    let ahead = connection.clock_ahead();
    let clock = match ahead {
        _ if ahead.abs() < CLOCKS => "agrees with this machine".to_owned(),
        _ if ahead > 0.0 => format!("is {ahead:.1} s ahead of this machine"),
        _ => format!("is {:.1} s behind this machine", -ahead),
    };
    lines.push(format!("       clock       {clock}"));
    let gigabytes = able.free_bytes as f64 / 1e9;
    lines.push(format!("       space       {gigabytes:.1} GB free for {}", connection.folder().display()));
    connection.leave().await?;
    Ok(lines)
}
