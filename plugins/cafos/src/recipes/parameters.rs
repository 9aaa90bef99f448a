//! Parameters that several recipes have. Each struct is flattened into those of the recipe, at its place in their order. None has a
//! flattened one itself: serde would then take its keys for unknown.

use ifured_pixels::detector::{DeadPixels, Saturation, Stated};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Recipes that read raw frames with light.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Exposure {
    /// Raw values from this on are saturated, in ADU.
    #[schemars(range(min = 1.0), extend("x-unit" = "ADU"))]
    pub saturation: f64,
    /// Gain in electrons per ADU; 0 takes the one measured in pairs of flats, here or for the master flat, else that of the header.
    #[schemars(range(min = 0.0), extend("x-unit" = "electrons/ADU"))]
    pub gain: f64,
    /// Read noise in ADU; 0 takes that of the bias.
    #[schemars(range(min = 0.0), extend("x-unit" = "ADU"))]
    pub read_noise: f64,
}

impl Default for Exposure {
    fn default() -> Self {
        Exposure { saturation: 65000.0, gain: 0.0, read_noise: 0.0 }
    }
}

impl Exposure {
    /// Gain and read noise that the user gives.
    pub fn given(&self) -> Stated {
        Stated::by_parameters(self.gain, self.read_noise)
    }

    /// Levels of saturation; `well` in electrons, where known.
    pub fn levels(&self, well: Option<f32>) -> Saturation {
        Saturation { converter: self.saturation as f32, well }
    }
}

/// Recipes that make flats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Response {
    /// A pixel with less than this response is flagged as dead, and its flat is 1.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub dead_response: f64,
}

impl Default for Response {
    fn default() -> Self {
        Response { dead_response: 0.05 }
    }
}

/// Recipes that reduce frames of the sky, with the limits that suit them: the same keys, but a flattened struct has defaults of its own.
macro_rules! defects {
    ($(#[$doc:meta])* $name:ident, $sigma:literal, $contrast:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name {
            /// Whether cosmic rays are found and removed.
            pub cosmic_rays: bool,
            /// Limit of the search for cosmic rays, in units of the noise.
            #[schemars(range(min = 3.0, max = 100.0), extend("x-unit" = "1"))]
            pub cosmic_sigma: f64,
            /// How much sharper than the finest structure of the frame a cosmic ray must be; sky lines of spectra are sharper than stars.
            #[schemars(range(min = 0.5, max = 50.0), extend("x-unit" = "1"))]
            pub cosmic_contrast: f64,
            /// What becomes of pixels without response.
            pub dead_pixels: DeadPixels,
        }

        impl Default for $name {
            fn default() -> Self {
                $name { cosmic_rays: true, cosmic_sigma: $sigma, cosmic_contrast: $contrast, dead_pixels: DeadPixels::Interpolate }
            }
        }
    };
}

defects!(
    /// Of images.
    ImageDefects, 5.0, 2.5
);
defects!(
    /// Of spectra.
    SpectrumDefects, 6.0, 5.0
);

/// Recipes that find stars in an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Detection {
    /// Stars are found above this many times the noise.
    #[schemars(range(min = 3.0), extend("x-unit" = "1"))]
    pub detection_sigma: f64,
}

impl Default for Detection {
    fn default() -> Self {
        Detection { detection_sigma: 5.0 }
    }
}

/// Recipes that leave out frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Enough {
    /// Fewest frames that must be left.
    #[schemars(range(min = 1), extend("x-unit" = "frames"))]
    pub min_frames: usize,
}

impl Default for Enough {
    fn default() -> Self {
        Enough { min_frames: 1 }
    }
}
