//! Systems other than the bench's own: finds the program of a node, and builds its command line.

use super::cluster::output_path;
use crate::failure::Failure;
use crate::spec::sections::{Cluster, PlannedNode, System};
use nemesis::{ProcessClock, ProcessCommand, Testbed};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How etcd is started, in words that are filled in for each node. Its members speak to each other at a port of their own.
const ETCD: [&str; 18] = [
    "--name",
    "{name}",
    "--data-dir",
    "{data}",
    "--listen-client-urls",
    "http://{address}",
    "--advertise-client-urls",
    "http://{address}",
    "--listen-peer-urls",
    "http://{etcd-peer}",
    "--initial-advertise-peer-urls",
    "http://{etcd-peer}",
    "--initial-cluster",
    "{etcd-members}",
    "--initial-cluster-state",
    "new",
    "--log-outputs",
    "stderr",
];

/// The words in braces that the arguments of a command may have, for messages.
pub(crate) const WORDS: &str = "{name}, {number}, {address}, {ip}, {port}, {data}, {members} or {others}";

/// The program of a foreign system: as the spec has it, or found by its name in PATH.
///
/// # Errors
/// When there is none, with what to do about it.
pub(crate) fn program(cluster: &Cluster) -> Result<PathBuf, String> {
    let named = match (&cluster.program, cluster.system) {
        (Some(program), _) => program.clone(),
        (None, System::Etcd) => PathBuf::from("etcd"),
        (None, System::Command | System::Paxos) => {
            return Err("the program is missing; say which, for example program = \"./my-store\"".to_owned());
        }
    };
    if named.as_os_str().is_empty() {
        return Err("the program is empty; say which, for example program = \"./my-store\"".to_owned());
    }
    find(&named, "--set cluster.program=")
}

/// A program by its path, or by its name in PATH. `set` is what gives it another path.
///
/// # Errors
/// When there is none, with what to do about it.
pub(crate) fn find(named: &Path, set: &str) -> Result<PathBuf, String> {
    let fit = |path: &Path| {
        fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if named.components().count() > 1 {
        let absolute = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
        return if fit(&absolute) {
            Ok(absolute)
        } else {
            Err(format!("there is no program {}; give the path of one", named.display()))
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(named)).find(|path| fit(path));
    found.ok_or_else(|| {
        format!(
            "there is no `{0}` in PATH; install it, or say where it is: {set}/path/to/{0}",
            named.display()
        )
    })
}

/// A word in braces that no argument may have; none if all are known.
pub(crate) fn unknown_word(cluster: &Cluster) -> Option<String> {
    let known = ["name", "number", "address", "ip", "port", "data", "members", "others"];
    let words = cluster.args.iter().flat_map(|arg| arg.split('{').skip(1));
    let mut words = words.filter_map(|rest| rest.split_once('}').map(|(word, _)| word));
    words.find(|word| !known.contains(word)).map(|word| format!("{{{word}}}"))
}

/// How to start a node of a foreign system.
///
/// # Errors
/// When there is no program, or the node's folder cannot be made.
pub(super) fn command(
    cluster: &Cluster,
    testbed: &Testbed,
    node: &PlannedNode,
    folder: &Path,
) -> Result<ProcessCommand, Failure> {
    let program = program(cluster).map_err(|reason| Failure::usage("cluster.program", reason))?;
    let data = folder.join("nodes").join(&node.name).join("data");
    fs::create_dir_all(&data).map_err(|error| Failure::io(&data, &error))?;
    // Some programs refuse a data folder that other users may read.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700))
        .map_err(|error| Failure::io(&data, &error))?;
    let members: Vec<(String, SocketAddr)> = cluster
        .planned_nodes()
        .into_iter()
        .map(|member| (member.name.clone(), testbed.peer_address(&node.name, &member.name)))
        .collect();
    let own =
        Own { name: &node.name, address: testbed.listen_address(&node.name), data: &data, members: &members };
    let preset: &[&str] = if cluster.system == System::Etcd { &ETCD } else { &[] };
    let args = preset.iter().copied().chain(cluster.args.iter().map(String::as_str));
    Ok(ProcessCommand {
        program,
        args: args.map(|arg| own.fill(arg).into()).collect(),
        env: Vec::new(),
        output: output_path(folder, &node.name),
        data: Some(data.clone()),
        clock: Some(ProcessClock::Foreign(folder.join("nodes").join(&node.name).join("clock"))),
    })
}

/// Where a member of etcd listens for the others: at a port of its own, or where all share a host, at the same port of
/// another loopback address.
fn etcd_peer(client: &SocketAddr) -> SocketAddr {
    if client.ip().is_loopback() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), client.port())
    } else {
        SocketAddr::new(client.ip(), 2380)
    }
}

