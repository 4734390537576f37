//! A backup that is made while the gateway runs brings everything back: the sessions connect without a scan, and what
//! they say is understood, although they have said much since the backup.

use std::{
    fs,
    path::{Path, PathBuf},
};

use e2e::{Contact, Exit, Gateway, MediaKind, PATIENCE, Storage, Tmpfs, World, eventually, foreign_database};

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

/// Texts each way after the backup: more than the library reserves counters for, so that an old counter would be one
/// that was used.
const SINCE: usize = 80;

/// A gateway that is linked and has talked, and a backup of it.
struct Scene {
    world: World,
    gateway: Gateway,
    contact: Contact,
    backup: PathBuf,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new(Storage::Sqlite).await;
        let gateway = Gateway::start(&world).await;
        gateway.link("shop", OURS).await;
        let contact = world.contact(THEIRS).await;
        let backup = gateway.file("a.backup");
        let scene = Self { world, gateway, contact, backup };
        scene.talk("before").await;
        let backup = scene.backup.display().to_string();
        let exit = scene.gateway.run(&["backup", "--to", &backup]).await;
        assert_eq!(exit.code, Some(0), "{}", exit.said);
        scene
    }

    /// A text each way, both understood. Returns the sequence of the event.
    async fn talk(&self, words: &str) -> i64 {
        let (out, answer) = (format!("{words}: ours"), format!("{words}: theirs"));
        self.gateway.send("shop", THEIRS, &out, &out).await;
        let understood =
            async || self.contact.messages().iter().any(|got| got.text.as_ref() == Some(&out)).then_some(());
        eventually(&format!("{out:?} at the contact"), PATIENCE, understood).await;
        self.contact.send_text(OURS, &answer).await.unwrap();
        let webhook = self.world.webhooks.text(&answer, PATIENCE).await;
        webhook.body["sequence"].as_i64().unwrap()
    }

    async fn restore(&self, more: &[&str]) -> Exit {
        let from = self.backup.display().to_string();
        self.gateway.run(&[&["restore", "--from", &from], more].concat()).await
    }

    /// As after the loss of a disk: nothing is left but the key, which was kept somewhere else.
    fn lose_the_disk(&self) {
        let key = self.gateway.data().join("secret.key");
        let kept = fs::read(&key).unwrap();
        fs::remove_dir_all(self.gateway.data()).unwrap();
        fs::create_dir(self.gateway.data()).unwrap();
        fs::write(key, kept).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_gateway_connects_without_a_scan_and_is_understood() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let file = vec![7; 300_000];
    let id = contact.send_media(OURS, MediaKind::Document, file.clone(), None).await.unwrap();
    eventually("the webhook about a file", PATIENCE, async || {
        world.webhooks.messages().into_iter().find(|webhook| webhook.text("messageId") == id)
    })
    .await;
    let path = format!("/media/{id}.bin");
    let backup = gateway.file("a.backup");
    let mut scene = Scene { world, gateway, contact, backup };
    scene.talk("before").await;
    let to = scene.backup.display().to_string();
    let exit = scene.gateway.run(&["backup", "--to", &to]).await;
    assert_eq!(exit.code, Some(0), "{}", exit.said);
    assert!(exit.said.contains("1 sessions") && exit.said.contains("1 files of 0.3 MB"), "{}", exit.said);

    let mut last = 0;
    for number in 0..SINCE {
        last = scene.talk(&format!("since {number}")).await;
    }
    scene.gateway.kill();
    scene.lose_the_disk();
    let check = scene.restore(&["--check"]).await;
    assert!(check.code == Some(0) && check.said.contains("is whole: 1 sessions, 1 files"), "{}", check.said);
    assert!(!scene.gateway.database_file().exists(), "a check restores nothing");
    let restored = scene.restore(&[]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.said);

    scene.gateway.up().await;
    scene.gateway.connected("shop").await;
    let next = scene.talk("after").await;
    assert!(next > last, "sequences are not used twice: {next} after {last}");
    scene.talk("and again").await;
    let served = scene.gateway.get(&path).await;
    assert!(served.status == 200 && served.bytes == file, "{} {}", served.status, served.bytes.len());

    // What it has since is kept: another return to the same backup has to be asked for.
    scene.gateway.terminate().await;
    let refused = scene.restore(&[]).await;
    assert!(refused.code == Some(1) && refused.said.contains("--replace"), "{}", refused.said);
    let replaced = scene.restore(&["--replace"]).await;
    assert!(replaced.code == Some(0) && replaced.said.contains(".replaced-"), "{}", replaced.said);
    scene.gateway.up().await;
    scene.gateway.connected("shop").await;
    assert!(scene.talk("the second time").await > next);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_is_refused_and_changes_nothing() {
    let mut scene = Scene::new().await;
    let running = scene.restore(&["--replace"]).await;
    assert!(
        running.code == Some(1) && running.said.contains("is in use by another process"),
        "{}",
        running.said
    );
    let to = scene.backup.display().to_string();
    let twice = scene.gateway.run(&["backup", "--to", &to]).await;
    assert!(twice.code == Some(1) && twice.said.contains("is there already"), "{}", twice.said);
    scene.gateway.terminate().await;

    let sound = fs::read(&scene.backup).unwrap();
    let mut changed = sound.clone();
    changed[sound.len() / 2] ^= 1;
    let table: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "is not a backup of wa-gateway"),
        ("foreign", b"SQLite format 3\0 and so on", "is not a backup of wa-gateway"),
        ("cut", &sound[..sound.len() / 2], "is damaged: its end is missing"),
        ("cut by a byte", &sound[..sound.len() - 1], "is damaged: its end is missing"),
        ("longer", &[&sound[..], b"x"].concat(), "is damaged: something follows its end"),
        ("changed", &changed, "is damaged: the sealed value was changed"),
    ];
    let before = listing(scene.gateway.data());
    for (what, bytes, expected) in table {
        fs::write(&scene.backup, bytes).unwrap();
        for how in ["--replace", "--check"] {
            let exit = scene.restore(&[how]).await;
            assert!(exit.code == Some(1) && exit.said.contains(expected), "{what} {how}: {}", exit.said);
        }
        assert_eq!(listing(scene.gateway.data()), before, "{what}");
    }
    fs::write(&scene.backup, sound).unwrap();
    scene.gateway.set("SECRET_KEYS", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let exit = scene.restore(&["--replace"]).await;
    assert!(exit.code == Some(1) && exit.said.contains("was sealed with key"), "{}", exit.said);
    scene.gateway.unset("SECRET_KEYS");
    fs::remove_file(scene.gateway.data().join("secret.key")).unwrap();
    let exit = scene.restore(&["--replace"]).await;
    assert!(exit.code == Some(1) && exit.said.contains("there are no keys"), "{}", exit.said);
    assert!(!scene.gateway.data().join("secret.key").exists(), "no key is made that opens nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_database_is_moved_aside_only_when_that_is_said() {
    let mut scene = Scene::new().await;
    scene.gateway.terminate().await;
    let file = scene.gateway.database_file();
    fs::remove_file(&file).unwrap();
    foreign_database(&file).await;
    let foreign = fs::read(&file).unwrap();
    let exit = scene.restore(&[]).await;
    assert!(exit.code == Some(1) && exit.said.contains("Say --replace"), "{}", exit.said);
    assert!(fs::read(&file).unwrap() == foreign);
    let exit = scene.restore(&["--replace"]).await;
    assert_eq!(exit.code, Some(0), "{}", exit.said);
    scene.gateway.up().await;
    scene.gateway.connected("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_neither_half_a_backup_nor_half_a_gateway() {
    let Some(disk) = Tmpfs::mount(1) else {
        println!("skipped: this user may not mount a small file system");
        return;
    };
    let mut scene = Scene::new().await;
    let to = disk.path().join("a.backup");
    disk.fill();
    let exit = scene.gateway.run(&["backup", "--to", &to.display().to_string()]).await;
    assert!(exit.code == Some(1) && exit.said.contains("No space left"), "{}", exit.said);
    assert!(!to.exists());
    disk.free();

    scene.gateway.terminate().await;
    let key = fs::read(scene.gateway.data().join("secret.key")).unwrap();
    fs::write(disk.path().join("secret.key"), key).unwrap();
    fs::write(disk.path().join("most"), vec![0; 900_000]).unwrap();
    let before = listing(disk.path());
    scene.gateway.keep_data_in(disk.path());
    let exit = scene.restore(&[]).await;
    assert!(exit.code == Some(1) && exit.said.contains("No space left"), "{}", exit.said);
    assert_eq!(listing(disk.path()), before);
}

/// Names and contents of what lies in a folder; lock files say nothing.
fn listing(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(listing(&path));
        } else if path.extension().is_none_or(|end| end != "lock") {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}
