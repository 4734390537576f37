//! What the library expects of its store, on both databases.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use support::{Claim, World};
use wacore::{
    appstate::hash::HashState,
    store::{
        Device,
        error::StoreError,
        traits::{
            AppStateSyncKey, AppSyncStore, DeviceInfo, DeviceListRecord, DeviceStore, LidPnMappingEntry,
            MsgSecretEntry, MsgSecretStore, PendingInboundKey, PendingInboundRow, ProtocolStore, SignalStore,
            TcTokenEntry,
        },
    },
};
use wacore_appstate::processor::AppStateMutationMAC;
use whatsapp::{Lease, testing::SqlBackend};

fn store(world: &World) -> SqlBackend {
    SqlBackend::alone(world.database.session_store(world.fence), Claim::held())
}

/// Each test runs on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($test:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::World::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::World::postgres().await).await;
            })+
        }
    };
}

on_both! {
    signal_records_come_back_as_they_were
    signal_state_of_a_user_is_found_by_its_devices
    one_time_keys_are_marked_but_never_made
    device_survives_exactly
    app_state_is_kept_by_collection
    the_newest_sync_key_is_the_latest
    sender_key_tracking_is_by_group_and_by_device
    phone_and_lid_find_each_other
    base_keys_are_compared
    device_lists_are_replaced
    tokens_keep_what_is_newer
    sent_messages_are_taken_once_and_expire
    pending_messages_wait_and_go
    message_secrets_are_merged
    what_another_session_stores_is_not_seen
    nothing_is_written_after_the_claim_is_lost
    a_wipe_leaves_nothing
}

async fn signal_records_come_back_as_they_were(world: World) {
    let store = store(&world);
    let (a, b): (Arc<str>, Arc<str>) = ("1:1@lid.0".into(), "2@s.whatsapp.net.0".into());
    let record = Bytes::from_static(b"\x00\xff record");

    store.put_sessions_batch(&[(a.clone(), record.clone()), (b.clone(), record.clone())]).await.unwrap();
    store.put_session(&a, b"newer").await.unwrap();
    assert_eq!(store.get_session(&a).await.unwrap().unwrap(), "newer");
    assert_eq!(store.get_session(&b).await.unwrap().unwrap(), record);
    assert!(store.has_session(&b).await.unwrap());
    store.delete_session(&b).await.unwrap();
    assert!(!store.has_session(&b).await.unwrap());

    store.put_identities_batch(&[(a.clone(), [1; 32]), (b.clone(), [2; 32])]).await.unwrap();
    store.put_identity(&b, [3; 32]).await.unwrap();
    assert_eq!(store.load_identity(&a).await.unwrap(), Some([1; 32]));
    assert_eq!(store.load_identity(&b).await.unwrap(), Some([3; 32]));
    store.delete_identity(&a).await.unwrap();
    assert_eq!(store.load_identity(&a).await.unwrap(), None);

    store.put_sender_keys_batch(&[(a.clone(), record.clone())]).await.unwrap();
    store.put_sender_key(&b, b"key").await.unwrap();
    assert_eq!(store.get_sender_key(&a).await.unwrap().unwrap(), record);
    assert_eq!(store.get_sender_key(&b).await.unwrap().unwrap(), b"key");
    store.delete_sender_key(&a).await.unwrap();
    assert_eq!(store.get_sender_key(&a).await.unwrap(), None);

    store.store_signed_prekey(7, b"signed").await.unwrap();
    assert_eq!(store.load_signed_prekey(7).await.unwrap().unwrap(), b"signed");
    assert_eq!(store.load_all_signed_prekeys().await.unwrap(), [(7, b"signed".to_vec())]);
    store.remove_signed_prekey(7).await.unwrap();
    assert!(store.load_all_signed_prekeys().await.unwrap().is_empty());
}

