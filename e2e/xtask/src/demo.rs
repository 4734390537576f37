//! The demo: a real gateway that needs nothing, with two connected sessions.

use std::{
    env,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
};

use crate::{
    limit::{LIMIT, Limit},
    step,
};

/// The demo, until this is dropped.
pub(crate) struct Demo {
    child: Child,
    pub(crate) port: u16,
    /// Of the control API of its WhatsApp server.
    pub(crate) control: u16,
    _limit: Limit,
}

impl Demo {
    /// Starts it with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, String> {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("no free port: {error}"))?.port();
        // It was built beside us.
        let us = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(us.with_file_name("demo"));
        command.args(["--port", &port.to_string()]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("demo did not start: {error}"))?;
        let mut lines = step::lines(&mut child);
        let limit = Limit::of(&child, LIMIT);
        let mut demo = Self { child, port, control: 0, _limit: limit };
        let mut ready = false;
        while !ready && let Some(line) = lines.next() {
            ready = line.contains("Ctrl-C stops it.");
            let control =
                line.split_once("curl http://127.0.0.1:").and_then(|(_, rest)| rest.split('/').next());
            demo.control = control.and_then(|port| port.parse().ok()).unwrap_or(demo.control);
        }
        if !ready {
            return Err("the demo ended before it was ready".to_owned());
        }
        // Somebody has to read on, or it stops when the pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Ok(demo)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Not killed: it leaves nothing behind when it is asked to stop.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
