//! The order from the bench to a guard: the programs to start, as words with a trailing zero byte.

use super::command::ProcessCommand;
use super::user::User;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The programs of a node and their common settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// The part that they play; empty if they are other programs.
    pub(super) stage: OsString,
    /// The limit of open files of each, if any.
    pub(super) open_files: Option<u64>,
    pub(super) host: Option<String>,
    pub(super) user: Option<User>,
    /// The node's own program first.
    pub(super) programs: Vec<Program>,
}

/// One program of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    /// The file for its output; the guard's own output when left out.
    pub(super) output: Option<PathBuf>,
}

impl Order {
    /// The order that starts a node.
    pub(super) fn of(command: &ProcessCommand, stage: OsString, open_files: Option<u64>) -> Self {
        let own = Program {
            path: command.program.clone(),
            args: command.args.clone(),
            env: command.env.clone(),
            output: None,
        };
        let beside = command.beside.iter().map(|beside| Program {
            path: beside.program.clone(),
            args: beside.args.clone(),
            env: beside.env.clone(),
            output: Some(beside.output.clone()),
        });
        Self {
            stage,
            open_files,
            host: command.host.clone(),
            user: command.user,
            programs: std::iter::once(own).chain(beside).collect(),
        }
    }

    /// Encodes its length, then its words.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut word = |word: &OsStr| body.extend(word.as_bytes().iter().copied().chain([0]));
        let number = |number: Option<u64>| OsString::from(number.map_or_else(String::new, |n| n.to_string()));
        word(&self.stage);
        word(&number(self.open_files));
        word(OsStr::new(self.host.as_deref().unwrap_or_default()));
        word(&number(self.user.map(|user| user.uid.into())));
        word(&number(self.user.map(|user| user.gid.into())));
        for program in &self.programs {
            word(program.path.as_os_str());
            word(program.output.as_ref().map_or(OsStr::new(""), |output| output.as_os_str()));
            word(&number(Some(program.env.len() as u64)));
            for (name, value) in &program.env {
                word(name);
                word(value);
            }
            word(&number(Some(program.args.len() as u64)));
            program.args.iter().for_each(|arg| word(arg));
        }
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes()[..], &body].concat()
    }

    /// Reads exactly one order.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut body = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap_or_default()];
        from.read_exact(&mut body)?;
        body.pop();
        let mut words = Words(body.split(|byte| *byte == 0));
        let mut order = Self {
            stage: words.word()?,
            open_files: words.number()?,
            host: Some(words.text()?).filter(|host| !host.is_empty()),
            user: words.number()?.zip(words.number()?).map(|(uid, gid)| User { uid, gid }),
            programs: Vec::new(),
        };
        while let Ok(path) = words.word() {
            let output = Some(words.word()?).filter(|output| !output.is_empty()).map(PathBuf::from);
            let env = (0..words.count()?).map(|_| Ok((words.word()?, words.word()?)));
            let env = env.collect::<io::Result<_>>()?;
            let args = (0..words.count()?).map(|_| words.word()).collect::<io::Result<_>>()?;
            order.programs.push(Program { path: path.into(), args, env, output });
        }
        Ok(order)
    }
}

/// The words of an order, one after another.
struct Words<W>(W);

impl<'a, W: Iterator<Item = &'a [u8]>> Words<W> {
    fn word(&mut self) -> io::Result<OsString> {
        let word = self.0.next().ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(OsString::from_vec(word.to_vec()))
    }

    fn text(&mut self) -> io::Result<String> {
        self.word()?.into_string().map_err(|_| io::ErrorKind::InvalidInput.into())
    }

    /// A number; none for an empty word.
    fn number<N: std::str::FromStr>(&mut self) -> io::Result<Option<N>> {
        let text = self.text()?;
        let number = Some(text).filter(|text| !text.is_empty()).map(|text| text.parse());
        number.transpose().map_err(|_| io::ErrorKind::InvalidInput.into())
    }

    fn count(&mut self) -> io::Result<usize> {
        self.number()?.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Beside;

    #[test]
    fn order_round_trips() {
        let beside = Beside {
            name: "sentinel".to_owned(),
            program: "/bin/b".into(),
            args: Vec::new(),
            env: vec![("X".into(), "".into())],
            output: "/tmp/b.log".into(),
        };
        let command = ProcessCommand {
            program: "/bin/a".into(),
            args: ["", "two words"].map(Into::into).to_vec(),
            env: vec![("A".into(), "1".into()), ("B".into(), "2".into())],
            user: Some(User { uid: 7, gid: 8 }),
            host: Some("n1".to_owned()),
            beside: vec![beside],
            ..ProcessCommand::default()
        };
        let order = Order::of(&command, "inside".into(), Some(1024));
        let bytes = [order.to_bytes(), b"behind".to_vec()].concat();
        let mut from = &bytes[..];
        assert_eq!(Order::read(&mut from).unwrap(), order);
        assert_eq!(from, b"behind");
        let bare = Order::of(&ProcessCommand::default(), OsString::new(), None);
        assert_eq!(Order::read(&mut &bare.to_bytes()[..]).unwrap(), bare);
        assert!(Order::read(&mut &[9, 0, 0, 0, 1][..]).is_err());
    }
}
