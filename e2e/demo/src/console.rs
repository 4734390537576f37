//! What the demo says. The only place that prints.

use std::{
    fmt::Arguments,
    io::{self, Write as _},
};

use crate::api::USER;

/// Where everything is, for the words at the beginning.
pub(crate) struct Scene {
    /// The gateway, as a person here reaches it.
    pub gateway: String,
    /// The admin's password, or how to come by it.
    pub password: String,
    /// The control API of the stand-in for WhatsApp.
    pub control: String,
    pub anna: String,
    pub budi: String,
    /// The number of somebody who is not on this gateway.
    pub friend: String,
    /// The page with what arrived; `None` when webhooks go somewhere else, which is `webhooks` then.
    pub page: Option<String>,
    pub webhooks: Option<String>,
}

/// Prints a line. A reader that went away is no error.
pub(crate) fn say(line: Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints a line about what went wrong.
pub(crate) fn complain(line: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says what is here and what to do with it.
pub(crate) fn introduce(scene: &Scene) {
    say(format_args!("{}", introduction(scene)));
}

fn introduction(scene: &Scene) -> String {
    let Scene { gateway, password, control, anna, budi, friend, .. } = scene;
    let webhooks = match (&scene.webhooks, &scene.page) {
        (Some(url), _) => format!("go to {url}"),
        (None, Some(page)) => format!("are shown here as they come, and at {page}"),
        (None, None) => "are shown here as they come".to_owned(),
    };
    let curl = format!("curl -u {USER}:{password} {gateway}");
    format!(
        r#"
A real gateway, and a stand-in for WhatsApp that speaks its protocol. Nothing leaves this machine, no phone is
needed, and nothing stays behind.

  gateway    {gateway}/   user {USER}, password {password}
  anna       {anna}   a session, linked and connected
  budi       {budi}   another one
  Citra      {friend}   a phone, not on this gateway
  webhooks   {webhooks}

Try, in another terminal:

  # anna writes to budi: watch budi's webhook here
  {curl}/message/send-text --json '{{"session":"anna","to":"{budi}","text":"Hello Budi"}}'

  # Citra writes to anna from her phone
  curl {control}/accounts/{friend}/say --json '{{"to":"{anna}","text":"Are you open today?"}}'

  # anna answers, and this is what Citra's phone received
  {curl}/message/send-text --json '{{"session":"anna","to":"{friend}","text":"Until six"}}'
  curl {control}/accounts/{friend}/inbox

  # a session of your own: whatever is on offer is scanned for you, in a browser too
  {curl}/session/start --json '{{"session":"dewi"}}'
  {gateway}/session/start?session=eka

  # who is connected; and what else WhatsApp's side can do (drop connections, log out, ban, …)
  {curl}/status
  curl {control}/

Ctrl-C stops it.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_try_have_the_right_ports_and_numbers() {
        let scene = Scene {
            gateway: "http://localhost:5999".to_owned(),
            password: "admin".to_owned(),
            control: "http://127.0.0.1:6000".to_owned(),
            anna: "1".to_owned(),
            budi: "2".to_owned(),
            friend: "3".to_owned(),
            page: Some("http://127.0.0.1:6001/".to_owned()),
            webhooks: None,
        };
        let text = introduction(&scene);
        assert!(text.contains(
            r#"http://localhost:5999/message/send-text --json '{"session":"anna","to":"2","text""#
        ));
        assert!(text.contains("curl http://127.0.0.1:6000/accounts/3/inbox"));
        assert!(text.contains("webhooks   are shown here as they come, and at http://127.0.0.1:6001/"));
        assert!(text.lines().all(|line| line.chars().count() <= 120), "fits a terminal");
    }
}
