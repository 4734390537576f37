//! Files of messages on their way out that WhatsApp's media host has already.

use domain::{Fence, MessageId, SessionId, Timestamp, media::UploadedMedia};

use crate::{Result, database::Database, driver::with_conn, error::Error};

fn upload_place(message: MessageId) -> Vec<u8> {
    format!("outbound_media/{message}/upload").into_bytes()
}

impl Database {
    /// Remembers that a message's file was uploaded, as the holder of its session.
    pub async fn put_upload(&self, fence: Fence, message: MessageId, upload: &UploadedMedia) -> Result<()> {
        let written = serde_json::to_vec(upload).map_err(|error| Error::Refused(error.to_string()))?;
        let sealed = self.shared.keys.seal(&written, &upload_place(message));
        let now = self.now();
        let mut tx = self.fenced(fence).await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "INSERT INTO outbound_media (message_id, upload, uploaded_at)
                 SELECT o.id, $2, $3 FROM outbound o WHERE o.id = $1 AND o.session_id = $4
                 ON CONFLICT (message_id) DO UPDATE SET upload = excluded.upload, uploaded_at = excluded.uploaded_at",
            )
            .bind(message.uuid())
            .bind(sealed)
            .bind(now.0)
            .bind(fence.session.uuid())
            .execute(conn)
            .await?;
        });
        Ok(tx.commit().await?)
    }

    /// The upload of a message's file, if there was one after `since`. One that cannot be read counts as none: the file
    /// can be uploaded again.
    pub async fn upload(
        &self,
        session: SessionId,
        message: MessageId,
        since: Timestamp,
    ) -> Result<Option<UploadedMedia>> {
        let mut reader = self.reader().await?;
        let sealed: Option<Vec<u8>> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar(
                "SELECT u.upload FROM outbound_media u JOIN outbound o ON o.id = u.message_id
                 WHERE u.message_id = $1 AND o.session_id = $2 AND u.uploaded_at > $3",
            )
            .bind(message.uuid())
            .bind(session.uuid())
            .bind(since.0)
            .fetch_optional(conn)
            .await?
        });
        let opened = sealed.and_then(|sealed| self.shared.keys.open(&sealed, &upload_place(message)).ok());
        Ok(opened.and_then(|opened| serde_json::from_slice(&opened).ok()))
    }

    /// Forgets the upload of a message that is done with: the keys to its file are nobody's business any more.
    pub async fn forget_upload(&self, message: MessageId) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("DELETE FROM outbound_media WHERE message_id = $1")
                .bind(message.uuid())
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }

    /// Forgets the uploads of all messages that are done with, as far as processes that died did not.
    pub async fn forget_done_uploads(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM outbound_media WHERE message_id IN (
                   SELECT u.message_id FROM outbound_media u JOIN outbound o ON o.id = u.message_id
                   WHERE o.state <> 'queued')",
            )
            .execute(conn)
            .await?;
        });
        Ok(tx.commit().await?)
    }
}
