//! Regions in the text format of SAOImage DS9.
//!
//! Read and written: circle, ellipse, box, polygon, annulus, point, line; coordinate systems image, physical, fk5 (also `j2000`),
//! icrs and galactic, kept as written; include and exclude signs; properties; comments; several commands on a line, separated by
//! semicolons. Pixel coordinates are FITS's: the centre of the first pixel is (1, 1). Masks are made from regions in image
//! coordinates; a pixel is inside when its centre is. After the format description in the DS9 reference manual ("Regions").

mod mask;
mod read;
mod write;

/// Coordinate systems of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinateSystem {
    /// Pixels of the file, from 1.
    Image,
    /// Pixels of the detector.
    Physical,
    /// Equatorial, FK5, degrees.
    Fk5,
    /// Equatorial, ICRS, degrees.
    Icrs,
    /// Galactic, degrees.
    Galactic,
}

impl CoordinateSystem {
    /// Whether positions are angles on the sky.
    pub fn is_sky(self) -> bool {
        !matches!(self, CoordinateSystem::Image | CoordinateSystem::Physical)
    }
}

/// Unit of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    /// None written: pixels of the system, or degrees on the sky.
    Native,
    /// `"`.
    Arcsec,
    /// `'`.
    Arcmin,
    /// `d`.
    Degree,
    /// `i`: image pixels.
    ImagePixel,
    /// `p`: physical pixels.
    PhysicalPixel,
}

/// A length with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: LengthUnit,
}

impl Length {
    /// A length without a written unit.
    pub fn native(value: f64) -> Self {
        Length { value, unit: LengthUnit::Native }
    }
}

/// A position: column and row from 1, or longitude and latitude in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Column, or longitude in degrees.
    pub x: f64,
    /// Row, or latitude in degrees.
    pub y: f64,
}

/// A shape. Angles are degrees, counter-clockwise from the x axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// All within a radius.
    Circle {
        /// Centre.
        centre: Position,
        /// Radius.
        radius: Length,
    },
    /// An ellipse.
    Ellipse {
        /// Centre.
        centre: Position,
        /// Half axis along the angle.
        a: Length,
        /// The other half axis.
        b: Length,
        /// Direction of `a`.
        angle: f64,
    },
    /// A rectangle.
    Box {
        /// Centre.
        centre: Position,
        /// Full width along the angle.
        width: Length,
        /// Full height.
        height: Length,
        /// Direction of the width.
        angle: f64,
    },
    /// A polygon; inside by the even-odd rule.
    Polygon {
        /// Corners in order.
        corners: Vec<Position>,
    },
    /// Rings; all between the first and the last radius.
    Annulus {
        /// Centre.
        centre: Position,
        /// Two radii or more, ascending.
        radii: Vec<Length>,
    },
    /// A point: the pixel it is in.
    Point {
        /// Where.
        position: Position,
    },
    /// A line: the pixels whose centre is within half a pixel of it.
    Line {
        /// One end.
        from: Position,
        /// The other end.
        to: Position,
    },
}

/// A region with what DS9 knows about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// The system of the positions.
    pub system: CoordinateSystem,
    /// The shape.
    pub shape: Shape,
    /// False for a region with a minus: what it covers does not belong.
    pub include: bool,
    /// Properties in the order written, such as `color`, `text`, and `tag` (any number of times).
    pub properties: Vec<(String, String)>,
}

impl Region {
    /// An included region without properties.
    pub fn new(system: CoordinateSystem, shape: Shape) -> Self {
        Region { system, shape, include: true, properties: Vec::new() }
    }

    /// First value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().filter(|(key, _)| key == "tag").map(|(_, value)| value.as_str())
    }
}

/// A region file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegionFile {
    /// Comment lines, without the `#`.
    pub comments: Vec<String>,
    /// Properties for all regions (the line `global`).
    pub global: Vec<(String, String)>,
    /// The regions in order.
    pub regions: Vec<Region>,
}