async fn signal_state_of_a_user_is_found_by_its_devices(world: World) {
    let store = store(&world);
    store.put_session("62811:3@lid.0", b"x").await.unwrap();
    store.put_identity("62822@lid.0", [0; 32]).await.unwrap();
    for (user, known) in [("62811", true), ("62822", true), ("6281", false), ("628110", false)] {
        assert_eq!(store.has_signal_state_for_user(user).await.unwrap(), known, "{user}");
    }
}

async fn one_time_keys_are_marked_but_never_made(world: World) {
    let store = store(&world);
    assert_eq!(store.get_max_prekey_id().await.unwrap(), 0);
    let keys: Vec<(u32, Bytes)> =
        (1_u32..=812).map(|id| (id, Bytes::from(id.to_be_bytes().to_vec()))).collect();
    store.store_prekeys_batch(&keys, false).await.unwrap();
    store.store_prekey(16_777_215, b"last", false).await.unwrap();
    assert_eq!(store.get_max_prekey_id().await.unwrap(), 16_777_215);
    assert_eq!(store.load_prekey(812).await.unwrap().unwrap(), 812_u32.to_be_bytes().as_slice());

    store.remove_prekey(5).await.unwrap();
    store.mark_prekeys_uploaded(&[4, 5, 6]).await.unwrap();
    assert_eq!(store.load_prekey(5).await.unwrap(), None, "a used key must stay used");
    let mut found: Vec<u32> =
        store.load_prekeys_batch(&[4, 5, 6, 9999]).await.unwrap().into_iter().map(|(id, _)| id).collect();
    found.sort_unstable();
    assert_eq!(found, [4, 6]);
}

async fn device_survives_exactly(world: World) {
    let store = store(&world);
    assert!(!store.exists().await.unwrap());
    assert!(store.load().await.unwrap().is_none());
    store.create().await.unwrap();
    assert!(store.exists().await.unwrap());

    let mut device = Device::new();
    device.pn = Some("62811:7@s.whatsapp.net".parse().unwrap());
    device.lid = Some("100200:7@lid".parse().unwrap());
    "Toko \u{1f600}".clone_into(&mut device.push_name);
    device.account = Some(Arc::default());
    device.edge_routing_info = Some(vec![0, 255]);
    device.props_hash = Some("hash".to_owned());
    device.next_pre_key_id = 813;
    device.nct_salt = Some(vec![9; 16]);
    device.lid_migrated = true;
    device.login_counter = 3;
    store.save(&device).await.unwrap();
    let loaded = store.load().await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&device).unwrap());
    assert_eq!(
        loaded.noise_key.private_key.serialize().as_slice(),
        device.noise_key.private_key.serialize().as_slice()
    );
    assert_eq!(loaded.identity_key.public_key, device.identity_key.public_key);
    assert_eq!(loaded.signed_pre_key_signature, device.signed_pre_key_signature);
    assert_eq!((loaded.pn, loaded.lid), (device.pn, device.lid));
}

async fn app_state_is_kept_by_collection(world: World) {
    let store = store(&world);
    assert_eq!(store.get_version("regular").await.unwrap().version, 0);
    let state = HashState { version: 5, hash: [7; 128], ..HashState::default() };
    store.set_version("regular", state).await.unwrap();
    let loaded = store.get_version("regular").await.unwrap();
    assert_eq!((loaded.version, loaded.hash), (5, [7; 128]));

    let mac = |byte| AppStateMutationMAC { index_mac: vec![byte; 32], value_mac: vec![byte, 1] };
    store.put_mutation_macs("regular", 5, &[mac(1), mac(2)]).await.unwrap();
    store.put_mutation_macs("regular_low", 5, &[mac(1)]).await.unwrap();
    assert_eq!(store.get_mutation_mac("regular", &[1; 32]).await.unwrap(), Some(vec![1, 1]));
    let many = store.get_mutation_macs("regular", &[[1; 32], [2; 32], [3; 32]]).await.unwrap();
    assert_eq!((many.len(), many.get(&[2; 32])), (2, Some(&vec![2, 1])));
    store.delete_mutation_macs("regular", &[vec![1; 32]]).await.unwrap();
    assert_eq!(store.get_mutation_mac("regular", &[1; 32]).await.unwrap(), None);
    store.clear_mutation_macs("regular").await.unwrap();
    assert_eq!(store.get_mutation_mac("regular", &[2; 32]).await.unwrap(), None);
    assert!(store.get_mutation_mac("regular_low", &[1; 32]).await.unwrap().is_some());
}

