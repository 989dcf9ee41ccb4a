//! The subcommands of `bench maelstrom`.

use crate::maelstrom::bridge::Bridge;
use crate::maelstrom::flags::Test;
use clap::Subcommand;

/// `bench maelstrom`.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(crate) enum MaelstromCommand {
    /// Run the nodes, send them a workload, and judge what they answered
    #[command(args_override_self = true)]
    Test(Test),
    /// Carry the lines of one program (the bench starts these itself)
    #[command(hide = true)]
    Bridge(Bridge),
}
