//! Faults of the network between the nodes.
//!
//! [`on_links`] has the common part of faults that hold links from start to end; [`evidence`] has their
//! evidence.

mod evidence;
mod on_links;
mod partition;
mod swizzle;

pub(crate) use partition::Partition;
pub(crate) use swizzle::Swizzle;

use super::entry::{CONNECTIONS, Entry, FRAMES, Family, LINKS, RATES};
use super::fault_kind::FaultKind;
use super::flag::{flag, plain, read, target};
use super::proof::{Met, Proof};
use super::stage::{State, Strike};
use crate::budget::Hurt;
use crate::flaky::{Flaky, Share};
use crate::network::LinkFault;
use crate::parameters::{ByteRate, Delay, Parameters, Target};
use crate::plan::{Aim, FaultEffect, Planning};
use crate::refusal::Refusal;
use crate::scope::{Ends, Hit, Scope};
use std::collections::BTreeSet;
use std::time::Duration;

/// The evidence of a cut.
const CUT: &str = "a probe through a cut link gets no answer; chunks held or frames dropped";

/// Cuts links in one direction: of connections with proxies, of packets in a lab.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OneWay {
    from: Option<Target>,
    to: Option<Target>,
    how: LinkFault,
}

impl FaultKind for OneWay {
    const ENTRY: Entry = Entry {
        about: "links are cut in one direction",
        evidence: CUT,
        keys: &["from", "to", "how"],
        without_target: "use `from` and `to`",
        modes: LINKS,
        flags: &[flag(
            "one-way",
            "FROM[:TO]",
            "n1:n3",
            "Cut the links from some nodes to others (to all if none are named) in that direction only",
            |text| {
                let (from, to) = text.split_once(':').map_or((text, None), |(from, to)| (from, Some(to)));
                Ok(Parameters { from: Some(target(from)), to: to.map(target), ..Parameters::default() })
            },
        )],
        examples: &[
            "from = \"n1\"\n",
            "from = \"leader\"\n",
            "from = \"n2\"\nto = \"n3\"\nhow = \"refuse\"\n",
        ],
        ..Entry::new("one-way", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let how = parameters.how.unwrap_or_default().into();
        Ok(Self { from: parameters.from.clone(), to: parameters.to.clone(), how })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        let from_word = self.from.as_ref().ok_or_else(|| {
            Refusal::new("from", "say whose connections are cut, for example from = \"leader\"")
        })?;
        let from = planning.choose("from", from_word)?;
        let all = Target::from("all");
        let to_word = self.to.as_ref().unwrap_or(&all);
        let used = match &from {
            Ends::Nodes(names) => names.iter().cloned().collect(),
            Ends::Leader => BTreeSet::new(),
        };
        let to = planning.choose_beside(&used, "to", to_word)?;
        if from == Ends::Leader && to == Ends::Leader {
            return Err(Refusal::new("to", "there is no link from the leader to itself"));
        }
        let words = |word: &Target, ends: &Ends| match ends {
            Ends::Nodes(names) if word.to_string() != "all" => names.join(" "),
            Ends::Nodes(_) | Ends::Leader => word.to_string(),
        };
        let target = format!("{}→{}", words(from_word, &from), words(to_word, &to));
        planning.aimed("to", Self::ENTRY.name, &target, Scope::Between { from, to })
    }

    fn hurt(&self, hit: Option<&Hit>) -> Hurt {
        Hurt::cut(hit)
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Links(self.how))
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        on_links::start(strike, self.how, state).await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        on_links::end(strike, self.how, state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(on_links::met(strike, self.how, state).await)
    }
}

/// In millionths of the frames.
const LEAST_SHARE: u32 = 100;

/// Loses, duplicates, reorders or corrupts packets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlakyLinks {
    target: Option<Target>,
    flaky: Flaky,
}