async fn the_newest_sync_key_is_the_latest(world: World) {
    let store = store(&world);
    assert_eq!(store.get_latest_sync_key_id().await.unwrap(), None);
    let key = |timestamp| AppStateSyncKey { key_data: vec![1; 32], fingerprint: vec![2], timestamp };
    store.set_sync_key(&[0, 0, 0, 0, 0, 2], key(200)).await.unwrap();
    store.set_sync_key(&[0, 0, 0, 0, 0, 9], key(100)).await.unwrap();
    assert_eq!(store.get_latest_sync_key_id().await.unwrap().unwrap(), [0, 0, 0, 0, 0, 2]);
    let loaded = store.get_sync_key(&[0, 0, 0, 0, 0, 9]).await.unwrap().unwrap();
    assert_eq!((loaded.key_data, loaded.timestamp), (vec![1; 32], 100));
}

async fn sender_key_tracking_is_by_group_and_by_device(world: World) {
    let store = store(&world);
    let (one, two) = ("1@lid", "2:5@lid");
    store.set_sender_key_status("a@g.us", &[(one, true), (two, true)]).await.unwrap();
    store.set_sender_key_status("a@g.us", &[(two, false)]).await.unwrap();
    store.set_sender_key_status("b@g.us", &[(one, true)]).await.unwrap();
    let devices = store.get_sender_key_devices("a@g.us").await.unwrap();
    assert_eq!(devices, [(one.to_owned(), true), (two.to_owned(), false)]);

    store.delete_sender_key_device_rows(&[one]).await.unwrap();
    assert_eq!(store.get_sender_key_devices("a@g.us").await.unwrap(), [(two.to_owned(), false)]);
    assert!(store.get_sender_key_devices("b@g.us").await.unwrap().is_empty());

    store.set_sender_key_status("b@g.us", &[(one, true)]).await.unwrap();
    store.clear_sender_key_devices("a@g.us").await.unwrap();
    assert!(store.get_sender_key_devices("a@g.us").await.unwrap().is_empty());
    store.clear_all_sender_key_devices().await.unwrap();
    assert!(store.get_sender_key_devices("b@g.us").await.unwrap().is_empty());

    store.put_group_metadata("a@g.us", b"v1").await.unwrap();
    assert_eq!(store.get_group_metadata("a@g.us").await.unwrap().unwrap(), b"v1");
    store.delete_group_metadata("a@g.us").await.unwrap();
    assert_eq!(store.get_group_metadata("a@g.us").await.unwrap(), None);
}

fn mapping(lid: &str, phone: &str) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: lid.to_owned(),
        phone_number: phone.to_owned(),
        created_at: 1,
        updated_at: 2,
        learning_source: "usync".to_owned(),
    }
}

async fn phone_and_lid_find_each_other(world: World) {
    let store = store(&world);
    store.put_lid_mappings(&[mapping("100", "62811"), mapping("200", "62822")]).await.unwrap();
    assert_eq!(store.get_lid_mapping("100").await.unwrap().unwrap().phone_number, "62811");
    assert_eq!(store.get_pn_mapping("62822").await.unwrap().unwrap().lid, "200");

    // The person behind a LID changed the number.
    store.put_lid_mapping(&mapping("100", "62833")).await.unwrap();
    assert!(store.get_pn_mapping("62811").await.unwrap().is_none());
    assert_eq!(store.get_pn_mapping("62833").await.unwrap().unwrap().lid, "100");

    // A number got another LID; the old LID's later move must not cut the new one off.
    store.put_lid_mapping(&mapping("300", "62833")).await.unwrap();
    store.put_lid_mapping(&mapping("100", "62844")).await.unwrap();
    assert_eq!(store.get_pn_mapping("62833").await.unwrap().unwrap().lid, "300");
    assert_eq!(store.get_all_lid_mappings().await.unwrap().len(), 3);
}

