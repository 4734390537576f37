//! Puts the dashboard, built by npm from `web/`, where the crate embeds it.
//!
//! npm runs only when something in `web/` changed: what it made stays in `web/dist`, with a note of what it was made
//! from, and is taken from there by every profile and every target folder. A machine without npm, or without
//! network, gets a gateway without a dashboard, which says so.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// What the dashboard is made from, in `web/`.
const SOURCES: [&str; 8] = [
    "index.html",
    "package-lock.json",
    "package.json",
    "public",
    "scripts",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];

/// Set, and not to `0`: the gateway is built without a dashboard, and nothing is said about it.
const SKIP: &str = "WA_GATEWAY_SKIP_WEB";

/// A folder with a dashboard that is built already; then npm is not needed.
const BUILT: &str = "WA_GATEWAY_WEB_DIST";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-env-changed={SKIP}");
    println!("cargo::rerun-if-env-changed={BUILT}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let embedded = out.join("dist");
    if embedded.exists() {
        fs::remove_dir_all(&embedded)?;
    }
    fs::create_dir(&embedded)?;
    build(&embedded)?;
    let mut list = String::from("&[\n");
    list_files(&embedded, "", &mut list)?;
    Ok(fs::write(out.join("files.rs"), list + "]\n")?)
}

/// Puts what is to be embedded into a folder: nothing, when there is to be no dashboard.
fn build(embedded: &Path) -> Result<()> {
    if let Some(folder) = env::var_os(BUILT).filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        return copy(&folder, embedded);
    }
    if env::var_os(SKIP).is_some_and(|value| !value.is_empty() && value != "0") {
        return Ok(());
    }
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    for source in SOURCES.iter().map(|name| web.join(name)).filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let Ok(package) = File::open(web.join("package.json")) else { return Ok(()) };
    // Several cargo processes may work on this folder, with target folders of their own.
    package.lock()?;
    let (sources, dist) = (digest(&web)?, web.join("dist"));
    let note = dist.join(".made-from");
    if fs::read_to_string(&note).is_ok_and(|made_from| made_from == sources) {
        return copy(&dist, embedded);
    }
    if let Err(problem) = install(&web) {
        println!("cargo::warning=this build has no dashboard: {problem}");
        return Ok(());
    }
    npm(&web, &["run", "bundle"])?;
    fs::write(note, sources)?;
    copy(&dist, embedded)
}

/// Installs the packages exactly as the lock file says, unless they are there already.
fn install(web: &Path) -> Result<()> {
    let wanted = fs::read(web.join("package-lock.json"))?;
    let installed = web.join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    // No package needs its scripts to be run here.
    npm(web, &["ci", "--ignore-scripts", "--engine-strict", "--no-audit", "--no-fund"])?;
    Ok(fs::write(installed, wanted)?)
}

fn npm(web: &Path, arguments: &[&str]) -> Result<()> {
    let command = format!("`npm {}` in web/", arguments.join(" "));
    let output = Command::new("npm").args(arguments).current_dir(web).output().map_err(|error| {
        let kind = error.kind();
        let why =
            if kind == io::ErrorKind::NotFound { "npm is not installed".into() } else { error.to_string() };
        format!("{command}: {why}")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let mut lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.split_off(lines.len().saturating_sub(20)).join("; ");
    Err(format!("{command} ended with {}: {last}", output.status).into())
}

/// Stands for the sources as they are: their names and what is in them.
fn digest(web: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in SOURCES.iter().map(|name| web.join(name)).filter(|path| path.exists()) {
        hash(&path, &mut hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.file_name().hash(hasher);
    if path.is_dir() {
        for entry in entries(path)? {
            hash(&entry, hasher)?;
        }
    } else {
        fs::read(path)?.hash(hasher);
    }
    Ok(())
}

/// Copies a built dashboard, without files whose names begin with a dot.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let page = fs::read_to_string(from.join("index.html"))
        .map_err(|error| format!("no dashboard is in {}: {error}", from.display()))?;
    // What is different in each answer goes right behind it.
    if page.matches("<head>").count() != 1 {
        return Err(format!("{}/index.html has not one <head>", from.display()).into());
    }
    copy_all(from, to)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in entries(from)? {
        let name = entry.file_name().ok_or("an entry has a name")?;
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let target = to.join(name);
        if entry.is_dir() {
            fs::create_dir(&target)?;
            copy_all(&entry, &target)?;
        } else {
            fs::copy(&entry, &target)?;
        }
    }
    Ok(())
}

/// Writes an expression for each file: its path from here, and its content.
fn list_files(folder: &Path, path: &str, list: &mut String) -> Result<()> {
    for entry in entries(folder)? {
        let name = entry.file_name().and_then(|name| name.to_str()).ok_or("file names are UTF-8")?;
        if entry.is_dir() {
            list_files(&entry, &format!("{path}{name}/"), list)?;
        } else {
            let entry = entry.to_str().ok_or("file names are UTF-8")?;
            writeln!(list, "    ({:?}, include_bytes!({entry:?})),", format!("{path}{name}"))?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    entries.sort();
    Ok(entries)
}