/// Why a region file cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    /// A line cannot be read.
    #[error("line {line}: {reason}: '{text}'")]
    Syntax {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
        /// The command.
        text: String,
    },
    /// A mask from a region that is not in image coordinates.
    #[error("region {number} is in {system:?} coordinates, a mask needs image coordinates")]
    NotImage {
        /// Number of the region, from 1.
        number: usize,
        /// Its system, or the unit of one of its lengths.
        system: CoordinateSystem,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "# Region file format: DS9 version 4.1
global color=green dashlist=8 3 width=1 font=\"helvetica 10 normal roman\"
image
circle(100,200.5,10) # color=red text={a; star} tag={bright} tag={field 1}
-box(50,60,20,10,30); +ellipse 10 20 5 3 45
polygon(1,1,10,1,10,10)
fk5;annulus(20:14:51.3,+37:13:48,3\",5\",1')
galactic;point(75.5d,1.25) # point=x
icrs
line(303.7,37.2,303.8,37.3) # line=0 0
";

    #[test]
    fn a_file_is_read_as_written() {
        let file: RegionFile = SAMPLE.parse().unwrap();
        assert_eq!(file.comments, ["Region file format: DS9 version 4.1"]);
        assert_eq!(file.global[1], ("dashlist".into(), "8 3".into()));
        assert_eq!(file.regions.len(), 7);
        let star = &file.regions[0];
        assert_eq!((star.property("text"), star.property("color")), (Some("a; star"), Some("red")));
        assert_eq!(star.tags().collect::<Vec<_>>(), ["bright", "field 1"]);
        assert!(!file.regions[1].include && file.regions[2].include);
        let Shape::Annulus { centre, radii } = &file.regions[4].shape else { panic!("{:?}", file.regions[4]) };
        assert!((centre.x - 303.713_75).abs() < 1e-9 && (centre.y - 37.23).abs() < 1e-9);
        assert_eq!(radii[2], Length { value: 1.0, unit: LengthUnit::Arcmin });
        assert_eq!((file.regions[5].system, file.regions[6].system), (CoordinateSystem::Galactic, CoordinateSystem::Icrs));
        assert_eq!(file.to_string().parse::<RegionFile>().unwrap(), file);
    }

    #[test]
    fn broken_lines_are_named() {
        for (text, expected) in [
            ("image\n\ncircle(1,2)", "line 3: circle needs 3 numbers, 2 are given: 'circle(1,2)'"),
            ("circle(1,2,3)", "line 1: no coordinate system before the first region: 'circle(1,2,3)'"),
            ("image;blob(1,2,3)", "line 1: unknown shape or coordinate system: 'blob(1,2,3)'"),
            ("image\ncircle(1,x,3)", "line 2: 'x' is not a coordinate: 'circle(1,x,3)'"),
            ("image\ncircle(1,2,-3)", "line 2: '-3' is not a length: 'circle(1,2,-3)'"),
            (
                "image\npolygon(1,2,3,4)",
                "line 2: polygon needs pairs of coordinates for at least three corners, 4 numbers are given: 'polygon(1,2,3,4)'",
            ),
            ("image\ncircle(1,2,3", "line 2: missing ')': 'circle(1,2,3'"),
            ("fk4", "line 1: unknown shape or coordinate system: 'fk4'"),
        ] {
            assert_eq!(text.parse::<RegionFile>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn masks_have_the_area_of_the_shapes() {
        let area = |text: &str| {
            let file: RegionFile = format!("image\n{text}").parse().unwrap();
            file.mask((300, 300)).unwrap().iter().filter(|m| **m).count() as f64
        };
        let pi = std::f64::consts::PI;
        for (text, expected) in [
            ("circle(150.3,149.8,80)", pi * 6400.0),
            ("ellipse(150,150,90,40,30)", pi * 3600.0),
            ("box(150.2,150.1,100,60,20)", 6000.0),
            ("polygon(20.5,20.5,220.5,20.5,20.5,170.5)", 15_000.0),
            ("annulus(150,150,50,60,70)", pi * 2400.0),
            ("circle(150,150,80)\n-circle(150,150,40)", pi * 4800.0),
        ] {
            assert!((area(text) / expected - 1.0).abs() < 0.01, "{text}: {} {expected}", area(text));
        }
        assert_eq!((area("point(10.4,11.6)"), area("line(11,20,30,20)")), (1.0, 20.0));
        let file: RegionFile = "image;box(10,20,3,5,0)".parse().unwrap();
        let mask = file.mask((40, 40)).unwrap();
        assert!(mask[[19, 9]] && mask[[17, 8]] && !mask[[16, 9]] && mask.iter().filter(|m| **m).count() == 15);
        let only_excluded: RegionFile = "image;-circle(1,1,0.5)".parse().unwrap();
        assert_eq!(only_excluded.mask((2, 2)).unwrap().iter().filter(|m| **m).count(), 3);
        let sky: RegionFile = "icrs;circle(1,1,0.5)".parse().unwrap();
        assert!(matches!(sky.mask((2, 2)), Err(RegionError::NotImage { number: 1, .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(x in -1e5..1e5f64, y in -90.0..90.0f64, r in 0.0..1e4f64, angle in -360.0..360.0f64, kind in 0usize..7, system in 0usize..5, include in any::<bool>(), text in "[a-zA-Z0-9 ;#,.]{0,20}") {
            use CoordinateSystem::*;
            let (centre, radius) = (Position { x, y }, Length::native(r));
            let shape = [
                Shape::Circle { centre, radius },
                Shape::Ellipse { centre, a: radius, b: Length { value: r, unit: LengthUnit::Arcsec }, angle },
                Shape::Box { centre, width: radius, height: radius, angle },
                Shape::Polygon { corners: vec![centre, Position { x: 1.0, y: 2.0 }, Position { x: 0.5, y: -3.0 }] },
                Shape::Annulus { centre, radii: vec![radius, Length::native(2.0 * r)] },
                Shape::Point { position: centre },
                Shape::Line { from: centre, to: Position { x: 3.0, y: 4.0 } },
            ][kind].clone();
            let mut region = Region::new([Image, Physical, Fk5, Icrs, Galactic][system], shape);
            region.include = include;
            region.properties.push(("text".into(), text));
            let file = RegionFile { regions: vec![region], ..RegionFile::default() };
            prop_assert_eq!(file.to_string().parse::<RegionFile>().unwrap(), file);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = text.parse::<RegionFile>();
        }
    }
}
