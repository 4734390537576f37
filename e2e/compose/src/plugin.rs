//! Compose 2, the plugin of Docker's client. Debian has only version 1, but it is a Go module: where Go is there it is
//! built once, into a folder beside other caches.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{engine::said, say};

const MODULE: &str = "github.com/docker/compose/v2";

/// The last one that needs no further plugin to build images.
const VERSION: &str = "v2.40.3";

/// How long it may take to build: three minutes on two idle cores.
const DEADLINE: &str = "20m";

/// A folder for `DOCKER_CONFIG` that has the plugin; the error says why there is none.
pub fn get() -> Result<PathBuf, String> {
    let folder = cache().join(format!("docker-compose-{VERSION}"));
    let plugins = folder.join("cli-plugins");
    let plugin = plugins.join("docker-compose");
    if !plugin.is_file() {
        fs::create_dir_all(&plugins).map_err(|error| format!("{}: {error}", plugins.display()))?;
        build(&plugin)?;
    }
    Ok(folder)
}

fn build(plugin: &Path) -> Result<(), String> {
    let go = ["go", "/usr/local/go/bin/go"]
        .into_iter()
        .find(|go| Command::new(go).arg("version").output().is_ok_and(|output| output.status.success()))
        .ok_or("there is no Go to build it with")?;
    say(format_args!("building {MODULE} {VERSION}, once, in some minutes"));
    let module = output(Command::new(go).args(["mod", "download", "-json", &format!("{MODULE}@{VERSION}")]))?;
    let module = serde_json::from_str::<Value>(&module).map_err(|error| error.to_string())?;
    let sources = module["Dir"].as_str().ok_or("its sources cannot be had")?;
    // In the module itself: what it excludes is refused elsewhere. Beside its place first: what was ended half-way is
    // not taken for the plugin.
    let unfinished = plugin.with_extension("unfinished");
    let flags = format!("-ldflags=-s -w -X {MODULE}/internal.Version={VERSION}");
    output(
        Command::new("timeout")
            .args([DEADLINE, go, "build", "-trimpath", "-buildvcs=false", &flags, "-o"])
            .arg(&unfinished)
            .arg("./cmd")
            .current_dir(sources)
            .env("CGO_ENABLED", "0")
            .env("GOTOOLCHAIN", "local"),
    )?;
    fs::rename(&unfinished, plugin).map_err(|error| error.to_string())
}

/// What a command that must succeed writes to standard output.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(said(&output))
    }
}

/// Where programs are kept that take long to build.
fn cache() -> PathBuf {
    let named = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("wa-gateway")
}
