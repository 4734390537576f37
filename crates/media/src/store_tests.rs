use std::env;

use domain::{MediaId, MessageId, SessionId};

use super::*;

fn in_a_folder() -> (MediaStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (MediaStore::in_folder(&folder.path().join("media")).unwrap(), folder)
}

fn key() -> ObjectKey {
    ObjectKey::received(SessionId::new(), MediaId::new())
}

async fn put(store: &MediaStore, key: &ObjectKey, chunks: &[&[u8]]) -> Written {
    let mut upload = store.put(key);
    for chunk in chunks {
        upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    upload.finish().await.unwrap()
}

async fn read(store: &MediaStore, key: &ObjectKey, range: Option<Range<u64>>) -> Option<Vec<u8>> {
    let found = store.get(key, range).await.unwrap()?;
    let chunks: Vec<Bytes> = found.bytes.try_collect().await.unwrap();
    Some(chunks.concat())
}

async fn keys(store: &MediaStore, prefix: &str) -> Vec<ObjectKey> {
    store.list(prefix).map_ok(|listed| listed.key).try_collect().await.unwrap()
}

/// What any store must do.
async fn keeps_files(store: &MediaStore) {
    let (small, large) = (key(), key());
    let written = put(store, &small, &[b"hel", b"lo"]).await;
    assert_eq!(written.size, 5);
    assert!(written.sha256_hex().starts_with("2cf24dba5fb0a30e"), "{}", written.sha256_hex());
    assert_eq!(read(store, &small, None).await.unwrap(), b"hello");
    assert_eq!(read(store, &small, Some(1..3)).await.unwrap(), b"el");

    let block = vec![7; 1 << 20];
    let blocks = [&block[..]; 12];
    assert_eq!(put(store, &large, &blocks).await.size, 12 << 20);
    assert_eq!(read(store, &large, None).await.unwrap(), block.repeat(12));
    let found = store.get(&large, Some(10..20)).await.unwrap().unwrap();
    assert_eq!(found.size, 12 << 20);

    put(store, &small, &[b"again"]).await;
    assert_eq!(read(store, &small, None).await.unwrap(), b"again");

    let message = MessageId::new();
    put(store, &ObjectKey::uploaded(message), &[b""]).await;
    assert_eq!(read(store, &ObjectKey::uploaded(message), None).await.unwrap(), b"");
    let listed = keys(store, ObjectKey::all_uploaded()).await;
    assert!(listed.iter().any(|key| key.message() == Some(message)), "{listed:?}");

    for key in [&small, &large, &ObjectKey::uploaded(message)] {
        store.delete(key).await.unwrap();
        store.delete(key).await.unwrap();
        assert!(read(store, key, None).await.is_none());
    }
}

#[tokio::test]
async fn a_folder_keeps_files() {
    let (store, _folder) = in_a_folder();
    keeps_files(&store).await;
}

/// By hand, against any service: `MEDIA_TEST_URL=s3://bucket/prefix AWS_ENDPOINT=… cargo test -- --ignored a_bucket`.
#[tokio::test]
#[ignore = "needs a service"]
async fn a_bucket_keeps_files() {
    let url = env::var("MEDIA_TEST_URL").expect("MEDIA_TEST_URL");
    keeps_files(&MediaStore::at(&url, env::vars()).unwrap()).await;
}

#[tokio::test]
async fn nobody_sees_half_a_file() {
    let (store, folder) = in_a_folder();
    let key = key();
    let mut upload = store.put(&key);
    for _ in 0..4 {
        upload.write(vec![1; FOLDER_BUFFER].into()).await.unwrap();
    }
    assert!(read(&store, &key, None).await.is_none());
    assert!(keys(&store, "in").await.is_empty());
    upload.abort().await;
    assert!(read(&store, &key, None).await.is_none());

    // A process that is killed in the middle leaves something, which goes later.
    let remains = folder.path().join("media/in/x#12");
    fs::create_dir_all(remains.parent().unwrap()).unwrap();
    fs::write(&remains, "half").unwrap();
    fs::write(folder.path().join("media/in/x#y"), "not ours to judge").unwrap();
    assert_eq!(store.remove_remains(Duration::from_hours(1)).await.unwrap(), 0);
    assert_eq!(store.remove_remains(Duration::ZERO).await.unwrap(), 1);
    assert!(!remains.exists());
}

#[tokio::test]
async fn a_place_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let table = [
        (MediaStore::in_folder(&file.join("media")).err(), "the media folder"),
        (MediaStore::at("file:relative", []).err(), "MEDIA_URL cannot be used"),
        (MediaStore::at("ftp://h/x", []).err(), "MEDIA_URL cannot be used"),
        (MediaStore::at("not a url", []).err(), "MEDIA_URL cannot be used"),
    ];
    for (error, words) in table {
        let said = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(words), "{said:?}");
    }
    let url = Url::from_file_path(folder.path().join("by url")).unwrap();
    keeps_files(&MediaStore::at(url.as_str(), []).unwrap()).await;
}
