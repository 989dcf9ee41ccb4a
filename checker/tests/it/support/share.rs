//! How many histories the large comparisons with brute force look at.

/// Kinds of histories in all of these comparisons: of linearizability, sequential consistency and transactions.
const KINDS: u64 = 24;

/// The histories of one kind, so that all kinds together have as many as the variable `ORACLE_HISTORIES`
/// says, or ten million.
pub(crate) fn share() -> u64 {
    let all = std::env::var("ORACLE_HISTORIES").map_or(10_000_000, |text| {
        text.parse().expect("ORACLE_HISTORIES should be a number of histories, such as 10000000")
    });
    u64::div_ceil(all, KINDS)
}

/// Prints a row for one kind.
pub(crate) fn print_counts(kind: &str, [valid, invalid]: [u64; 2]) {
    println!("| {kind} | {} | {valid} | {invalid} |", valid + invalid);
}
