//! The users of the Node gateway, taken over: each by itself and once, so that it can be run again.
//!
//! WhatsApp links cannot be taken over: the Node gateway keeps their keys in a form of its own, and keys that two
//! programs use are worth nothing. What must be scanned again is said.

use std::{collections::HashSet, fmt, path::Path};

use config::{Config, DatabaseTarget};
use domain::{
    UserId,
    session::full_name,
    user::{MAX_USERNAME_CHARS, check_username},
    webhook::is_web_address,
};
use storage::{Database, NodeUser, read_node_gateway};

use crate::{
    StartError,
    foundation::{open_database, open_database_with_admin},
};

/// What became of each user, to print.
#[derive(Debug)]
pub struct Report {
    dry_run: bool,
    users: Vec<(String, Fate)>,
}

/// What became of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// Taken over; this session is to be linked again.
    Taken { session: String, left_out: Vec<String> },
    /// There is a user of that name.
    Present,
    /// The admin: their login comes from the environment; whether their callback was taken over.
    Admin { callback: bool },
    /// Cannot be a user here, for this reason.
    Refused(String),
}

/// Takes over the users of the Node gateway's database `from`; with `dry_run` it says what it would do.
pub async fn import(config: &Config, from: &Path, dry_run: bool) -> Result<Report, StartError> {
    let users = read_node_gateway(from).await.map_err(StartError::running)?;
    let mut report = Report { dry_run, users: Vec::new() };
    if dry_run {
        let present = names(config).await?;
        for user in users {
            let (_, fate) = judge(&user);
            let present = !user.is_admin && present.contains(&user.username);
            report.users.push((user.username, if present { Fate::Present } else { fate }));
        }
        return Ok(report);
    }
    let database = open_database_with_admin(config).await?;
    for user in users {
        let fate = take(&database, &user).await.map_err(StartError::running)?;
        report.users.push((user.username, fate));
    }
    database.close().await;
    Ok(report)
}

/// The users who are there already. A database that is not there yet is not made for it.
async fn names(config: &Config) -> Result<HashSet<String>, StartError> {
    if let DatabaseTarget::Sqlite(path) = config.database()
        && !path.exists()
    {
        return Ok(HashSet::new());
    }
    let database = open_database(config).await?;
    let accounts = database.accounts().await.map_err(StartError::running)?;
    database.close().await;
    Ok(accounts.into_iter().map(|account| account.user.username).collect())
}

/// What can be taken over of a user, and what is to be said about it.
fn judge(user: &NodeUser) -> (NodeUser, Fate) {
    let mut sound = user.clone();
    let mut left_out = Vec::new();
    if let Some(url) = sound.callback_url.take_if(|url| !is_web_address(url)) {
        left_out.push(format!("the callback {url:?}, which is no address"));
    }
    if user.webhook_auth.settings().is_err() {
        left_out.push("the webhook authentication, of which something is missing".to_owned());
    }
    if user.is_admin {
        let callback = sound.callback_url.is_some();
        return (sound, Fate::Admin { callback });
    }
    let name = &user.username;
    if let Err(reason) = check_username(name) {
        return (sound, Fate::Refused(reason.to_string()));
    }
    if name.chars().count() > MAX_USERNAME_CHARS {
        return (sound, Fate::Refused(format!("a user name has at most {MAX_USERNAME_CHARS} characters")));
    }
    if !secrets::is_bcrypt(&user.password_hash) {
        return (sound, Fate::Refused("the password is not a bcrypt hash".to_owned()));
    }
    if let Some(session) = sound.session_name.take_if(|session| full_name(name, false, session).is_err()) {
        left_out.push(format!("the session name {session:?}, which cannot be one"));
    }
    let session = sound.session_name.as_deref().unwrap_or(name);
    let session = full_name(name, false, session).unwrap_or_else(|_| name.clone());
    (sound, Fate::Taken { session, left_out })
}

