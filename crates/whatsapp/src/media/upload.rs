//! An encrypted file on its way to WhatsApp's media host.

use domain::media::{MediaAbout, UploadedMedia};
use whatsapp_rust::upload::UploadResponse;

use super::Sealed;
use crate::client::Client;

/// Why a file is not on the media host. All of it may go better later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    #[error("the session is not connected")]
    NotConnected,
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    #[error("WhatsApp's media host did not take the file: {reason}")]
    Failed { reason: String },
}

impl Client {
    /// Brings an encrypted file to the media host, which takes it in pieces, and goes on where an upload broke off.
    pub async fn upload(&self, sealed: Sealed, about: MediaAbout) -> Result<UploadedMedia, UploadError> {
        if !self.shared.link.lease.held() {
            return Err(UploadError::LeaseLost);
        }
        if !self.is_connected() {
            return Err(UploadError::NotConnected);
        }
        let Sealed { info, kind, source } = sealed;
        let uploaded = self.shared.library.upload_stream(source, info, kind).await;
        let UploadResponse {
            url,
            direct_path,
            media_key,
            file_enc_sha256,
            file_sha256,
            file_length,
            media_key_timestamp,
            streaming_sidecar,
            ..
        } = uploaded.map_err(|error| UploadError::Failed { reason: error.to_string() })?;
        Ok(UploadedMedia {
            url,
            direct_path,
            media_key: media_key.to_vec(),
            file_sha256: file_sha256.to_vec(),
            file_enc_sha256: file_enc_sha256.to_vec(),
            size: file_length,
            media_key_timestamp,
            streaming_sidecar,
            about,
        })
    }
}