async fn base_keys_are_compared(world: World) {
    let store = store(&world);
    store.save_base_key("1@lid.0", "M1", b"base").await.unwrap();
    assert!(store.has_same_base_key("1@lid.0", "M1", b"base").await.unwrap());
    assert!(!store.has_same_base_key("1@lid.0", "M1", b"other").await.unwrap());
    assert!(!store.has_same_base_key("1@lid.0", "M2", b"base").await.unwrap());
    store.delete_base_key("1@lid.0", "M1").await.unwrap();
    assert!(!store.has_same_base_key("1@lid.0", "M1", b"base").await.unwrap());
}

async fn device_lists_are_replaced(world: World) {
    let store = store(&world);
    let list = |user: &str, devices: u32| DeviceListRecord {
        user: user.to_owned(),
        devices: (0..devices).map(|id| DeviceInfo::new(id, Some(id))).collect(),
        timestamp: 1,
        phash: None,
        raw_id: Some(9),
    };
    store.update_device_lists(vec![list("1", 1), list("2", 2), list("1", 3)]).await.unwrap();
    assert_eq!(store.get_devices("1").await.unwrap().unwrap().devices.len(), 3);
    store.update_device_list(list("2", 1)).await.unwrap();
    let two = store.get_devices("2").await.unwrap().unwrap();
    assert_eq!((two.devices.len(), two.raw_id), (1, Some(9)));
    store.delete_devices("2").await.unwrap();
    assert!(store.get_devices("2").await.unwrap().is_none());
}

async fn tokens_keep_what_is_newer(world: World) {
    let store = store(&world);
    let jid = "100@lid";
    assert!(store.get_tc_token(jid).await.unwrap().is_none());

    store.touch_tc_token_sender_timestamp(jid, 50).await.unwrap();
    let placeholder = store.get_tc_token(jid).await.unwrap().unwrap();
    assert!(placeholder.token.is_empty());
    // A placeholder never stands in the way of the first token, however old.
    store.store_received_tc_token(jid, b"first", 10).await.unwrap();
    store.store_received_tc_token(jid, b"stale", 9).await.unwrap();
    store.touch_tc_token_sender_timestamp(jid, 40).await.unwrap();
    let check = |token: TcTokenEntry| (token.token, token.token_timestamp, token.sender_timestamp);
    let expected = (b"first".to_vec(), 10, Some(50));
    assert_eq!(check(store.get_tc_token(jid).await.unwrap().unwrap()), expected);
    // What is remembered is what is stored.
    let unprepared = self::store(&world);
    assert_eq!(check(unprepared.get_tc_token(jid).await.unwrap().unwrap()), expected);

    store
        .put_tc_token("200@lid", &TcTokenEntry { token: vec![1], token_timestamp: 5, sender_timestamp: None })
        .await
        .unwrap();
    assert_eq!(store.get_all_tc_token_jids().await.unwrap(), [jid, "200@lid"]);
    assert_eq!(store.delete_expired_tc_tokens(20, 50).await.unwrap(), 1);
    assert!(store.get_tc_token("200@lid").await.unwrap().is_none());
    assert!(store.get_tc_token(jid).await.unwrap().is_some(), "its sender side is still alive");
    store.delete_tc_token(jid).await.unwrap();
    assert!(self::store(&world).get_tc_token(jid).await.unwrap().is_none());
}

