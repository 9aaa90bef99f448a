//! Interpolation kernels.

/// Weights of one direction: at most this many.
pub(super) const LARGEST: usize = 6;

/// Sub-pixel steps of the table; weights in between are interpolated linearly (to 1e-6).
const STEPS: usize = 1024;

/// Kinds of interpolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Linear in both directions: safe, but smooths and correlates.
    Bilinear,
    /// Cubic convolution with a = -1/2 (Keys 1981, IEEE Trans. ASSP 29, 1153).
    Bicubic,
    /// `sinc(x) sinc(x / 3)` to 3 pixels: the least smoothing; rings beside undersampled stars.
    Lanczos3,
}

impl Kernel {
    fn reach(self) -> usize {
        match self {
            Kernel::Bilinear => 1,
            Kernel::Bicubic => 2,
            Kernel::Lanczos3 => 3,
        }
    }

    fn at(self, x: f64) -> f64 {
        let x = x.abs();
        if x >= self.reach() as f64 {
            return 0.0;
        }
        match self {
            Kernel::Bilinear => 1.0 - x,
            Kernel::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Kernel::Bicubic => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Kernel::Lanczos3 => {
                let sinc = |v: f64| if v == 0.0 { 1.0 } else { (std::f64::consts::PI * v).sin() / (std::f64::consts::PI * v) };
                if x > 0.0 && x.fract() == 0.0 { 0.0 } else { sinc(x) * sinc(x / 3.0) }
            }
        }
    }

    fn phase(self, fraction: f64) -> [f64; LARGEST] {
        let reach = self.reach();
        let mut weights = [0.0; LARGEST];
        let mut sum = 0.0;
        for (i, weight) in weights.iter_mut().enumerate().take(2 * reach) {
            *weight = self.at(i as f64 - (reach as f64 - 1.0) - fraction);
            sum += *weight;
        }
        weights.map(|w| w / sum)
    }

    /// Variance of the sum over many output pixels, divided by the sum of their variances, for a grid of about the same scale and
    /// all sub-pixel shifts.
    pub fn covariance_factor(self) -> f64 {
        let squares: f64 =
            (0..STEPS).map(|i| self.phase((i as f64 + 0.5) / STEPS as f64).iter().map(|w| w * w).sum::<f64>()).sum::<f64>() / STEPS as f64;
        1.0 / (squares * squares)
    }
}

/// The weights of a kernel for all sub-pixel shifts.
pub(super) struct WeightTable {
    kernel: Kernel,
    phases: Vec<[f64; LARGEST]>,
}

impl WeightTable {
    pub(super) fn new(kernel: Kernel) -> Self {
        WeightTable { kernel, phases: (0..=STEPS).map(|i| kernel.phase(i as f64 / STEPS as f64)).collect() }
    }

    /// Pixels to either side.
    pub(super) fn reach(&self) -> usize {
        self.kernel.reach()
    }

    /// Fills in the weights for a coordinate and returns the index of the first pixel.
    pub(super) fn weights(&self, x: f64, out: &mut [f64; LARGEST]) -> isize {
        let floor = x.floor();
        let step = (x - floor) * STEPS as f64;
        let index = (step as usize).min(STEPS - 1);
        let f = step - index as f64;
        let (a, b) = (&self.phases[index], &self.phases[index + 1]);
        out.iter_mut().zip(a.iter().zip(b)).take(2 * self.reach()).for_each(|(w, (a, b))| *w = a + (b - a) * f);
        floor as isize - (self.reach() as isize - 1)
    }
}
