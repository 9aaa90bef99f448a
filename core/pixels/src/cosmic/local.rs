//! The frame being cleaned, and what the search needs to know around single pixels.

use crate::Image;
use crate::order_statistics::median_variance_factor;
use crate::statistics::median_in_place;

/// State of a pixel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Its value is a lower limit.
    Saturated,
    Bad,
    Hit,
}

/// Values with hits replaced, one pixel of border, and the state of each pixel.
pub(super) struct Local {
    pub rows: usize,
    pub columns: usize,
    width: usize,
    values: Vec<f32>,
    states: Vec<State>,
}

impl Local {
    pub(super) fn new(image: &Image, exclude: u32, saturated: u32) -> Self {
        let (rows, columns) = image.shape();
        let states: Vec<State> = image
            .quality
            .iter()
            .zip(&image.data)
            .zip(&image.variance)
            .map(|((&q, d), v)| match q & exclude {
                0 if d.is_finite() && v.is_finite() && *v > 0.0 => State::Good,
                bits if bits != 0 && bits & !saturated == 0 && d.is_finite() => State::Saturated,
                _ => State::Bad,
            })
            .collect();
        let width = columns + 2;
        let mut local = Local { rows, columns, width, values: vec![0.0; width * (rows + 2)], states };
        for (y, row) in image.data.rows().into_iter().enumerate() {
            let start = (y + 1) * width + 1;
            local.values[start..start + columns].iter_mut().zip(row).for_each(|(to, from)| *to = *from);
        }
        local.fill_beside_good();
        local.fill_border();
        local
    }

    /// Bad pixels beside a good one get the median of good pixels, so that they make no edge.
    fn fill_beside_good(&mut self) {
        let beside: Vec<usize> = (0..self.states.len())
            .filter(|&i| self.states[i] == State::Bad)
            .filter(|&i| {
                let (y, x) = (i / self.columns, i % self.columns);
                (x > 0 && self.is_good(i - 1))
                    || (x + 1 < self.columns && self.is_good(i + 1))
                    || (y > 0 && self.is_good(i - self.columns))
                    || (y + 1 < self.rows && self.is_good(i + self.columns))
            })
            .collect();
        let values: Vec<f32> = beside.iter().map(|&i| self.nearest_good(i).0).collect();
        beside.iter().zip(values).for_each(|(&i, v)| self.set_value(i, v));
    }

    fn fill_border(&mut self) {
        let (width, height) = (self.width, self.rows + 2);
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        for y in 1..height - 1 {
            self.values[y * width] = self.values[y * width + 1];
            self.values[(y + 1) * width - 1] = self.values[(y + 1) * width - 2];
        }
        self.values.copy_within(width..2 * width, 0);
        self.values.copy_within((height - 2) * width..(height - 1) * width, (height - 1) * width);
    }

    fn place(&self, index: usize) -> usize {
        (index / self.columns + 1) * self.width + index % self.columns + 1
    }

    pub(super) fn is_good(&self, index: usize) -> bool {
        self.states[index] == State::Good
    }

    pub(super) fn set_hit(&mut self, index: usize) {
        self.states[index] = State::Hit;
    }

    /// Sets a value, and the border beside it.
    pub(super) fn set_value(&mut self, index: usize, value: f32) {
        let (place, width) = (self.place(index), self.width);
        let (y, x) = (index / self.columns, index % self.columns);
        self.values[place] = value;
        let sides = [(x == 0, place - 1), (x + 1 == self.columns, place + 1), (y == 0, place - width), (y + 1 == self.rows, place + width)];
        sides.into_iter().filter(|(at_edge, _)| *at_edge).for_each(|(_, outside)| self.values[outside] = value);
    }

    /// The clipped, rebinned Laplacian in units of the height of a one-pixel hit: each quarter of the pixel sees two of the four
    /// neighbours.
    fn laplacian_of(p: f32, left: f32, right: f32, up: f32, down: f32) -> f32 {
        let positive = |v: f32| if v > 0.0 { v } else { 0.0 };
        let twice = p + p;
        let (a, b) = (twice - left, twice - right);
        0.125 * (positive(a - up) + positive(a - down) + positive(b - up) + positive(b - down))
    }

    pub(super) fn laplacian(&self, index: usize) -> f32 {
        let (i, w, v) = (self.place(index), self.width, &self.values);
        Self::laplacian_of(v[i], v[i - 1], v[i + 1], v[i - w], v[i + w])
    }

