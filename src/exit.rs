//! The exit codes of the `bench` command, and the order in which one takes precedence over another.

use std::process::ExitCode;

/// How the command ends. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Exit {
    /// Every promise was kept, and there was enough evidence to say so.
    Valid,
    /// A promise was broken.
    Invalid,
    /// The command line or a spec is wrong; nothing was started.
    Usage,
    /// Not enough evidence, or a search gave up.
    Unknown,
    /// The bench itself failed, or the cluster could not be started.
    Failed,
    /// Interrupted by Ctrl-C; what there is was written.
    Interrupted,
}

impl Exit {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Valid, Self::Invalid, Self::Usage, Self::Unknown, Self::Failed, Self::Interrupted];

    /// The number the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Failed => 4,
            Self::Interrupted => 130,
        }
    }

    /// The one of two that a caller must hear about: invalid beats failed beats unknown beats valid.
    /// Wrong usage is found before there is a result, and an interruption ends the command: they win over all.
    pub(crate) fn worse(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Unknown => 1,
            Self::Failed => 2,
            Self::Invalid => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn invalid_beats_failed_beats_unknown_beats_valid() {
        let order = [Exit::Valid, Exit::Unknown, Exit::Failed, Exit::Invalid];
        for (index, &low) in order.iter().enumerate() {
            for &high in &order[index..] {
                assert_eq!(low.worse(high), high);
                assert_eq!(high.worse(low), high);
            }
        }
    }
}
