//! The options of `bench doctor`.

use clap::Args;

/// `bench doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Machines to ask instead of this one, as destinations for ssh
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// The ssh program with its options, separated by spaces, for example "ssh -F my-config"
    #[arg(long, value_name = "COMMAND", requires = "hosts", default_value = "ssh")]
    pub ssh: String,
}