/// What the words in braces stand for, of one node.
struct Own<'a> {
    name: &'a str,
    address: SocketAddr,
    data: &'a Path,
    members: &'a [(String, SocketAddr)],
}

impl Own<'_> {
    fn fill(&self, arg: &str) -> String {
        let list = |wanted: &dyn Fn(&str) -> bool, entry: &dyn Fn(&str, &SocketAddr) -> String| {
            let members = self.members.iter().filter(|(name, _)| wanted(name));
            members.map(|(name, address)| entry(name, address)).collect::<Vec<_>>().join(",")
        };
        let plain = |name: &str, address: &SocketAddr| format!("{name}={address}");
        let number = self.members.iter().position(|(name, _)| name == self.name).map_or(0, |index| index + 1);
        arg.replace("{name}", self.name)
            .replace("{number}", &number.to_string())
            .replace("{address}", &self.address.to_string())
            .replace("{ip}", &self.address.ip().to_string())
            .replace("{port}", &self.address.port().to_string())
            .replace("{data}", &self.data.display().to_string())
            .replace("{members}", &list(&|_| true, &plain))
            .replace("{others}", &list(&|name| name != self.name, &plain))
            .replace("{etcd-peer}", &etcd_peer(&self.address).to_string())
            .replace(
                "{etcd-members}",
                &list(&|_| true, &|name, address| format!("{name}=http://{}", etcd_peer(address))),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_braces_are_replaced() {
        let members: Vec<(String, SocketAddr)> = [("n1", [10, 0, 0, 1]), ("n2", [10, 0, 0, 2])]
            .map(|(n, ip)| (n.to_owned(), (ip, 80).into()))
            .to_vec();
        let own = Own { name: "n2", address: members[1].1, data: Path::new("/d"), members: &members };
        assert_eq!(
            own.fill("{name}#{number} at {ip}:{port} = {address}"),
            "n2#2 at 10.0.0.2:80 = 10.0.0.2:80"
        );
        assert_eq!(own.fill("--peers={others} {data}"), "--peers=n1=10.0.0.1:80 /d");
        assert_eq!(own.fill("{etcd-members}"), "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380");
        assert_eq!(etcd_peer(&([127, 0, 0, 1], 20_481).into()).to_string(), "127.0.0.2:20481");
        assert!(ETCD.iter().all(|arg| !own.fill(arg).contains('{')));
    }

    #[test]
    fn missing_program_and_unknown_word_are_named() {
        let cluster = |toml: &str| toml::from_str::<Cluster>(toml).unwrap();
        let missing = program(&cluster("system = \"command\"")).unwrap_err();
        assert!(missing.contains("program ="), "{missing}");
        let missing = program(&cluster("system = \"command\"\nprogram = \"./no/such\"")).unwrap_err();
        assert!(missing.contains("./no/such"), "{missing}");
        let found = program(&cluster("system = \"command\"\nprogram = \"sh\"")).unwrap();
        assert!(found.is_absolute(), "{found:?}");
        let args = cluster("args = [\"--id={name}\", \"--peers={peers}\"]");
        assert_eq!(unknown_word(&args), Some("{peers}".to_owned()));
    }
}
