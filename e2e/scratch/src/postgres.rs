//! A PostgreSQL server of our own.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{Dir, Unavailable, find_program, free_port, guard::Guarded, shared, wait_blocking};

const INSTALL: &str = "PostgreSQL is not installed: `apt-get install postgresql`, or set TEST_POSTGRES_URL to a \
                       server on which databases may be created";

/// A running PostgreSQL server, without a password, on 127.0.0.1 only; ends when dropped.
#[derive(Debug)]
pub struct Postgres {
    // The server goes before its folder.
    server: Option<Guarded>,
    port: u16,
    durable: bool,
    folder: Dir,
}

impl Postgres {
    /// Starts one that does not wait for the disk: for tests, where a power cut loses nothing.
    pub fn start() -> Result<Self, Unavailable> {
        Self::initialise(false)
    }

    /// Starts one that waits for the disk as in production: for measurements.
    pub fn start_durable() -> Result<Self, Unavailable> {
        Self::initialise(true)
    }

    fn initialise(durable: bool) -> Result<Self, Unavailable> {
        let folder = Dir::new();
        let user = ServerUser::find()?;
        user.own(folder.path())?;
        let data = folder.join("data");
        let mut initdb = user.command(&program("initdb")?);
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "--no-instructions"]).current_dir(folder.path());
        run(&mut initdb)?;
        let mut postgres = Self { server: None, port: free_port(), durable, folder };
        postgres.restart()?;
        Ok(postgres)
    }

    /// `postgres://postgres@127.0.0.1:port/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Creates an empty database and returns its URL.
    pub fn database(&self) -> Result<String, Unavailable> {
        create_database(&self.url())
    }

    /// Stops the server at once, as a crash would; what was committed is there after [`Postgres::restart`]
    /// (of a durable one also after a power cut).
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again on the same port.
    pub fn restart(&mut self) -> Result<(), Unavailable> {
        self.stop();
        let mut command = ServerUser::find()?.command(&program("postgres")?);
        command.arg("-D").arg(self.folder.join("data")).args(["-p", &self.port.to_string()]);
        let mut settings = vec![
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "log_min_messages=warning",
        ];
        if !self.durable {
            settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
        }
        command.args(settings.iter().flat_map(|setting| ["-c", setting])).current_dir(self.folder.path());
        let log = self.folder.join("postgres.log");
        // QUIT: an immediate shutdown, which leaves no shared memory behind.
        let server = Guarded::start(&command, "QUIT", self.folder.path(), &log);
        let mut server = server.map_err(|error| Unavailable::new(format!("postgres: {error}")))?;
        let ready = wait_blocking(Duration::from_secs(30), || {
            server.exit_code().is_some() || psql(&self.url(), "SELECT 1").is_ok()
        });
        if !ready || server.exit_code().is_some() {
            return Err(Unavailable::new(format!("postgres did not start:\n{}", server.log_tail())));
        }
        self.server = Some(server);
        Ok(())
    }
}

/// An empty database of its own on the PostgreSQL server of this test run: `TEST_POSTGRES_URL`, else a server
/// that lives as long as this process.
pub fn postgres_url() -> Result<String, Unavailable> {
    static URL: OnceLock<Result<String, Unavailable>> = OnceLock::new();
    static SERVER: Mutex<Option<Postgres>> = Mutex::new(None);
    let url = shared("TEST_POSTGRES_URL", &URL, || {
        let server = Postgres::start()?;
        let url = server.url();
        if let Ok(mut place) = SERVER.lock() {
            *place = Some(server);
        }
        Ok(url)
    })?;
    create_database(&url)
}

fn create_database(server: &str) -> Result<String, Unavailable> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    // Left from an earlier process with the same id, on a server that outlives its users.
    psql(server, &format!("DROP DATABASE IF EXISTS {name}"))?;
    psql(server, &format!("CREATE DATABASE {name}"))?;
    let (head, tail) = server.rsplit_once('/').unwrap_or((server, ""));
    let options = tail.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
    Ok(format!("{head}/{name}{options}"))
}

fn psql(url: &str, statement: &str) -> Result<(), Unavailable> {
    let mut psql = Command::new(program("psql")?);
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "-c", statement, url]);
    run(&mut psql)
}

fn run(command: &mut Command) -> Result<(), Unavailable> {
    let shown = Path::new(command.get_program()).file_name().map(OsStr::to_owned).unwrap_or_default();
    match command.output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stdout, stderr, .. }) => {
            let said = [stdout, stderr].concat();
            Err(Unavailable::new(format!("{} failed: {}", shown.display(), String::from_utf8_lossy(&said))))
        }
        Err(error) => Err(Unavailable::new(format!("{} did not run: {error}", shown.display()))),
    }
}

/// A program of PostgreSQL's; Debian keeps them in a folder for each version, of which the newest is taken.
fn program(name: &str) -> Result<PathBuf, Unavailable> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    folders.sort();
    let folders: Vec<PathBuf> = folders.into_iter().rev().map(|(_, folder)| folder).collect();
    find_program(name, &folders).ok_or_else(|| Unavailable::new(INSTALL))
}

/// Who the server runs as: it refuses to be root.
enum ServerUser {
    Ourselves,
    Other { name: String, uid: u32, gid: u32 },
}

impl ServerUser {
    fn find() -> Result<Self, Unavailable> {
        let uid = fs::metadata("/proc/self").map_or(0, |process| process.uid());
        if uid != 0 {
            return Ok(Self::Ourselves);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = ["postgres", "nobody"].iter().find_map(|wanted| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next().filter(|name| name == wanted)?;
                let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                Some(Self::Other { name: name.to_owned(), uid, gid })
            })
        });
        found
            .ok_or_else(|| Unavailable::new("PostgreSQL does not run as root, and there is no user `nobody`"))
    }

    fn own(&self, folder: &Path) -> Result<(), Unavailable> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { name, uid, gid } => chown(folder, Some(*uid), Some(*gid))
                .map_err(|error| Unavailable::new(format!("cannot give a folder to {name}: {error}"))),
        }
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Ourselves => Command::new(program),
            Self::Other { uid, gid, .. } => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()]);
                command.arg(program);
                command
            }
        }
    }
}
