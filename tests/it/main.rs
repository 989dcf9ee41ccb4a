//! The tests of the `bench` program, one module for each part.
#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

#[cfg(target_os = "linux")]
mod addresses;
#[cfg(target_os = "linux")]
mod ci;
mod cli;
mod clock;
mod compare;
mod databases;
mod described;
#[cfg(target_os = "linux")]
mod digest;
mod disks;
mod doubtful;
mod doubts;
mod edges;
#[cfg(target_os = "linux")]
mod evidence;
#[cfg(target_os = "linux")]
mod foreign;
mod formats;
#[cfg(target_os = "linux")]
mod full;
#[cfg(target_os = "linux")]
mod helpers;
#[cfg(target_os = "linux")]
mod hosts;
mod house;
#[cfg(target_os = "linux")]
mod hunt;
#[cfg(target_os = "linux")]
mod known;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod life;
#[cfg(target_os = "linux")]
mod logs;
#[cfg(target_os = "linux")]
mod maelstrom;
mod members;
#[cfg(target_os = "linux")]
mod newcomer;
#[cfg(target_os = "linux")]
mod objects;
#[cfg(target_os = "linux")]
mod overlap;
#[cfg(unix)]
mod page;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod promises;
#[cfg(unix)]
mod protocol;
#[cfg(target_os = "linux")]
mod queues;
#[cfg(target_os = "linux")]
mod replay;
#[cfg(target_os = "linux")]
mod restarts;
#[cfg(target_os = "linux")]
mod serve;
mod sim;
#[cfg(target_os = "linux")]
mod smoke;
mod support;
#[cfg(target_os = "linux")]
mod survivors;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(target_os = "linux")]
mod systems;
#[cfg(target_os = "linux")]
mod traces;
#[cfg(target_os = "linux")]
mod tutorial;
#[cfg(target_os = "linux")]
mod up;
#[cfg(target_os = "linux")]
mod verdicts;