async fn sent_messages_are_taken_once_and_expire(world: World) {
    let store = store(&world);
    store.store_sent_message("1@lid", "M1", b"payload").await.unwrap();
    store.store_sent_message("1@lid", "M2", b"other").await.unwrap();
    let (one, two) =
        tokio::join!(store.take_sent_message("1@lid", "M1"), store.take_sent_message("1@lid", "M1"));
    let taken: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
    assert_eq!(taken, [b"payload".to_vec()]);

    let now = wacore::time::now_secs();
    assert_eq!(store.delete_expired_sent_messages(now - 60).await.unwrap(), 0);
    assert_eq!(store.delete_expired_sent_messages(now + 60).await.unwrap(), 1);
    assert_eq!(store.take_sent_message("1@lid", "M2").await.unwrap(), None);
}

async fn pending_messages_wait_and_go(world: World) {
    let store = store(&world);
    let row = |id, message| PendingInboundRow { chat: "1@g.us", sender: "2:1@lid", id, message };
    let key = |id| PendingInboundKey { chat: "1@g.us", sender: "2:1@lid", id };
    store.store_pending_inbound_batch(&[row("A", b"a"), row("B", b"b"), row("A\0/", b"odd")]).await.unwrap();
    store.store_pending_inbound("1@g.us", "2:1@lid", "A", b"again").await.unwrap();
    assert_eq!(store.get_pending_inbound("1@g.us", "2:1@lid", "A").await.unwrap().unwrap(), b"again");
    assert_eq!(store.get_pending_inbound("1@g.us", "2:1@lid", "A\0/").await.unwrap().unwrap(), b"odd");
    store.delete_pending_inbound_batch(&[key("A"), key("A\0/"), key("C")]).await.unwrap();
    assert_eq!(store.get_pending_inbound("1@g.us", "2:1@lid", "A").await.unwrap(), None);
    store.delete_pending_inbound("1@g.us", "2:1@lid", "C").await.unwrap();
    let now = wacore::time::now_secs();
    assert_eq!(store.delete_expired_pending_inbound(now - 60).await.unwrap(), 0);
    assert_eq!(store.delete_expired_pending_inbound(now + 60).await.unwrap(), 1);
}

async fn message_secrets_are_merged(world: World) {
    let store = store(&world);
    let entry = |secret: u8, expires_at, message_ts| MsgSecretEntry {
        chat: "1@lid".into(),
        sender: "2@lid".into(),
        msg_id: "M".into(),
        secret: [secret; 32],
        expires_at,
        message_ts,
    };
    let get = async || store.get_msg_secret_with_ts("1@lid", "2@lid", "M").await.unwrap();
    store.put_msg_secrets(vec![entry(1, 100, 50), entry(2, 90, 0)]).await.unwrap();
    assert_eq!(get().await, Some((vec![2; 32], 50)), "an unknown time does not replace a known one");
    assert_eq!(store.delete_expired_msg_secrets(99).await.unwrap(), 0, "the later deadline stays");
    store.put_msg_secrets(vec![entry(3, 0, 60)]).await.unwrap();
    store.put_msg_secrets(vec![entry(4, 110, 10)]).await.unwrap();
    assert_eq!(get().await, Some((vec![4; 32], 60)));
    assert_eq!(store.delete_expired_msg_secrets(1_000).await.unwrap(), 0, "never is the latest deadline");
    store.put_msg_secret("1@lid", "2@lid", "N", &[5; 32]).await.unwrap();
    assert_eq!(store.get_msg_secret("1@lid", "2@lid", "N").await.unwrap(), Some(vec![5; 32]));

    let short = MsgSecretEntry { msg_id: "S".into(), ..entry(6, 100, 1) };
    store.put_msg_secrets(vec![short]).await.unwrap();
    assert_eq!(store.delete_expired_msg_secrets(100).await.unwrap(), 1, "at the deadline it is over");
}

