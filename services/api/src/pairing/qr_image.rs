//! A QR code as an image.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageFormat, Luma};
use qrcode::{EcLevel, QrCode, render::svg};

/// Width and height, in pixels, at least.
const SIZE: u32 = 300;

/// A `data:` URL of a PNG image; `None` when the text is too long for a QR code.
pub(crate) fn data_url(text: &str) -> Option<String> {
    png(text).map(|png| format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

/// A PNG image; `None` when the text is too long for a QR code.
pub(crate) fn png(text: &str) -> Option<Vec<u8>> {
    let pixels = code(text)?.render::<Luma<u8>>().min_dimensions(SIZE, SIZE).build();
    let mut png = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(pixels).write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

/// An SVG image; `None` when the text is too long for a QR code.
pub(crate) fn svg(text: &str) -> Option<String> {
    Some(code(text)?.render::<svg::Color<'_>>().min_dimensions(SIZE, SIZE).build())
}

fn code(text: &str) -> Option<QrCode> {
    QrCode::with_error_correction_level(text, EcLevel::M).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_png_with_a_white_rim() {
        let url = data_url("2@AbCd,efgh,ijkl,1").unwrap();
        let png = STANDARD.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let image = image::load_from_memory(&png).unwrap().to_luma8();
        assert!(image.width() >= SIZE && image.width() == image.height());
        assert_eq!(image.get_pixel(0, 0).0, [255]);
        assert_eq!(data_url(&"x".repeat(5000)), None);
    }
}