    pub(super) fn laplacian_row(&self, y: usize, out: &mut [f32]) {
        let (start, n) = ((y + 1) * self.width + 1, self.columns);
        let row = |from: usize| &self.values[from..from + n];
        let (here, left, right) = (row(start), row(start - 1), row(start + 1));
        let (up, down) = (row(start - self.width), row(start + self.width));
        for (x, out) in out.iter_mut().enumerate().take(n) {
            *out = Self::laplacian_of(here[x], left[x], right[x], up[x], down[x]);
        }
    }

    /// Good pixels in the square of half-width `half` around a pixel.
    fn around(&self, index: usize, half: usize) -> impl Iterator<Item = usize> + '_ {
        let (y, x) = (index / self.columns, index % self.columns);
        let columns = x.saturating_sub(half)..(x + half + 1).min(self.columns);
        let rows = y.saturating_sub(half)..(y + half + 1).min(self.rows);
        rows.flat_map(move |v| columns.clone().map(move |u| v * self.columns + u))
    }

    fn median_of(values: impl Iterator<Item = f32>) -> f64 {
        let mut buffer = [0.0f32; 81];
        let mut n = 0;
        for value in values.take(81) {
            buffer[n] = value;
            n += 1;
        }
        median_in_place(&mut buffer[..n])
    }

    /// Square root of the 5x5 median of the variance of good pixels.
    pub(super) fn noise(&self, index: usize, variance: &[f32]) -> f64 {
        let good = self.around(index, 2).filter(|&i| self.is_good(i) || i == index);
        Self::median_of(good.map(|i| variance[i])).sqrt()
    }

    /// 5x5 median of the Laplacian of good pixels.
    pub(super) fn median_laplacian(&self, index: usize) -> f64 {
        let good = self.around(index, 2).filter(|&i| self.is_good(i) || i == index);
        Self::median_of(good.map(|i| self.laplacian(i)))
    }

    /// 3x3 median, of all pixels that are not bad (saturated ones are at least what they show; hits are already replaced).
    fn median3(&self, index: usize) -> f32 {
        let mut buffer = [0.0f32; 9];
        let mut n = 0;
        for i in self.around(index, 1).filter(|&i| self.states[i] != State::Bad) {
            let value = self.values[self.place(i)];
            let mut j = n;
            while j > 0 && buffer[j - 1] > value {
                buffer[j] = buffer[j - 1];
                j -= 1;
            }
            buffer[j] = value;
            n += 1;
        }
        if n == 0 { f32::NAN } else { 0.5 * (buffer[(n - 1) / 2] + buffer[n / 2]) }
    }

    /// 3x3 median minus the 7x7 median of 3x3 medians; not below 0.
    pub(super) fn fine_structure(&self, index: usize) -> f64 {
        let known = self.around(index, 3).filter(|&i| self.states[i] != State::Bad);
        let wide = Self::median_of(known.map(|i| self.median3(i)));
        (f64::from(self.median3(index)) - wide).max(0.0)
    }

    /// Median and indices of the nearest good pixels: the smallest square with five of them, up to 9x9.
    fn nearest_good(&self, index: usize) -> (f32, Vec<usize>) {
        let mut good = Vec::new();
        for half in 1..=4 {
            good = self.around(index, half).filter(|&i| i != index && self.is_good(i)).collect();
            if good.len() >= 5 {
                break;
            }
        }
        let value = Self::median_of(good.iter().map(|&i| self.values[self.place(i)]));
        if value.is_nan() { (self.values[self.place(index)], good) } else { (value as f32, good) }
    }

    /// What replaces a hit, and its variance: that of a pixel, of the median, and of the structure around.
    pub(super) fn replacement(&self, index: usize, variance: &[f32]) -> (f32, f32) {
        let (value, good) = self.nearest_good(index);
        if good.is_empty() {
            return (value, f32::INFINITY);
        }
        let n = good.len() as f64;
        let pixel = Self::median_of(good.iter().map(|&i| variance[i]));
        let scatter = good.iter().map(|&i| f64::from(self.values[self.place(i)] - value).powi(2)).sum::<f64>() / n;
        let structure = (scatter - pixel).max(0.0);
        (value, (pixel * (1.0 + median_variance_factor(good.len()) / n) + structure) as f32)
    }

    /// Good pixels within `half` pixels of any of the given ones, in order, each once.
    pub(super) fn within(&self, indices: &[usize], half: usize) -> Vec<usize> {
        let mut near: Vec<usize> = indices.iter().flat_map(|&i| self.around(i, half)).filter(|&i| self.is_good(i)).collect();
        near.sort_unstable();
        near.dedup();
        near
    }
}
