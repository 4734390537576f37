//! The short form of what can go wrong with the services: fewer numbers, less time, the same count at the end. Times
//! are noted and not judged here: tests share the machine.
#![cfg(test)]

use std::path::Path;

use chaos::{
    Plan,
    scenarios::{ALL, play},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_is_doubled() {
    let target = std::env::current_exe().unwrap();
    let target = target.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    let results = target.and_then(Path::parent).unwrap().join("chaos/short");
    let mut stage = Stage::set(Plan::short()).await;
    let mut broken = Vec::new();
    for scenario in ALL.iter().filter(|scenario| scenario.short) {
        let found = play(*scenario, &mut stage, &results).await;
        broken.extend(found.into_iter().map(|words| format!("{}: {words}", scenario.name)));
    }
    assert!(broken.is_empty(), "not as promised:\n{}", broken.join("\n"));
}
