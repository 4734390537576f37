//! Database files that cannot be used: the start ends with a sentence that names the file.

use std::fs::{self, File};

use e2e::{Exit, Gateway, Storage, World, foreign_database};

/// It did not start, and said why.
fn refused(exit: &Exit, gateway: &Gateway, words: &[&str]) {
    println!("{}", exit.said.trim());
    assert_eq!(exit.code, Some(1), "{}", exit.said);
    let file = gateway.database_file().display().to_string();
    for word in words.iter().copied().chain([file.as_str()]) {
        assert!(exit.said.contains(word), "{word:?} is missing: {}", exit.said);
    }
    assert!(!exit.said.contains("panicked"), "{}", exit.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_process_has_is_left_alone() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", "628110000001").await;
    let mut second = Gateway::prepare(&world);
    second.keep_data_in(gateway.data());
    refused(&second.run_to_its_end().await, &gateway, &["in use by another process"]);
    assert_eq!(gateway.status("shop").await["connected"], true, "the first one does not notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_database_is_refused_and_left_as_it_is() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", "628110000001").await;
    gateway.terminate().await;
    let file = gateway.database_file();
    let whole = fs::read(&file).unwrap();
    for length in [whole.len() / 2, 4096 * 3, 5000, 100, 60] {
        fs::write(&file, &whole[..length]).unwrap();
        refused(&gateway.run_to_its_end().await, &gateway, &["damaged"]);
        assert_eq!(fs::read(&file).unwrap(), whole[..length], "{length}: a damaged file is not written to");
    }
    fs::write(&file, &whole).unwrap();
    gateway.up().await;
    gateway.connected("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::prepare(&world);
    let file = gateway.database_file();
    fs::write(&file, "These are my notes, not a database. ".repeat(200)).unwrap();
    let before = fs::read(&file).unwrap();
    refused(&gateway.run_to_its_end().await, &gateway, &["not a database of this software"]);
    assert_eq!(fs::read(&file).unwrap(), before);

    fs::remove_file(&file).unwrap();
    foreign_database(&file).await;
    let before = fs::read(&file).unwrap();
    refused(&gateway.run_to_its_end().await, &gateway, &["not a database of this software"]);
    assert_eq!(fs::read(&file).unwrap(), before, "somebody else's database is not written to");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_is_named() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::prepare(&world);
    let not_a_folder = gateway.data().join("file");
    File::create(&not_a_folder).unwrap();
    gateway.keep_data_in(&not_a_folder);
    let exit = gateway.run_to_its_end().await;
    println!("{}", exit.said.trim());
    assert_eq!(exit.code, Some(1), "{}", exit.said);
    assert!(exit.said.contains(&not_a_folder.display().to_string()), "{}", exit.said);
}
