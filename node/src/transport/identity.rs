//! A node's identity towards other nodes: its cluster, its name, and the secret that proves both.
//!
//! The dialling node sends a hello with a nonce and a proof. The other answers with its own nonce and proof.
//! The first bytes of the dialling node on the connection are a third proof. A proof is the HMAC-SHA256, under
//! the cluster's secret, of its purpose, the cluster, WINDOW, both names and the nonces so far. A recorded
//! hello cannot open a connection, because the third proof depends on the answer.

use crate::config::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;
use std::sync::Arc;

/// The key of clusters without a secret, whose nodes listen on loopback or in a lab only.
const NO_SECRET: &[u8] = b"a cluster without a secret";

/// The purpose of a proof in the answer to a joining node.
pub(crate) const MEMBERS: &str = "members";

/// Length of a nonce.
const NONCE: usize = 16;

/// Length of a proof.
pub(crate) const PROOF: usize = 32;

/// A number that is used once.
pub(crate) type Nonce = [u8; NONCE];

/// A proof.
pub(crate) type Proof = [u8; PROOF];

/// This node's identity, which it proves to other nodes.
#[derive(Debug)]
pub struct Identity {
    /// Its name.
    pub name: Arc<str>,
    /// The [cluster](crate::paxos::membership::Membership::cluster) it belongs to.
    pub cluster: Arc<str>,
    /// WINDOW: the number of slots after which changes of its members take effect.
    pub window: u64,
    key: Key,
}

/// The shared key of a cluster's nodes, which is never printed.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key that derives from a secret, or from its absence.
    pub(crate) fn new(secret: Option<&Secret>) -> Self {
        let secret = secret.map_or(NO_SECRET, |secret| secret.expose().as_bytes());
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }

    /// Proves that these parts come from a holder of the key, for this purpose.
    pub(crate) fn prove(&self, purpose: &str, parts: &[&[u8]]) -> Proof {
        self.mac(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether a proof is valid; compares in constant time.
    pub(crate) fn holds(&self, proof: &[u8], purpose: &str, parts: &[&[u8]]) -> bool {
        self.mac(purpose, parts).verify_slice(proof).is_ok()
    }

    /// The name of the cluster that has this secret.
    pub(crate) fn cluster(&self) -> String {
        hex(&self.prove("cluster", &[])[..16])
    }
}

/// The first message of the dialling node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hello<'a> {
    /// The dialling node.
    pub(crate) from: &'a str,
    /// The intended receiver.
    pub(crate) to: &'a str,
    /// The cluster of both.
    pub(crate) cluster: &'a str,
    /// WINDOW of the dialling node.
    pub(crate) window: &'a str,
    /// Its nonce.
    pub(crate) nonce: Nonce,
}

/// The values that both ends of a connection share at its start.
#[derive(Debug)]
pub(crate) struct Agreed {
    /// The first bytes of the node that dialled.
    pub(crate) begin: Proof,
    /// The secret start value of this connection's checksums.
    pub(crate) session: Proof,
}

impl Identity {
    /// The node called `name` in this cluster.
    pub(crate) fn new(name: &str, cluster: &str, window: u64, key: Key) -> Self {
        Self { name: name.into(), cluster: cluster.into(), window, key }
    }

