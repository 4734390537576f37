//! Sessions that come back from a backup: linked as before, with keys that nobody has used.

use storage::{Change, Error, Result, SessionStore};
use wacore::store::Device;

use super::kinds;

/// Kinds of session state that a backup leaves out, and that are removed from a database that came back by other means.
pub const NOT_IN_BACKUPS: &[&str] = kinds::NOT_IN_BACKUPS;

/// One-time keys that a session may have made since the backup, at least.
const AHEAD: u32 = 10_000;
/// How far apart two returns from the same backup begin.
const APART: u32 = 90_000;
/// Ids have 24 bits.
const LAST_ID: u32 = 0x00ff_ffff;

/// Makes a linked session count its one-time keys from a number that it has not used, and offer new ones when it
/// connects: WhatsApp may have handed out keys that were made after the backup, under ids that the session would
/// give to other keys. A session that is not linked stays as it is.
pub async fn renew(state: &SessionStore) -> Result<()> {
    let Some(row) = state.get(kinds::DEVICE, kinds::THE).await? else { return Ok(()) };
    let unreadable =
        |error: serde_json::Error| Error::Unreadable { what: "device", reason: error.to_string() };
    let mut device: Device = serde_json::from_slice(&row.value).map_err(unreadable)?;
    let first = first_id(device.next_pre_key_id, u32::from_le_bytes(secrets::random_bytes()));
    if first < device.next_pre_key_id {
        // The library goes on from the largest id that it finds.
        state.delete_prefix(kinds::PREKEY, "").await?;
    }
    device.next_pre_key_id = first;
    device.first_unupload_pre_key_id = first;
    device.server_has_prekeys = false;
    let device = serde_json::to_vec(&device).map_err(unreadable)?;
    state.write(vec![Change::put(kinds::DEVICE, kinds::THE, device)]).await
}

/// An id that is far behind `next`, the first that was unused at the time of the backup.
const fn first_id(next: u32, random: u32) -> u32 {
    let jump = AHEAD + random % APART;
    let first = next.saturating_add(jump);
    if first > LAST_ID { jump } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_on_far_from_those_that_were_used() {
        let table = [
            (1, 0, 10_001),
            (813, APART - 1, 100_812),
            (813, APART, 10_813),
            (LAST_ID - 10_000, 0, LAST_ID),
            (LAST_ID - 9_999, 0, 10_000),
            (u32::MAX, 5, 10_005),
        ];
        for (next, random, expected) in table {
            assert_eq!(first_id(next, random), expected, "{next} {random}");
        }
    }
}