async fn take(database: &Database, user: &NodeUser) -> storage::Result<Fate> {
    let (sound, fate) = judge(user);
    match fate {
        Fate::Taken { .. } => {
            let imported = database.import_user(&sound).await?;
            Ok(if imported.is_some() { fate } else { Fate::Present })
        }
        Fate::Admin { callback: true } => {
            let admin = database.account(UserId::ADMIN).await?;
            let callback = admin.is_some_and(|admin| admin.callback_url.is_none());
            if callback {
                database.set_callback(UserId::ADMIN, sound.callback_url.as_deref()).await?;
            }
            Ok(Fate::Admin { callback })
        }
        Fate::Admin { callback: false } | Fate::Present | Fate::Refused(_) => Ok(fate),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&Fate) -> bool| self.users.iter().filter(|(_, fate)| wanted(fate)).count();
        let taken = count(|fate| matches!(fate, Fate::Taken { .. }));
        for (name, fate) in &self.users {
            writeln!(f, "{name}: {fate}")?;
        }
        let (present, refused) =
            (count(|fate| *fate == Fate::Present), count(|fate| matches!(fate, Fate::Refused(_))));
        let would = if self.dry_run { " (dry run: no user was written)" } else { "" };
        write!(f, "{taken} taken over, {present} there already, {refused} refused{would}.")?;
        if taken > 0 {
            f.write_str(
                "\nWhatsApp links cannot be taken over: scan each of these sessions again with its phone, after the \
                 Node gateway was stopped, and any others that your clients use.",
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { session, left_out } => {
                write!(f, "taken over, with the password as it is; scan session \"{session}\" again")?;
                left_out.iter().try_for_each(|what| write!(f, "; without {what}"))
            }
            Self::Present => f.write_str("there already, left as it is"),
            Self::Admin { callback: true } => {
                f.write_str("the admin: ADMIN_USER and ADMIN_PASSWORD count; callback taken over")
            }
            Self::Admin { callback: false } => f.write_str("the admin: ADMIN_USER and ADMIN_PASSWORD count"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use storage::NodeWebhookAuth;

    use super::*;

    fn user(username: &str, change: impl FnOnce(&mut NodeUser)) -> NodeUser {
        let mut user = NodeUser {
            id: None,
            username: username.into(),
            password_hash: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(),
            is_admin: false,
            session_name: None,
            callback_url: None,
            created_at: None,
            webhook_auth: NodeWebhookAuth::default(),
        };
        change(&mut user);
        user
    }

    #[test]
    fn what_can_be_taken_over_is_and_the_rest_is_said() {
        let long = "x".repeat(65);
        let table = [
            (user("anna", |_| {}), "taken over, with the password as it is; scan session \"anna\" again"),
            (
                user("anna", |user| user.session_name = Some("shop".into())),
                "taken over, with the password as it is; scan session \"anna_shop\" again",
            ),
            (
                user("anna", |user| {
                    user.session_name = Some("a/b".into());
                    user.callback_url = Some("ftp://x".into());
                }),
                "taken over, with the password as it is; scan session \"anna\" again; without the callback \
                 \"ftp://x\", which is no address; without the session name \"a/b\", which cannot be one",
            ),
            (
                user("a:b", |_| {}),
                "refused: a user name has no colons, slashes, backslashes or control characters, and neither begins \
                 nor ends with white space",
            ),
            (user(&long, |_| {}), "refused: a user name has at most 64 characters"),
            (
                user("anna", |user| user.password_hash = "plain".into()),
                "refused: the password is not a bcrypt hash",
            ),
            (user("root", |user| user.is_admin = true), "the admin: ADMIN_USER and ADMIN_PASSWORD count"),
        ];
        for (user, expected) in table {
            let (sound, fate) = judge(&user);
            assert_eq!(fate.to_string(), expected, "{user:?}");
            assert!(sound.callback_url.is_none(), "{user:?}");
        }
    }
}
