//! A replicated key-value store on Paxos, after "Paxos Made Moderately Complex" (van Renesse and Altinbuken,
//! ACM Computing Surveys 47(3), 2015), as a process that speaks HTTP and keeps its state on disk.

pub mod config;
pub mod flaw;
pub mod status;
