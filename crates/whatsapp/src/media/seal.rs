//! A file is encrypted before it goes up: the media host wants to know the hash of the whole first. What is encrypted
//! waits in a file without a name, which is gone with the process.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use domain::media::MediaKind;
use tokio::io::AsyncWriteExt as _;
use wacore::{
    download::MediaType,
    upload::{EncryptedMediaInfo, MediaEncryptor, UploadSource},
};
use whatsapp_rust::anyhow;

use super::media_type;

/// What is encrypted at a time.
const CHUNK: usize = 64 * 1024;

/// A file cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// There is no room on the disk, or no folder.
    #[error("the encrypted file cannot be written: {0}")]
    Disk(#[from] io::Error),
    /// The library refused, which no file explains.
    #[error("the file cannot be encrypted: {0}")]
    Library(String),
}

impl From<anyhow::Error> for SealError {
    fn from(error: anyhow::Error) -> Self {
        Self::Library(error.to_string())
    }
}

/// A file that is being encrypted.
pub struct Sealing {
    encryptor: MediaEncryptor,
    kind: MediaType,
    file: tokio::fs::File,
    sealed: Vec<u8>,
    length: u64,
}

/// A file that is encrypted and ready to go up.
pub struct Sealed {
    pub(super) info: EncryptedMediaInfo,
    pub(super) kind: MediaType,
    pub(super) source: SealedFile,
}

impl Sealing {
    /// Begins, with a fresh key. The encrypted file takes up room in `folder` until it is dropped.
    pub async fn begin(kind: MediaKind, folder: &Path) -> Result<Self, SealError> {
        let folder = folder.to_owned();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder));
        let file = file.await.map_err(io::Error::other)??;
        let sidecar = matches!(kind, MediaKind::Audio | MediaKind::Voice | MediaKind::Video);
        let kind = media_type(kind);
        Ok(Self {
            encryptor: MediaEncryptor::new_with_sidecar(kind, sidecar)?,
            kind,
            file: tokio::fs::File::from_std(file),
            sealed: Vec::with_capacity(CHUNK),
            length: 0,
        })
    }

    /// More of the file.
    pub async fn write(&mut self, plain: &[u8]) -> Result<(), SealError> {
        for chunk in plain.chunks(CHUNK) {
            self.encryptor.update(chunk, &mut self.sealed);
            self.flush().await?;
        }
        Ok(())
    }

    /// All of it was written.
    pub async fn finish(mut self) -> Result<Sealed, SealError> {
        let info = self.encryptor.finalize(&mut self.sealed)?;
        self.file.write_all(&self.sealed).await?;
        self.length += self.sealed.len() as u64;
        self.file.flush().await?;
        let file = Arc::new(self.file.into_std().await);
        Ok(Sealed { info, kind: self.kind, source: SealedFile { file, length: self.length } })
    }

    async fn flush(&mut self) -> Result<(), SealError> {
        self.file.write_all(&self.sealed).await?;
        self.length += self.sealed.len() as u64;
        self.sealed.clear();
        Ok(())
    }
}

/// The encrypted file. Read more than once when a media host fails, so by position.
pub(super) struct SealedFile {
    file: Arc<File>,
    length: u64,
}

struct Reader {
    file: Arc<File>,
    position: u64,
}

impl UploadSource for SealedFile {
    fn len(&self) -> u64 {
        self.length
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Reader { file: Arc::clone(&self.file), position: offset }))
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use wacore::download::DownloadUtils;

    use super::*;

    #[tokio::test]
    async fn what_is_sealed_in_pieces_opens_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let plain: Vec<u8> = (0..=250_u8).cycle().take(300_001).collect();
        for pieces in [1, 7, 70_000, 300_001] {
            let mut sealing = Sealing::begin(MediaKind::Video, folder.path()).await.unwrap();
            for piece in plain.chunks(pieces.max(plain.len() / 2000)) {
                sealing.write(piece).await.unwrap();
            }
            let sealed = sealing.finish().await.unwrap();
            assert_eq!(sealed.info.file_length, plain.len() as u64);
            assert!(sealed.info.streaming_sidecar.is_some());
            let mut encrypted = Vec::new();
            sealed.source.reader_from(0).unwrap().read_to_end(&mut encrypted).unwrap();
            assert_eq!(encrypted.len() as u64, sealed.source.len());
            let mut rest = Vec::new();
            sealed.source.reader_from(1000).unwrap().read_to_end(&mut rest).unwrap();
            assert_eq!(rest, encrypted[1000..]);
            let opened =
                DownloadUtils::decrypt_stream(&encrypted[..], &sealed.info.media_key, MediaType::Video);
            assert_eq!(opened.unwrap(), plain);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
        let nowhere = Sealing::begin(MediaKind::Image, &folder.path().join("nowhere")).await;
        assert!(matches!(nowhere, Err(SealError::Disk(_))));
    }
}
