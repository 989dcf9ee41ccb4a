//! What a verdict says of the disks: their model, and whether an invalid answer may depend on its strictness.

use super::faults::FaultRecord;
use super::verdict::{Answer, VariantVerdict, grouped};
use history::{INSIDE_SECTOR, ONLY_FOLDERS};
use std::collections::BTreeSet;

/// Faults that take from a disk what its model lets them take.
const KINDS: [&str; 3] = ["power-loss", "torn-write", "crash-image"];

/// A variant: its disks' model, its answer, its faults.
type Seen<'a> = (Option<&'a str>, Answer, &'a [FaultRecord]);

/// Names the model of the disks that lost their power, and says what was lost only because it is strict. Empty where
/// none did.
pub(crate) fn remark(answer: Answer, variants: &[VariantVerdict]) -> String {
    let seen = variants.iter().map(|one| (one.disk.as_deref(), one.answer, &one.faults[..]));
    words(answer, &seen.collect::<Vec<_>>())
}

fn losses(faults: &[FaultRecord]) -> impl Iterator<Item = &FaultRecord> {
    faults.iter().filter(|fault| KINDS.contains(&fault.kind.as_str()) && fault.took_effect())
}

fn words(answer: Answer, variants: &[Seen<'_>]) -> String {
    let lost = variants.iter().filter(|(.., faults)| losses(faults).next().is_some());
    let models: BTreeSet<&str> = lost.filter_map(|(disk, ..)| *disk).collect();
    if models.is_empty() {
        return String::new();
    }
    let models = models.into_iter().collect::<Vec<_>>().join("; and ");
    let mut remark = format!(" Disks: {models}.");
    if answer != Answer::Invalid {
        return remark;
    }
    let broken = variants.iter().filter(|(_, answer, _)| *answer == Answer::Invalid);
    let faults: Vec<&FaultRecord> = broken.flat_map(|(.., faults)| losses(faults)).collect();
    for phrase in [ONLY_FOLDERS, INSIDE_SECTOR] {
        let hit = faults.iter().filter(|fault| fault.evidence.iter().any(|line| line.contains(phrase)));
        let hit = hit.count() as u64;
        if hit > 0 {
            let of = grouped(faults.len() as u64);
            remark = format!(
                "{remark} This may depend on that model: in {} of {of} power losses something was {phrase}.",
                grouped(hit)
            );
        }
    }
    remark
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: &str, line: &str) -> FaultRecord {
        FaultRecord {
            fault: 1,
            kind: kind.to_owned(),
            label: kind.to_owned(),
            target: "all".to_owned(),
            nodes: Vec::new(),
            planned_start_ns: None,
            planned_end_ns: None,
            start_ns: Some(1),
            end_ns: None,
            unhealed: false,
            evidence: vec![format!("n1: {line}")],
            healed: Vec::new(),
            why_none: None,
        }
    }

    #[test]
    fn invalid_names_what_only_strict_disks_lose() {
        let faults = [fault("power-loss", ONLY_FOLDERS), fault("torn-write", "a.log: the one sector")];
        let seen = |answer| words(answer, &[(Some("folders strict"), answer, &faults)]);
        assert_eq!(seen(Answer::Valid), " Disks: folders strict.");
        let invalid = seen(Answer::Invalid);
        assert!(
            invalid.contains("in 1 of 2 power losses something was lost only because a folder"),
            "{invalid}"
        );
        assert!(!invalid.contains("inside a sector"), "{invalid}");
    }

    #[test]
    fn disks_that_kept_power_are_not_named() {
        let faults = [fault("kill", "pid 1 ended by signal 9")];
        assert_eq!(words(Answer::Invalid, &[(Some("folders strict"), Answer::Invalid, &faults)]), "");
        assert_eq!(words(Answer::Valid, &[(None, Answer::Valid, &[fault("power-loss", "x")])]), "");
    }
}