    /// The key with which nodes of the cluster prove their messages.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    fn parts<'a>(hello: &'a Hello<'a>, answered: &'a [u8]) -> [&'a [u8]; 6] {
        let Hello { from, to, cluster, window, nonce } = hello;
        [cluster.as_bytes(), window.as_bytes(), from.as_bytes(), to.as_bytes(), nonce, answered]
    }

    /// The proof in a hello.
    pub(crate) fn hello(&self, hello: &Hello<'_>) -> Proof {
        self.key.prove("hello", &Self::parts(hello, &[]))
    }

    /// Returns why this node refuses a hello with this proof, if it does.
    pub(crate) fn objection(&self, hello: &Hello<'_>, proof: &[u8]) -> Option<String> {
        let Hello { from, to, cluster, window, .. } = hello;
        let name = &self.name;
        if *window != self.window.to_string() {
            let windows = format!("{from} has window {window} and this node {}", self.window);
            return Some(format!("{windows}; give all nodes of a cluster the same"));
        }
        if *cluster != &*self.cluster {
            return Some(format!(
                "{from} is of another cluster ({cluster}) than {name} ({}); give the nodes of a cluster the same secret or, \
                 without one, the same list of members",
                self.cluster
            ));
        }
        if *to != &**name {
            return Some(format!("{from} dialled {to}, but this is {name}; correct the addresses"));
        }
        if !self.key.holds(proof, "hello", &Self::parts(hello, &[])) {
            return Some(format!(
                "the proof of {from} does not hold; give the nodes of a cluster the same secret"
            ));
        }
        None
    }

    /// The proof in the answer to a hello.
    pub(crate) fn answer(&self, hello: &Hello<'_>, nonce: &Nonce) -> Proof {
        self.key.prove("answer", &Self::parts(hello, nonce))
    }

    /// Whether the proof in an answer is valid.
    pub(crate) fn answers(&self, proof: &[u8], hello: &Hello<'_>, nonce: &Nonce) -> bool {
        self.key.holds(proof, "answer", &Self::parts(hello, nonce))
    }

    /// The shared values after hello and answer.
    pub(crate) fn agree(&self, hello: &Hello<'_>, nonce: &Nonce) -> Agreed {
        let parts = Self::parts(hello, nonce);
        Agreed { begin: self.key.prove("begin", &parts), session: self.key.prove("session", &parts) }
    }
}

/// Bytes in the format of a header.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `N` bytes from a header.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, cluster: &str, secret: &str) -> Identity {
        Identity::new(name, cluster, 1000, Key::new(Some(&Secret::new(secret))))
    }

    const HELLO: Hello<'_> = Hello { from: "n2", to: "n1", cluster: "c", window: "1000", nonce: [7; NONCE] };

    #[test]
    fn a_member_is_let_in_and_both_agree() {
        let (one, two) = (identity("n1", "c", "s"), identity("n2", "c", "s"));
        assert_eq!(one.objection(&HELLO, &two.hello(&HELLO)), None);
        let nonce = [9; NONCE];
        assert!(two.answers(&one.answer(&HELLO, &nonce), &HELLO, &nonce));
        assert_eq!(one.agree(&HELLO, &nonce).begin, two.agree(&HELLO, &nonce).begin);
        assert_ne!(one.agree(&HELLO, &nonce).session, one.agree(&HELLO, &[8; NONCE]).session);
    }

    #[test]
    fn objection_names_the_mismatch() {
        let one = identity("n1", "c", "s");
        for (hello, secret, reason) in [
            (Hello { window: "20", ..HELLO }, "s", "n2 has window 20 and this node 1000"),
            (Hello { cluster: "d", ..HELLO }, "s", "n2 is of another cluster (d) than n1 (c)"),
            (Hello { to: "n3", ..HELLO }, "s", "n2 dialled n3, but this is n1"),
            (HELLO, "t", "the proof of n2 does not hold"),
        ] {
            let proof = identity("n2", "c", secret).hello(&hello);
            let objection = one.objection(&hello, &proof).unwrap();
            assert!(objection.contains(reason), "{objection}");
        }
        let other = Hello { from: "n3", ..HELLO };
        assert!(one.objection(&other, &one.hello(&HELLO)).is_some(), "a proof of n2 is invalid for n3");
        assert!(one.objection(&HELLO, &[]).is_some());
    }

    #[test]
    fn an_answer_belongs_to_one_hello() {
        let (one, nonce) = (identity("n1", "c", "s"), [9; NONCE]);
        let earlier = Hello { nonce: [6; NONCE], ..HELLO };
        assert!(!one.answers(&one.answer(&earlier, &nonce), &HELLO, &nonce));
        assert!(!one.answers(&one.hello(&HELLO), &HELLO, &nonce));
    }

    #[test]
    fn hexadecimal_is_read_as_written() {
        assert_eq!(unhex(&hex(&[0, 1, 0xab, 0xff])), Some([0, 1, 0xab, 0xff]));
        for wrong in ["", "0", "0g", "+1", "é"] {
            assert_eq!(unhex::<1>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert!(!format!("{:?}", identity("n1", "c", "hush-hush")).contains("hush"));
    }
}
