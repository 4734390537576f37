//! Places on Earth, as exact numbers: they are compared, hashed and stored.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Parts of a degree that are told apart: a ten-millionth is a centimetre.
const PARTS: f64 = 10_000_000.0;

/// Latitude or longitude, in ten-millionths of a degree. As JSON it is a number of degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Degrees(i32);

impl Degrees {
    /// That many degrees; `None` beyond ±180, or when it is no number.
    #[must_use]
    pub fn new(degrees: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "180 degrees have 1.8 thousand million parts: they fit"
        )]
        (-180.0..=180.0).contains(&degrees).then(|| Self((degrees * PARTS).round() as i32))
    }

    /// As a number of degrees.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / PARTS
    }

    /// It can be a latitude.
    #[must_use]
    pub fn is_latitude(self) -> bool {
        self.get().abs() <= 90.0
    }
}

impl fmt::Display for Degrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Serialize for Degrees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> Deserialize<'de> for Degrees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let degrees = f64::deserialize(deserializer)?;
        Self::new(degrees).ok_or_else(|| de::Error::custom("degrees are between -180 and 180"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_stay_what_they_are() {
        for degrees in [0.0, -6.175_392_4, 106.827_152_8, 180.0, -180.0, 0.000_000_1] {
            let place = Degrees::new(degrees).unwrap();
            assert_eq!(place.get().to_string(), degrees.to_string());
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Degrees>(&json).unwrap(), place);
        }
        for nowhere in [180.1, -181.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Degrees::new(nowhere), None);
        }
        assert!(Degrees::new(-90.0).unwrap().is_latitude());
        assert!(!Degrees::new(90.000_000_1).unwrap().is_latitude());
    }
}
