//! An error that ends a command: its location, the reason, and the remedy.

use crate::exit::Exit;
use crate::terminal::layout::{Width, broken};
use anstyle::{AnsiColor, Style};

/// A reason to stop, with everything a person needs to act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// Where: a file with line and column, an argument, a node.
    pub location: String,
    /// What is wrong there.
    pub what: String,
    /// The lines of a file that show it, already laid out.
    pub excerpt: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Failure {
    /// Wrong usage: exit code 2.
    pub(crate) fn usage(location: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, location, what)
    }

    /// The bench could not do its work: exit code 4.
    pub(crate) fn bench(location: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, location, what)
    }

    fn new(exit: Exit, location: impl Into<String>, what: impl Into<String>) -> Self {
        Self { exit, location: location.into(), what: what.into(), excerpt: None, help: None }
    }

    /// The same with a remedy.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An I/O error at a path, exit code 4.
    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let failure = Self::bench(path.display().to_string(), error.to_string());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failure.help("choose another folder with --out DIR"),
            std::io::ErrorKind::StorageFull => failure.help("make room on this disk, or use --out DIR"),
            _ => failure,
        }
    }

    /// The message in lines, as wide as they are.
    #[cfg(test)]
    pub(crate) fn render(&self) -> String {
        self.laid_out(str::to_owned)
    }

    /// The message in lines, with colours as escape codes (the stream strips them where they do not belong). `fit` breaks
    /// sentences, but not the lines of a file.
    fn laid_out(&self, fit: impl Fn(&str) -> String) -> String {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let green = Style::new().fg_color(Some(AnsiColor::Green.into())).bold();
        let mut text = fit(&format!("{red}error:{red:#} {}: {}\n", self.location, self.what));
        if let Some(excerpt) = &self.excerpt {
            text.push_str(excerpt);
        }
        if let Some(help) = &self.help {
            text.push_str(&fit(&format!("{green}help:{green:#} {help}\n")));
        }
        text
    }

    /// Prints it on standard error.
    pub(crate) fn print(&self) {
        let width = Width::of_stream(true);
        let fit = |text: &str| if width.breaks_lines { broken(text, width.columns) } else { text.to_owned() };
        anstream::eprint!("{}", self.laid_out(fit));
    }
}
