//! Output of a run in progress: lines, and one progress line below them on a terminal.

pub(crate) mod compare;
pub(crate) mod events;
pub(crate) mod layout;
pub(crate) mod progress;
pub(crate) mod story;
pub(crate) mod summary;
pub(crate) mod sweep;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use layout::Width;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// Style of positive text.
pub(crate) const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))).bold();
/// Style of negative text.
pub(crate) const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
/// Style of warnings.
pub(crate) const DOUBT: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow))).bold();
/// Style of headings.
pub(crate) const STRONG: Style = Style::new().bold();
/// Style of secondary text.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The destination of lines. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// Whether lines go to standard error, because standard output is for machines.
    to_stderr: bool,
    /// Whether lines are suppressed; the live line is not.
    silent: bool,
    live: Option<Arc<ProgressBar>>,
    width: Width,
}

impl Screen {
    /// With `json`, standard output is reserved for one summary, and lines go to standard error.
    pub(crate) fn new(json: bool) -> Self {
        let stream_is_terminal =
            if json { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let live = (stream_is_terminal && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let template = if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
                "{spinner} {wide_msg}"
            } else {
                "{spinner:.cyan} {wide_msg}"
            };
            bar.set_style(
                ProgressStyle::with_template(template).expect("the template of the live line is well formed"),
            );
            Arc::new(bar)
        });
        Self { to_stderr: json, silent: false, live, width: Width::of_stream(json) }
    }

    /// The same screen without lines.
    pub(crate) fn silent(&self) -> Self {
        Self { silent: true, ..self.clone() }
    }

    /// Whether there is a live line.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// The width for tables.
    pub(crate) fn columns(&self) -> usize {
        self.width.columns
    }

    /// Prints lines, broken between words if wider than the terminal.
    ///
    /// Omits colours where they are not supported.
    pub(crate) fn line(&self, text: &str) {
        if self.silent {
            return;
        }
        let lines = if self.width.breaks_lines { &layout::broken(text, self.width.columns) } else { text };
        let print = || {
            // A closed pipe is no reason to lose a run.
            if self.to_stderr {
                let _ = writeln!(anstream::stderr(), "{lines}");
            } else {
                let _ = writeln!(anstream::stdout(), "{lines}");
            }
        };
        match &self.live {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Replaces the live line, if there is one.
    pub(crate) fn live(&self, text: String) {
        if let Some(bar) = &self.live {
            bar.set_message(text);
            bar.tick();
        }
    }

    /// Removes the live line.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.live {
            bar.set_message("");
            bar.finish_and_clear();
        }
    }
}

/// A duration for people: `0.42 s`, `12.3 s`, `85 ms`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.1 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::human;
    use std::time::Duration;

    #[test]
    fn durations_are_short_and_have_units() {
        assert_eq!(human(Duration::from_millis(85)), "85 ms");
        assert_eq!(human(Duration::from_millis(1_234)), "1.23 s");
        assert_eq!(human(Duration::from_secs(61)), "61.0 s");
    }
}
