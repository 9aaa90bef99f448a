//! Writing.

use std::fmt;

use super::{CoordinateSystem, Length, LengthUnit, Position, Region, RegionFile, Shape};

impl fmt::Display for CoordinateSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CoordinateSystem::Image => "image",
            CoordinateSystem::Physical => "physical",
            CoordinateSystem::Fk5 => "fk5",
            CoordinateSystem::Icrs => "icrs",
            CoordinateSystem::Galactic => "galactic",
        })
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            LengthUnit::Native => "",
            LengthUnit::Arcsec => "\"",
            LengthUnit::Arcmin => "'",
            LengthUnit::Degree => "d",
            LengthUnit::ImagePixel => "i",
            LengthUnit::PhysicalPixel => "p",
        };
        write!(f, "{}{unit}", self.value)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.x, self.y)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: Vec<String>| parts.join(",");
        match self {
            Shape::Circle { centre, radius } => write!(f, "circle({centre},{radius})"),
            Shape::Ellipse { centre, a, b, angle } => write!(f, "ellipse({centre},{a},{b},{angle})"),
            Shape::Box { centre, width, height, angle } => write!(f, "box({centre},{width},{height},{angle})"),
            Shape::Polygon { corners } => write!(f, "polygon({})", joined(corners.iter().map(Position::to_string).collect())),
            Shape::Annulus { centre, radii } => {
                write!(f, "annulus({centre},{})", joined(radii.iter().map(Length::to_string).collect()))
            }
            Shape::Point { position } => write!(f, "point({position})"),
            Shape::Line { from, to } => write!(f, "line({from},{to})"),
        }
    }
}

fn write_properties(f: &mut fmt::Formatter<'_>, properties: &[(String, String)]) -> fmt::Result {
    for (key, value) in properties {
        let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
        match (plain, value.contains('}')) {
            (true, _) => write!(f, " {key}={value}")?,
            (false, false) => write!(f, " {key}={{{value}}}")?,
            (false, true) => write!(f, " {key}=\"{value}\"")?,
        }
    }
    Ok(())
}

impl fmt::Display for Region {
    /// One line, without the coordinate system.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.include { "" } else { "-" }, self.shape)?;
        if !self.properties.is_empty() {
            f.write_str(" #")?;
            write_properties(f, &self.properties)?;
        }
        Ok(())
    }
}

impl fmt::Display for RegionFile {
    /// The file as DS9 reads it. Texts that hold both `}` and `"` cannot be written so that they are read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for comment in &self.comments {
            writeln!(f, "# {comment}")?;
        }
        if !self.global.is_empty() {
            f.write_str("global")?;
            write_properties(f, &self.global)?;
            writeln!(f)?;
        }
        let mut system = None;
        for region in &self.regions {
            if system != Some(region.system) {
                writeln!(f, "{}", region.system)?;
                system = Some(region.system);
            }
            writeln!(f, "{region}")?;
        }
        Ok(())
    }
}
