//! Pictures: their size, a small preview, and the two forms that WhatsApp wants them in. Everything here is work for the
//! processor: call it off the async threads, and not often at once.

use std::io::Cursor;

use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder as _, ImageEncoder as _, ImageFormat, ImageReader, Limits, Rgba, RgbaImage,
    codecs::{jpeg::JpegEncoder, webp::WebPEncoder},
    imageops::{FilterType, overlay},
};

/// The memory that a picture may take up when it is decoded: enough for 16 megapixels without transparency.
const MOST_MEMORY: u64 = 48 << 20;
/// The longest side of the preview.
const PREVIEW: u32 = 100;
const PREVIEW_QUALITY: u8 = 50;
const QUALITY: u8 = 88;
/// The sides of a sticker.
const STICKER: u32 = 512;

/// A picture that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub bytes: Bytes,
    pub mime_type: &'static str,
    pub width: u32,
    pub height: u32,
    /// A small JPEG; none when the picture is too large to be decoded here.
    pub preview: Option<Vec<u8>>,
    /// It moves.
    pub animated: bool,
}

/// Why a picture cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("the picture is damaged: {0}")]
    Damaged(String),
    #[error("the picture has too many pixels to be converted")]
    TooManyPixels,
}

impl From<image::ImageError> for PictureError {
    fn from(error: image::ImageError) -> Self {
        match error {
            image::ImageError::Limits(_) => Self::TooManyPixels,
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// A picture as WhatsApp shows it in a chat: JPEG and PNG stay as they are, WebP becomes JPEG.
pub fn for_chat(bytes: Bytes, mime_type: &str) -> Result<Picture, PictureError> {
    let format = format_of(mime_type)?;
    if format == ImageFormat::WebP {
        let picture = on_white(decode(&bytes, format)?);
        let jpeg = jpeg(&picture, QUALITY)?;
        return Ok(Picture {
            mime_type: "image/jpeg",
            width: picture.width(),
            height: picture.height(),
            preview: preview(&picture),
            bytes: jpeg.into(),
            animated: false,
        });
    }
    let (width, height) = ImageReader::with_format(Cursor::new(&bytes), format).into_dimensions()?;
    // A preview is a courtesy: a picture that cannot be decoded here may still be one that phones can show.
    let preview = decode(&bytes, format).ok().and_then(|picture| preview(&picture));
    let mime_type = if format == ImageFormat::Png { "image/png" } else { "image/jpeg" };
    Ok(Picture { bytes, mime_type, width, height, preview, animated: false })
}

/// A picture as a sticker: WebP stays as it is, moving or not; everything else is fitted into 512 × 512.
pub fn as_sticker(bytes: Bytes, mime_type: &str) -> Result<Picture, PictureError> {
    let format = format_of(mime_type)?;
    if format == ImageFormat::WebP {
        let (width, height) = ImageReader::with_format(Cursor::new(&bytes), format).into_dimensions()?;
        let animated = is_animated(&bytes);
        return Ok(Picture { bytes, mime_type: "image/webp", width, height, preview: None, animated });
    }
    let picture = decode(&bytes, format)?.resize(STICKER, STICKER, FilterType::CatmullRom).into_rgba8();
    let mut sticker = RgbaImage::from_pixel(STICKER, STICKER, Rgba([0; 4]));
    let middle = |side: u32| i64::from((STICKER - side) / 2);
    overlay(&mut sticker, &picture, middle(picture.width()), middle(picture.height()));
    let mut webp = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut webp);
    encoder.encode(&sticker, STICKER, STICKER, image::ExtendedColorType::Rgba8)?;
    Ok(Picture {
        bytes: webp.into(),
        mime_type: "image/webp",
        width: STICKER,
        height: STICKER,
        preview: None,
        animated: false,
    })
}

/// The second bit in the flags of a WebP file's extended header.
fn is_animated(webp: &[u8]) -> bool {
    webp.get(12..16) == Some(b"VP8X") && webp.get(20).is_some_and(|flags| flags & 2 != 0)
}

fn format_of(mime_type: &str) -> Result<ImageFormat, PictureError> {
    match mime_type {
        "image/jpeg" => Ok(ImageFormat::Jpeg),
        "image/png" => Ok(ImageFormat::Png),
        "image/webp" => Ok(ImageFormat::WebP),
        other => Err(PictureError::Damaged(format!("{other} is not a picture"))),
    }
}

fn decode(bytes: &Bytes, format: ImageFormat) -> Result<DynamicImage, PictureError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // Not every decoder keeps to the limit by itself.
    if decoder.total_bytes() > MOST_MEMORY {
        return Err(PictureError::TooManyPixels);
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// What lies behind a transparent picture in a JPEG, which knows no transparency.
fn on_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let mut page = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([255; 4]));
    overlay(&mut page, &picture.into_rgba8(), 0, 0);
    DynamicImage::ImageRgba8(page)
}

fn preview(picture: &DynamicImage) -> Option<Vec<u8>> {
    jpeg(&on_white(picture.thumbnail(PREVIEW, PREVIEW)), PREVIEW_QUALITY).ok()
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut jpeg = Vec::new();
    let rgb = picture.to_rgb8();
    JpegEncoder::new_with_quality(&mut jpeg, quality).write_image(
        &rgb,
        rgb.width(),
        rgb.height(),
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Bytes {
        let image = RgbaImage::from_fn(width, height, |x, y| {
            let [x_low, _, _, _] = x.to_le_bytes();
            let [y_low, _, _, _] = y.to_le_bytes();
            Rgba([x_low, y_low, 90, if x < width / 2 { 255 } else { 0 }])
        });
        let image = DynamicImage::ImageRgba8(image);
        let image =
            if format == ImageFormat::Jpeg { DynamicImage::ImageRgb8(image.to_rgb8()) } else { image };
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner().into()
    }

    fn size_of(bytes: &[u8]) -> (u32, u32) {
        let picture = image::load_from_memory(bytes).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn pictures_stay_as_they_are_and_get_a_preview() {
        for (format, mime_type) in [(ImageFormat::Png, "image/png"), (ImageFormat::Jpeg, "image/jpeg")] {
            let bytes = picture(640, 320, format);
            let ready = for_chat(bytes.clone(), mime_type).unwrap();
            assert_eq!(
                (ready.bytes, ready.mime_type, ready.width, ready.height),
                (bytes, mime_type, 640, 320)
            );
            assert_eq!(size_of(&ready.preview.unwrap()), (100, 50));
        }
    }

    #[test]
    fn webp_becomes_jpeg_on_white() {
        let ready = for_chat(picture(64, 32, ImageFormat::WebP), "image/webp").unwrap();
        assert_eq!((ready.mime_type, ready.width, ready.height), ("image/jpeg", 64, 32));
        let shown = image::load_from_memory(&ready.bytes).unwrap().to_rgb8();
        assert!(shown.get_pixel(63, 16).0.iter().all(|part| *part > 240), "what was transparent is white");
    }

    #[test]
    fn a_sticker_fits_into_its_square() {
        let ready = as_sticker(picture(1000, 500, ImageFormat::Png), "image/png").unwrap();
        assert_eq!((ready.mime_type, ready.width, ready.height), ("image/webp", 512, 512));
        let sticker = image::load_from_memory(&ready.bytes).unwrap().to_rgba8();
        assert_eq!(sticker.get_pixel(0, 0).0[3], 0, "above the picture there is nothing");
        assert_eq!(sticker.get_pixel(10, 256).0[3], 255);
        let webp = picture(100, 90, ImageFormat::WebP);
        let ready = as_sticker(webp.clone(), "image/webp").unwrap();
        assert_eq!((ready.bytes, ready.width, ready.height, ready.animated), (webp, 100, 90, false));
        assert!(is_animated(b"RIFF....WEBPVP8X\x0a\0\0\0\x12\0\0\0"));
        assert!(!is_animated(b"RIFF....WEBPVP8X\x0a\0\0\0\x10") && !is_animated(b"RIFF....WEBPVP8X"));
    }

    #[test]
    fn bombs_and_ruins_are_refused() {
        // A header that promises 60,000 × 60,000 pixels and a body that has none.
        let mut bomb = picture(8, 8, ImageFormat::Png).to_vec();
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let crc = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(as_sticker(bomb.clone().into(), "image/png").is_err());
        let ready = for_chat(bomb.into(), "image/png");
        assert!(ready.is_ok_and(|ready| ready.preview.is_none()), "it goes out without a preview");
        let half = picture(64, 64, ImageFormat::Png);
        assert!(as_sticker(half.slice(..half.len() / 2), "image/png").is_err());
        assert!(for_chat(Bytes::from_static(b"\x89PNG\r\n\x1a\n"), "image/png").is_err());
        assert!(for_chat(Bytes::from_static(b"GIF89a"), "image/gif").is_err());
    }

    /// The checksum of a PNG's chunk.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
            })
        })
    }
}
