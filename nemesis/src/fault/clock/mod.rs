//! Faults of the nodes' wall clocks.

mod evidence;

use super::entry::{Entry, Family};
use super::fault_kind::FaultKind;
use super::flag::{aimed, flag, read};
use super::process::PERIOD;
use super::proof::Proof;
use super::stage::{State, Strike};
use crate::budget::Hurt;
use crate::clock::ClockFault;
use crate::parameters::{Parameters, Target};
use crate::plan::{Aim, Planning};
use crate::refusal::Refusal;
use crate::scope::Hit;
use jiff::SignedDuration;
use std::time::Duration;

/// The evidence of every fault of clocks.
const READ_BACK: &str = "the node's own clock read back";

/// The wall clock jumps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Jump {
    target: Option<Target>,
    by: SignedDuration,
}

impl FaultKind for Jump {
    const ENTRY: Entry = Entry {
        about: "the wall clock jumps",
        evidence: READ_BACK,
        aliases: &["clock-jump"],
        keys: &["target", "by"],
        flags: &[flag(
            "clock-jump",
            "BY[:TARGET]",
            "1h",
            "Put the clock of a node (or of these nodes) ahead by this, for example 1h; back: --clock-jump=-1h",
            |text| {
                let (by, mut parameters) = with_target(text)?;
                parameters.by = Some(read(by)?);
                Ok(parameters)
            },
        )],
        examples: &["by = \"1h\"\n", "by = \"-20s\"\n"],
        ..Entry::new("jump", Family::Clock)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), by: shift(parameters)? })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(&format!("{} {} on", Self::ENTRY.name, signed(self.by)), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        evidence::start(strike, ClockFault::Jump { by: nanoseconds(self.by) }, state).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        evidence::end(strike).await
    }
}

/// A smaller shift cannot be distinguished from a late reading.
const LEAST_SHIFT: Duration = Duration::from_millis(10);
/// Ten years; a larger offset overflows in some programs.
const LARGEST_SHIFT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The offset of a jump.
fn shift(parameters: &Parameters) -> Result<SignedDuration, Refusal> {
    let by = parameters.by.ok_or_else(|| {
        Refusal::new("by", "say by how much, for example by = \"1h\", or by = \"-1h\" to go back")
    })?;
    if !(LEAST_SHIFT..=LARGEST_SHIFT).contains(&by.unsigned_abs()) {
        return Err(Refusal::new("by", "a clock is put off by 10 ms at least and by ten years at most"));
    }
    Ok(by)
}

/// `+1h`, `-20s`.
fn signed(by: SignedDuration) -> String {
    let sign = if by.is_negative() { '-' } else { '+' };
    format!("{sign}{:#}", by.abs())
}

fn nanoseconds(by: SignedDuration) -> i64 {
    i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)
}

/// The value of an option, with one node, or with the nodes after a colon.
fn with_target(text: &str) -> Result<(&str, Parameters), String> {
    let (value, on) = text.split_once(':').unwrap_or((text, "random"));
    Ok((value, aimed(on)?))
}

const LEAST_DRIFT: f64 = 0.01;
const FASTEST: f64 = 1000.0;

/// The wall clock runs at another speed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drift {
    target: Option<Target>,
    speed: f64,
}

impl FaultKind for Drift {
    const ENTRY: Entry = Entry {
        about: "the wall clock runs at another speed",
        evidence: READ_BACK,
        aliases: &["clock-drift"],
        keys: &["target", "speed"],
        flags: &[flag(
            "clock-drift",
            "SPEED[:TARGET]",
            "1.5:leader",
            "Run the clock of a node at this multiple of its speed, for example 1.5 or 0.5",
            |text| {
                let (speed, mut parameters) = with_target(text)?;
                let wrong = |_| format!("`{speed}` is no number; it should be one, for example 1.5");
                parameters.speed = Some(speed.parse().map_err(wrong)?);
                Ok(parameters)
            },
        )],
        examples: &["speed = 3.0\n", "speed = 0.2\n"],
        ..Entry::new("drift", Family::Clock)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let refused = |reason| Err(Refusal::new("speed", reason));
        match parameters.speed {
            None => refused("say how fast it goes, for example speed = 1.5"),
            Some(0.0) => refused("a clock that stands still is kind = \"freeze\""),
            Some(speed) if !(0.0..=FASTEST).contains(&speed) => refused("it should be between 0 and 1000"),
            Some(speed) if (speed - 1.0).abs() < LEAST_DRIFT => {
                let refusal = Refusal::new("speed", "a drift must differ from 1 by at least 0.01");
                Err(refusal.help("use for example 1.01 or 0.99"))
            }
            Some(speed) => Ok(Self { target: parameters.target.clone(), speed }),
        }
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(&format!("{} at {} on", Self::ENTRY.name, self.speed), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        evidence::start(strike, ClockFault::drift(self.speed), state).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        evidence::end(strike).await
    }
}

/// A strobe is ahead for half of the period, and each half must be observable.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// The wall clock jumps to and fro.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strobe {
    target: Option<Target>,
    by: SignedDuration,
    period: Duration,
}

impl FaultKind for Strobe {
    const ENTRY: Entry = Entry {
        about: "the wall clock jumps to and fro",
        evidence: READ_BACK,
        aliases: &["clock-strobe"],
        keys: &["target", "by", "period"],
        flags: &[flag(
            "clock-strobe",
            "BY[:TARGET]",
            "200ms:all",
            "Put the clock of a node ahead by this and back, ten times a second",
            |text| {
                let (by, mut parameters) = with_target(text)?;
                parameters.by = Some(read(by)?);
                Ok(parameters)
            },
        )],
        examples: &["by = \"2s\"\n"],
        ..Entry::new("strobe", Family::Clock)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let by = shift(parameters)?;
        let period = parameters.period.unwrap_or(PERIOD);
        if period < SHORTEST_PERIOD {
            let reason = "it should be at least 10 ms, or the jumps could not be observed";
            return Err(Refusal::new("period", reason));
        }
        Ok(Self { target: parameters.target.clone(), by, period })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(&format!("{} {} on", Self::ENTRY.name, signed(self.by)), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        evidence::start(strike, ClockFault::Strobe { by: nanoseconds(self.by), period: self.period }, state)
            .await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        evidence::end(strike).await
    }
}

/// The wall clock stands still.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Freeze {
    target: Option<Target>,
}

impl FaultKind for Freeze {
    const ENTRY: Entry = Entry {
        about: "the wall clock stands still",
        evidence: READ_BACK,
        aliases: &["clock-freeze"],
        flags: &[flag("clock-freeze", "TARGET", "minority", "Let the clocks of nodes stand still", aimed)],
        ..Entry::new("freeze", Family::Clock)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(&format!("{} clock of", Self::ENTRY.name), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        evidence::start(strike, ClockFault::Freeze, state).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        evidence::end(strike).await
    }
}