impl FaultKind for FlakyLinks {
    const ENTRY: Entry = Entry {
        about: "packets are lost, doubled, reordered or corrupted",
        evidence: "frames touched by the rule, per directed link",
        keys: &["target", "loss", "duplicate", "reorder", "corrupt", "garble"],
        aliases: &["loss", "duplicate", "reorder", "corrupt"],
        modes: FRAMES,
        flags: &[
            flag("loss", "SHARE", "1%", "Lose this share of the packets, for example 1%", |text| {
                Ok(Parameters { loss: Some(read(text)?), ..Parameters::default() })
            }),
            flag("duplicate", "SHARE", "1%", "Deliver this share of the packets twice", |text| {
                Ok(Parameters { duplicate: Some(read(text)?), ..Parameters::default() })
            }),
            flag("reorder", "SHARE", "1%", "Let others overtake this share of the packets", |text| {
                Ok(Parameters { reorder: Some(read(text)?), ..Parameters::default() })
            }),
            flag(
                "corrupt",
                "SHARE",
                "0.01%",
                "Flip a bit in this share of the packets, which its checksum gives away",
                |text| Ok(Parameters { corrupt: Some(read(text)?), ..Parameters::default() }),
            ),
            flag(
                "garble",
                "SHARE",
                "0.01%",
                "Flip a bit in this share of the packets, which the program reads",
                |text| Ok(Parameters { garble: Some(read(text)?), ..Parameters::default() }),
            ),
        ],
        examples: &["loss = \"5%\"\n", "duplicate = \"10%\"\nreorder = \"10%\"\n", "corrupt = \"3%\"\n"],
        ..Entry::new("flaky", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let flaky = parameters.flaky();
        if flaky.is_empty() {
            let reason = "say what happens to which share of the packets: loss, duplicate, reorder, corrupt or garble = \"1%\"";
            return Err(Refusal::new("loss", reason));
        }
        if flaky.largest().millionths() < LEAST_SHARE {
            let reason = "it would hit less than one frame in ten thousand, most likely none";
            return Err(Refusal::new(flaky.first_named(), reason).help("give at least \"0.01%\""));
        }
        Ok(Self { target: parameters.target.clone(), flaky })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_links(&format!("{} on", self.flaky), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    fn effect(&self) -> Option<FaultEffect> {
        // The bytes that a program would read of a garbled frame are not simulated.
        (self.flaky.garble == Share::default()).then_some(FaultEffect::Links(LinkFault::Flaky(self.flaky)))
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        on_links::start(strike, LinkFault::Flaky(self.flaky), state).await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        on_links::end(strike, LinkFault::Flaky(self.flaky), state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(on_links::met(strike, LinkFault::Flaky(self.flaky), state).await)
    }
}

/// A shorter delay cannot be distinguished from scheduling.
const LEAST_DELAY: Duration = Duration::from_micros(100);

/// The requested delay; refuses one that is too small to observe.
pub(super) fn delay(parameters: &Parameters) -> Result<Delay, Refusal> {
    let delay =
        parameters.delay.ok_or_else(|| Refusal::new("delay", "set a value, for example delay = \"50ms\""))?;
    if delay.is_zero() {
        return Err(Refusal::new("delay", "must be greater than 0"));
    }
    if delay.mean < LEAST_DELAY {
        let reason = format!("a delay of {:?} is too small to observe", delay.mean);
        return Err(Refusal::new("delay", reason).help("give at least 100us"));
    }
    if delay.jitter > delay.mean {
        let reason = format!("its jitter ({:?}) must not exceed its mean ({:?})", delay.jitter, delay.mean);
        return Err(Refusal::new("delay", reason));
    }
    Ok(delay)
}

/// Delays messages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DelayedLinks {
    target: Option<Target>,
    delay: Delay,
}

impl FaultKind for DelayedLinks {
    const ENTRY: Entry = Entry {
        about: "messages take longer",
        evidence: "how long a probe took; chunks or frames delayed",
        keys: &["target", "delay"],
        modes: LINKS,
        flags: &[flag(
            "delay",
            "TIME",
            "20ms",
            "Delay every packet between the nodes by this, each way",
            |text| Ok(Parameters { delay: Some(read(text)?), ..Parameters::default() }),
        )],
        examples: &["delay = \"20ms\"\n", "delay = { mean = \"15ms\", jitter = \"10ms\" }\n"],
        ..Entry::new("delay", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), delay: delay(parameters)? })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_links(&format!("{} {} on", Self::ENTRY.name, self.delay), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Links(LinkFault::Delay(self.delay)))
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        on_links::start(strike, LinkFault::Delay(self.delay), state).await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        on_links::end(strike, LinkFault::Delay(self.delay), state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(on_links::met(strike, LinkFault::Delay(self.delay), state).await)
    }
}

/// The byte rate of a link of one gigabit per second.
const LARGEST_RATE: u64 = 100_000_000;

/// Limits the byte rate of links.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LimitedLinks {
    target: Option<Target>,
    rate: ByteRate,
}

impl FaultKind for LimitedLinks {
    const ENTRY: Entry = Entry {
        about: "links carry fewer bytes a second",
        evidence: "how long a probe took; chunks or frames delayed",
        keys: &["target", "rate"],
        modes: RATES,
        flags: &[flag("rate", "BYTES", "64KiB", "Limit every link to this many bytes a second", |text| {
            Ok(Parameters { rate: Some(read(text)?), ..Parameters::default() })
        })],
        examples: &["rate = \"64KiB\"\n"],
        ..Entry::new("rate", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let rate = parameters
            .rate
            .ok_or_else(|| Refusal::new("rate", "set a value, for example rate = \"64KiB\""))?;
        if rate.0 == 0 {
            let refusal = Refusal::new("rate", "no bytes at all is a partition");
            return Err(refusal.help("use kind = \"partition\""));
        }
        if rate.0 >= LARGEST_RATE {
            let reason = "the nodes send far less, so it would have no effect";
            return Err(Refusal::new("rate", reason).help("give less than 100MB"));
        }
        Ok(Self { target: parameters.target.clone(), rate })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_links(&format!("{} {}/s on", Self::ENTRY.name, self.rate), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    fn byte_rate(&self) -> Option<u64> {
        Some(self.rate.0)
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        on_links::start(strike, LinkFault::Rate(self.rate.0), state).await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        on_links::end(strike, LinkFault::Rate(self.rate.0), state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(on_links::met(strike, LinkFault::Rate(self.rate.0), state).await)
    }
}

/// Closes open connections with RST; ends at once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reset {
    target: Option<Target>,
}

impl FaultKind for Reset {
    const ENTRY: Entry = Entry {
        about: "open connections are closed with RST",
        evidence: "connections reset",
        modes: CONNECTIONS,
        over_at_once: true,
        flags: &[flag("reset", "", "", "Close the open connections between the nodes with RST", plain)],
        ..Entry::new("reset", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_links(Self::ENTRY.name, self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Reset)
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let mut reset = Vec::new();
        for link in &strike.hit.links {
            reset.push((link, strike.testbed().reset(link).await));
        }
        (strike.now_ns(), evidence::of_resets(&reset))
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        let note = "the nodes may open new connections at once".to_owned();
        (strike.now_ns(), Proof { evidence: vec![note], ..Proof::complete() })
    }
}
