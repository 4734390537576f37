//! Children that do not outlive us, whatever ends us.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::wait_blocking;

/// Runs the program and watches its own standard input, a pipe whose other end only we hold: when that closes,
/// because we dropped it or died, the program gets the signal, and a KILL if it does not heed it. When we died
/// (we say a word before we drop it) the folder goes as well.
const WATCH: &str = r#"
signal=$1; folder=$2; note=$3; shift 3
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
(
  said=$(cat <&3)
  kill -s "$signal" "$child"
  n=0; while [ $n -lt 50 ] && kill -0 "$child"; do sleep 0.1; n=$((n+1)); done
  kill -s KILL "$child"
  [ -n "$said" ] || rm -rf "$folder"
) >/dev/null 2>&1 &
echo "$child" > "$note.new" && mv "$note.new" "$note"
wait "$child"
"#;

/// A running program.
#[derive(Debug)]
pub(crate) struct Guarded {
    shell: Child,
    pid_file: PathBuf,
    log: PathBuf,
}

impl Guarded {
    /// Starts `command` with its output going to `log`. `folder` is for our own notes, and is removed when we
    /// cannot do it ourselves any more; `signal` is what ends the program.
    pub(crate) fn start(command: &Command, signal: &str, folder: &Path, log: &Path) -> io::Result<Self> {
        let unique = format!("pid-{}-{}", std::process::id(), crate::free_port());
        let pid_file = folder.join(unique);
        let output = File::options().create(true).append(true).open(log)?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", WATCH, "guard", signal]).arg(folder).arg(&pid_file);
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        shell.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let shell = shell.spawn()?;
        let guarded = Self { shell, pid_file, log: log.to_owned() };
        wait_blocking(Duration::from_secs(5), || guarded.pid_file.exists());
        Ok(guarded)
    }

    /// The program's process id; `None` when it could not be started.
    pub(crate) fn pid(&self) -> Option<u32> {
        fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()
    }

    /// Sends a signal, such as `TERM`. It may have ended already.
    pub(crate) fn signal(&self, name: &str) {
        if let Some(pid) = self.pid() {
            let mut kill = Command::new("/bin/sh");
            kill.args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()]);
            let _ = kill.stderr(Stdio::null()).status();
        }
    }

    /// Its exit code, as a shell knows it (128 and the signal when it was killed); `None` while it runs.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.shell.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<i32> {
        wait_blocking(deadline, || self.exit_code().is_some());
        self.exit_code()
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of what it wrote.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = pipe.write_all(b"dropped");
        }
        if self.wait(Duration::from_secs(10)).is_none() {
            let _ = self.shell.kill();
            let _ = self.shell.wait();
        }
        let _ = fs::remove_file(&self.pid_file);
    }
}
