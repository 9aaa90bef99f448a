//! Masks from regions in image coordinates.

use ndarray::Array2;

use super::{CoordinateSystem, Length, LengthUnit, Position, Region, RegionError, RegionFile, Shape};

impl Region {
    /// Whether a place (column and row from 1) is within the shape. Lengths are taken as pixels; the sign of the region does not
    /// matter.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        // Offsets from the centre, turned into the axes of the shape.
        let turned = |centre: &Position, angle: f64| {
            let (sin, cos) = angle.to_radians().sin_cos();
            let (dx, dy) = (x - centre.x, y - centre.y);
            (dx * cos + dy * sin, dy * cos - dx * sin)
        };
        let distance = |centre: &Position| (x - centre.x).hypot(y - centre.y);
        match &self.shape {
            Shape::Circle { centre, radius } => distance(centre) <= radius.value,
            Shape::Ellipse { centre, a, b, angle } => {
                let (u, v) = turned(centre, *angle);
                (u / a.value).powi(2) + (v / b.value).powi(2) <= 1.0
            }
            Shape::Box { centre, width, height, angle } => {
                let (u, v) = turned(centre, *angle);
                u.abs() <= 0.5 * width.value && v.abs() <= 0.5 * height.value
            }
            Shape::Annulus { centre, radii } => match (radii.first(), radii.last()) {
                (Some(inner), Some(outer)) => distance(centre) > inner.value && distance(centre) <= outer.value,
                _ => false,
            },
            Shape::Polygon { corners } => {
                let mut inside = false;
                for (i, a) in corners.iter().enumerate() {
                    let b = &corners[(i + 1) % corners.len()];
                    if (a.y > y) != (b.y > y) && x < a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x) {
                        inside = !inside;
                    }
                }
                inside
            }
            Shape::Point { position } => {
                let same = |a: f64, b: f64| (a + 0.5).floor() == (b + 0.5).floor();
                same(x, position.x) && same(y, position.y)
            }
            Shape::Line { from, to } => {
                let (dx, dy) = (to.x - from.x, to.y - from.y);
                let square = dx * dx + dy * dy;
                let along = if square > 0.0 { (((x - from.x) * dx + (y - from.y) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                (x - from.x - along * dx).hypot(y - from.y - along * dy) <= 0.5
            }
        }
    }

    fn lengths(&self) -> Vec<Length> {
        match &self.shape {
            Shape::Circle { radius, .. } => vec![*radius],
            Shape::Ellipse { a, b, .. } => vec![*a, *b],
            Shape::Box { width, height, .. } => vec![*width, *height],
            Shape::Annulus { radii, .. } => radii.clone(),
            Shape::Polygon { .. } | Shape::Point { .. } | Shape::Line { .. } => Vec::new(),
        }
    }

    /// First and last (column, row) from 1 beyond which nothing is inside.
    fn limits(&self) -> (Position, Position) {
        let around = |p: &Position, reach: f64| (Position { x: p.x - reach, y: p.y - reach }, Position { x: p.x + reach, y: p.y + reach });
        let hull = |points: &[Position]| {
            points.iter().map(|p| around(p, 1.0)).reduce(|(a, b), (c, d)| {
                let low = Position { x: a.x.min(c.x), y: a.y.min(c.y) };
                (low, Position { x: b.x.max(d.x), y: b.y.max(d.y) })
            })
        };
        let nothing = (Position { x: 1.0, y: 1.0 }, Position { x: 0.0, y: 0.0 });
        match &self.shape {
            Shape::Circle { centre, radius } => around(centre, radius.value),
            Shape::Ellipse { centre, a, b, .. } => around(centre, a.value.max(b.value)),
            Shape::Box { centre, width, height, .. } => around(centre, 0.5 * width.value.hypot(height.value)),
            Shape::Annulus { centre, radii } => around(centre, radii.last().map_or(0.0, |r| r.value)),
            Shape::Polygon { corners } => hull(corners).unwrap_or(nothing),
            Shape::Point { position } => around(position, 1.0),
            Shape::Line { from, to } => hull(&[*from, *to]).unwrap_or(nothing),
        }
    }
}

impl RegionFile {
    /// True for pixels whose centre is in an included region (in any place, when there are only excluded ones) and in no excluded
    /// one. `shape` is (rows, columns).
    ///
    /// # Errors
    /// [`RegionError::NotImage`] for a region that is not in image coordinates, or has a length that is not in pixels.
    pub fn mask(&self, shape: (usize, usize)) -> Result<Array2<bool>, RegionError> {
        for (i, region) in self.regions.iter().enumerate() {
            let pixels = |l: &Length| matches!(l.unit, LengthUnit::Native | LengthUnit::ImagePixel);
            if region.system != CoordinateSystem::Image || !region.lengths().iter().all(pixels) {
                return Err(RegionError::NotImage { number: i + 1, system: region.system });
            }
        }
        let mut mask = Array2::from_elem(shape, !self.regions.is_empty() && self.regions.iter().all(|r| !r.include));
        for region in self.regions.iter().filter(|r| r.include).chain(self.regions.iter().filter(|r| !r.include)) {
            let (low, high) = region.limits();
            let range = |a: f64, b: f64, n: usize| (a - 1.0).floor().clamp(0.0, n as f64) as usize..b.ceil().clamp(0.0, n as f64) as usize;
            for y in range(low.y, high.y, shape.0) {
                for x in range(low.x, high.x, shape.1) {
                    if region.contains(x as f64 + 1.0, y as f64 + 1.0) {
                        mask[[y, x]] = region.include;
                    }
                }
            }
        }
        Ok(mask)
    }
}
