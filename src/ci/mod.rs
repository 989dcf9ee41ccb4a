//! Results for continuous integration: XML, SARIF, and a summary in Markdown.
//!
//! All three are written from one [`Results`], so that they agree.

mod junit;
mod markdown;
mod results;
mod sarif;

#[cfg(test)]
mod tests;

pub(crate) use results::{Case, Results, State, Suite};

use crate::commands::writable;
use crate::failure::Failure;
use clap::{Args, ValueHint};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files that a command can write.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "For continuous integration")]
pub(crate) struct CiFiles {
    /// Write each check as a test case to this file, of `JUnit`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
    /// Append a summary in GitHub's Markdown to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub summary: Option<PathBuf>,
    /// Write each broken promise to this file as SARIF
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sarif: Option<PathBuf>,
}

impl CiFiles {
    /// Whether any file was requested.
    pub(crate) fn is_asked(&self) -> bool {
        self.junit.is_some() || self.summary.is_some() || self.sarif.is_some()
    }

    /// Refuses files that could not be written at the end.
    ///
    /// # Errors
    /// When a file's folder is missing (exit code 2).
    pub(crate) fn check(&self) -> Result<(), Failure> {
        [&self.junit, &self.summary, &self.sarif].into_iter().flatten().try_for_each(|file| writable(file))
    }

    /// Writes the requested files.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn write(&self, results: impl FnOnce() -> Results) -> Result<(), Failure> {
        if !self.is_asked() {
            return Ok(());
        }
        let results = results();
        if let Some(file) = &self.junit {
            written(file, fs::write(file, junit::text(&results)))?;
        }
        if let Some(file) = &self.sarif {
            written(file, fs::write(file, sarif::text(&results)))?;
        }
        if let Some(file) = &self.summary {
            // Several commands of one step share the file.
            let append = || {
                let mut there = OpenOptions::new().create(true).append(true).open(file)?;
                there.write_all(markdown::text(&results).as_bytes())
            };
            written(file, append())?;
        }
        Ok(())
    }
}

fn written(file: &Path, result: std::io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| Failure::io(file, &error))
}
