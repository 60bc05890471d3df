//! A line through points, by least squares.

/// The most that a line may rise, as a part of the mean.
const MAX_RISE: f64 = 0.01;

/// A line that rises by less than so many of its standard errors may be level.
const MIN_ERRORS: f64 = 3.0;

/// The line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trend {
    pub(crate) mean: f64,
    /// From the first point to the last.
    pub(crate) rise: f64,
    /// The standard error of the rise.
    pub(crate) error: f64,
}

// === impl Trend ===

impl Trend {
    /// The line through three points or more, in the order of their first number.
    pub(crate) fn of(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let (mean_x, mean) =
            (points.iter().map(|(x, _)| x).sum::<f64>() / count, points.iter().map(|(_, y)| y).sum::<f64>() / count);
        let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean)).sum::<f64>() / spread;
        let residue: f64 = points.iter().map(|(x, y)| (y - mean - slope * (x - mean_x)).powi(2)).sum();
        let length = points[points.len() - 1].0 - points[0].0;
        Self { mean, rise: slope * length, error: (residue / (count - 2.0) / spread).sqrt() * length }
    }

    /// Whether the line rises by more than noise explains.
    pub(crate) fn is_growth(&self) -> bool {
        self.rise > MAX_RISE * self.mean && self.rise > MIN_ERRORS * self.error
    }
}
