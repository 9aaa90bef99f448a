//! Filters: running and two-dimensional medians, separable convolution, growing and shrinking of masks.

mod convolve;
mod local_parabola;
mod median2d;
mod morphology;
mod running;

pub use convolve::{boxcar, convolve_normalised, convolve_separable, gaussian_kernel, gaussian_smooth};
pub use local_parabola::local_parabolas;
pub use median2d::median_filter;
pub use morphology::{dilate, erode};
pub use running::running_median;

/// What lies beyond the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// The data mirrored, the edge sample repeated (`d c b a | a b c d | d c b a`).
    #[default]
    Reflect,
    /// The edge sample.
    Nearest,
    /// Zero.
    Zero,
    /// Nothing: only samples inside count.
    Ignore,
}

impl Edge {
    /// Index of the sample that stands for position `i` of `0..n`; `None` where there is none ([`Edge::Zero`], [`Edge::Ignore`]).
    pub(crate) fn index(self, i: isize, n: usize) -> Option<usize> {
        let last = n as isize - 1;
        if (0..=last).contains(&i) {
            return Some(i as usize);
        }
        match self {
            _ if n == 0 => None,
            Edge::Reflect => {
                let folded = i.rem_euclid(2 * n as isize);
                Some(if folded > last { 2 * n as isize - 1 - folded } else { folded } as usize)
            }
            Edge::Nearest => Some(i.clamp(0, last) as usize),
            Edge::Zero | Edge::Ignore => None,
        }
    }

    /// The value beyond the edge where no sample stands for it: 0, or NaN for "nothing".
    pub(crate) fn outside(self) -> f32 {
        if self == Edge::Zero { 0.0 } else { f32::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::Edge;

    #[test]
    fn edges_fold_as_documented() {
        let at = |edge: Edge| (-5..8).map(|i| edge.index(i, 3)).collect::<Vec<_>>();
        let some = |v: [usize; 13]| v.map(Some).to_vec();
        assert_eq!(at(Edge::Reflect), some([1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]));
        assert_eq!(at(Edge::Nearest), some([0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]));
        assert_eq!(at(Edge::Ignore)[4..9], [None, Some(0), Some(1), Some(2), None]);
    }
}
