//! A QR code as an image.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageFormat, Luma};
use qrcode::{EcLevel, QrCode};

/// Width and height, in pixels, at least.
const SIZE: u32 = 300;

/// A `data:` URL of a PNG image; `None` when the text is too long for a QR code.
pub(crate) fn data_url(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let pixels = code.render::<Luma<u8>>().min_dimensions(SIZE, SIZE).build();
    let mut png = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(pixels).write_to(&mut png, ImageFormat::Png).ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner())))
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
