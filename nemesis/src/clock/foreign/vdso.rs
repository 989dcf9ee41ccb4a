//! Finds the vDSO and a mapped clock file in the memory of a process.

use object::read::elf::ElfFile64;
use object::{Architecture, Endianness, Object, ObjectSymbol};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// The vDSO of a process.
#[derive(Debug)]
pub(super) struct Library {
    functions: BTreeMap<String, u64>,
    syscall: u64,
}

impl Library {
    /// Finds the vDSO from `/proc/PID/maps`, with a function that reads the process's memory.
    pub(super) fn find(
        maps: &str,
        read: impl FnOnce(&mut [u8], u64) -> Result<(), String>,
    ) -> Result<Self, String> {
        let line = maps.lines().find(|line| line.ends_with("[vdso]"));
        let (start, end) = line.and_then(range).ok_or("it has no vDSO, so it asks the kernel itself")?;
        let mut image = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        read(&mut image, start)?;
        Self::read(&image, start)
    }

    fn read(image: &[u8], start: u64) -> Result<Self, String> {
        let elf = ElfFile64::<Endianness>::parse(image);
        let elf = elf.map_err(|error| format!("its vDSO is none of 64 bits: {error}"))?;
        if elf.architecture() != Architecture::X86_64 {
            return Err("only programs of 64 bits for x86 can have their clocks shifted".to_owned());
        }
        let functions = elf.dynamic_symbols().filter_map(|symbol| {
            let name = symbol.name().ok()?.to_owned();
            Some((name, start + symbol.address()))
        });
        let functions = functions.collect();
        let syscall = image.windows(2).position(|bytes| bytes == SYSCALL);
        let syscall = start + syscall.ok_or("its vDSO never asks the kernel")? as u64;
        Ok(Self { functions, syscall })
    }

    /// Address of a function.
    pub(super) fn function(&self, name: &str) -> Option<u64> {
        self.functions.get(name).copied()
    }

    /// Address of a `syscall` instruction.
    pub(super) fn syscall(&self) -> u64 {
        self.syscall
    }
}

/// Start and end address in a line of `/proc/PID/maps`.
fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

/// Address at which a file is mapped, if it is.
pub(super) fn region(maps: &str, file: &Path) -> Option<u64> {
    let file = mapped_name(file)?;
    let path = |line: &str| line.splitn(6, ' ').nth(5).map(|path| path.trim_start().to_owned());
    let line = maps.lines().find(|line| path(line).is_some_and(|path| Path::new(&path) == file))?;
    Some(range(line)?.0)
}

/// The name of a file in `/proc/PID/maps`; an open file without a folder has another name there.
fn mapped_name(file: &Path) -> Option<PathBuf> {
    if file.starts_with("/proc") { std::fs::read_link(file).ok() } else { std::path::absolute(file).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_where_it_is_mapped() {
        let maps = "00400000-00500000 r-xp 00000000 fe:00 12   /usr/bin/a b\n\
                    7f0010000000-7f0010001000 r--s 00000000 fe:00 77                         /run/n1/clock\n\
                    7ffd0000-7ffd2000 r-xp 00000000 00:00 0       [vdso]\n";
        assert_eq!(region(maps, Path::new("/run/n1/clock")), Some(0x7f00_1000_0000));
        assert_eq!(region(maps, Path::new("/usr/bin/a b")), Some(0x40_0000));
        assert_eq!(region(maps, Path::new("/run/n2/clock")), None);
    }

    #[test]
    fn process_without_the_vdso_is_refused() {
        let reason = Library::find("", |_, _| Ok(())).unwrap_err();
        assert!(reason.contains("no vDSO"), "{reason}");
        let reason = Library::find("1000-2000 r-xp 0 0 0 [vdso]", |_, _| Ok(())).unwrap_err();
        assert!(reason.contains("64 bits"), "{reason}");
    }

    #[test]
    fn the_library_of_this_process_tells_the_time() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let read = |bytes: &mut [u8], at| {
            std::os::unix::fs::FileExt::read_exact_at(&memory, bytes, at).map_err(|error| error.to_string())
        };
        let library = Library::find(&maps, read).unwrap();
        assert!(library.function("__vdso_clock_gettime").is_some());
    }
}
