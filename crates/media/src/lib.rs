//! Files: where they are kept, what they are, and links to them.
//!
//! [`MediaStore`] is a folder, or a bucket somewhere else; what is written to it is there whole or not at all.
//! [`FileType`] looks at content, never at names. [`picture`] and [`voice`] find out what recipients are shown before
//! they download anything. [`Links`] lets somebody without a login fetch one file for a while.

mod file_type;
mod key;
mod links;
pub mod picture;
mod store;
pub mod voice;

pub use file_type::{FileType, HEAD};
pub use key::ObjectKey;
pub use links::{LinkError, Links};
pub use store::{ByteStream, Error, Found, Listed, MediaStore, OpenError, Upload, Written};