async fn what_another_session_stores_is_not_seen(world: World) {
    let first = store(&world);
    let user = world.database.session(world.session).await.unwrap().unwrap().user;
    world.database.start_session(user, "anna_other").await.unwrap();
    let claimed = world.database.claim_sessions(world.runner, 1).await.unwrap();
    let second = SqlBackend::alone(world.database.session_store(claimed[0].fence), Claim::held());
    first.put_session("1@lid.0", b"first").await.unwrap();
    second.put_session("1@lid.0", b"second").await.unwrap();
    assert_eq!(first.get_session("1@lid.0").await.unwrap().unwrap(), "first");
    second.wipe().await.unwrap();
    assert_eq!(first.get_session("1@lid.0").await.unwrap().unwrap(), "first");
}

async fn nothing_is_written_after_the_claim_is_lost(world: World) {
    let claim = Claim::held();
    let old = SqlBackend::alone(world.database.session_store(world.fence), Arc::clone(&claim) as _);
    old.store_sent_message("1@lid", "M", b"sent").await.unwrap();
    old.put_session("1@lid.0", b"mine").await.unwrap();
    old.store_prekey(1, b"key", false).await.unwrap();

    let fence = world.taken_over().await;
    assert!(claim.held());
    let refused = old.put_session("1@lid.0", b"stale").await.unwrap_err();
    assert!(!claim.held(), "the owner is told");
    assert!(matches!(refused, StoreError::Database(_)), "{refused:?}");
    let record = Bytes::from_static(b"stale");
    let address: Arc<str> = "1@lid.0".into();
    assert!(old.put_sessions_batch(&[(address, record)]).await.is_err());
    assert!(old.mark_prekeys_uploaded(&[1]).await.is_err());
    assert!(old.remove_prekey(1).await.is_err());
    assert!(old.take_sent_message("1@lid", "M").await.is_err());
    assert!(old.save(&Device::new()).await.is_err());
    assert!(old.put_lid_mapping(&mapping("1", "2")).await.is_err());
    assert!(old.touch_tc_token_sender_timestamp("1@lid", 1).await.is_err());
    assert!(old.store_pending_inbound("1@lid", "1@lid", "M", b"x").await.is_err());
    assert!(old.delete_expired_msg_secrets(1).await.is_err());
    assert!(old.clear_all_sender_key_devices().await.is_err());
    assert!(old.wipe().await.is_err());

    let new = SqlBackend::alone(world.database.session_store(fence), Claim::held());
    assert_eq!(new.get_session("1@lid.0").await.unwrap().unwrap(), "mine");
    assert_eq!(new.load_prekey(1).await.unwrap().unwrap(), "key");
    assert_eq!(new.take_sent_message("1@lid", "M").await.unwrap().unwrap(), b"sent");
    assert!(!new.exists().await.unwrap());
    assert!(new.get_lid_mapping("1").await.unwrap().is_none());
    assert!(new.get_tc_token("1@lid").await.unwrap().is_none());
    assert!(new.get_pending_inbound("1@lid", "1@lid", "M").await.unwrap().is_none());
}

async fn a_wipe_leaves_nothing(world: World) {
    let store = store(&world);
    store.create().await.unwrap();
    store.put_session("1@lid.0", b"x").await.unwrap();
    store.put_lid_mapping(&mapping("1", "2")).await.unwrap();
    store.store_sent_message("1@lid", "M", b"sent").await.unwrap();
    store.wipe().await.unwrap();
    assert!(!store.exists().await.unwrap());
    assert_eq!(store.take_sent_message("1@lid", "M").await.unwrap(), None);
    assert!(!store.has_session("1@lid.0").await.unwrap());
    assert!(store.get_pn_mapping("2").await.unwrap().is_none());
}

/// A file of SQLite can be searched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_the_disk_cannot_be_read() {
    let world = World::sqlite().await;
    let store = store(&world);
    store.put_session("1@lid.0", b"the most secret of all records").await.unwrap();
    world.database.close().await;
    let mut files = 0;
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"most secret"));
        files += 1;
    }
    assert!(files > 0);
}
