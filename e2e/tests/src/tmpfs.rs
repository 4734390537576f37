//! A disk so small that it can be filled.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use scratch::Dir;

/// A file system in memory, with a limit; unmounted when dropped.
#[derive(Debug)]
pub struct Tmpfs {
    folder: Dir,
}

impl Tmpfs {
    /// Mounts one; `None` when this user or this machine may not.
    #[must_use]
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let folder = Dir::new();
        let size = format!("size={mebibytes}m");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When the file that takes it cannot be made.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file that takes the room");
        for size in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When it cannot.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("the room is given back");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that was killed a moment ago may still hold it.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).output();
    }
}
