//! Reading.

use std::str::FromStr;

use super::{CoordinateSystem, Length, LengthUnit, Position, Region, RegionError, RegionFile, Shape};

impl FromStr for RegionFile {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let mut file = RegionFile::default();
        let mut system = None;
        for (number, line) in text.lines().enumerate() {
            if let Some(comment) = line.trim_start().strip_prefix('#') {
                file.comments.push(comment.trim().to_owned());
                continue;
            }
            for command in split_commands(line) {
                read_command(command.trim(), &mut file, &mut system).map_err(|reason| RegionError::Syntax {
                    line: number + 1,
                    reason,
                    text: command.trim().to_owned(),
                })?;
            }
        }
        Ok(file)
    }
}

/// Positions outside of quotes and braces at which `found` says yes.
fn unquoted(text: &str, found: impl Fn(char) -> bool) -> Vec<usize> {
    let mut closing = None;
    let mut places = Vec::new();
    let mut after_hash = false;
    for (i, c) in text.char_indices() {
        match closing {
            Some(end) if c == end => closing = None,
            Some(_) => {}
            None => {
                if found(c) {
                    places.push(i);
                }
                // Quotes before the properties are arc seconds and minutes.
                closing = match c {
                    '{' if after_hash => Some('}'),
                    '"' if after_hash => Some('"'),
                    '\'' if after_hash => Some('\''),
                    _ => None,
                };
                after_hash = (after_hash && c != ';') || c == '#';
            }
        }
    }
    places
}

fn split_commands(line: &str) -> Vec<&str> {
    // The line `global` has only properties, whose values may be quoted.
    if line.trim_start().starts_with("global") {
        return vec![line];
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for at in unquoted(line, |c| c == ';') {
        parts.push(&line[start..at]);
        start = at + 1;
    }
    parts.push(&line[start..]);
    parts
}

fn read_command(command: &str, file: &mut RegionFile, system: &mut Option<CoordinateSystem>) -> Result<(), String> {
    if command.is_empty() {
        return Ok(());
    }
    if let Some(properties) = command.strip_prefix("global")
        && properties.chars().next().is_none_or(char::is_whitespace)
    {
        file.global = read_properties(properties);
        return Ok(());
    }
    if let Some(named) = system_named(command) {
        *system = Some(named);
        return Ok(());
    }
    let (geometry, properties) = match command.find('#') {
        Some(at) => (command[..at].trim(), read_properties(&command[at + 1..])),
        None => (command, Vec::new()),
    };
    let (include, geometry) = match geometry.strip_prefix('-') {
        Some(rest) => (false, rest),
        None => (true, geometry.strip_prefix('+').unwrap_or(geometry)),
    };
    let geometry = geometry.trim();
    let end = geometry.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(geometry.len());
    let (name, rest) = (geometry[..end].to_ascii_lowercase(), geometry[end..].trim());
    const SHAPES: [&str; 7] = ["circle", "ellipse", "box", "polygon", "annulus", "point", "line"];
    if !SHAPES.contains(&name.as_str()) {
        return Err("unknown shape or coordinate system".into());
    }
    let numbers = match rest.strip_prefix('(') {
        Some(inner) => inner.strip_suffix(')').ok_or("missing ')'")?,
        None => rest,
    };
    let numbers: Vec<&str> = numbers.split(|c: char| c == ',' || c.is_whitespace()).filter(|n| !n.is_empty()).collect();
    let system = system.ok_or("no coordinate system before the first region")?;
    let shape = read_shape(&name, &numbers, system)?;
    file.regions.push(Region { system, shape, include, properties });
    Ok(())
}

fn system_named(name: &str) -> Option<CoordinateSystem> {
    match name.to_ascii_lowercase().as_str() {
        "image" => Some(CoordinateSystem::Image),
        "physical" => Some(CoordinateSystem::Physical),
        "fk5" | "j2000" => Some(CoordinateSystem::Fk5),
        "icrs" => Some(CoordinateSystem::Icrs),
        "galactic" => Some(CoordinateSystem::Galactic),
        _ => None,
    }
}

fn read_shape(name: &str, numbers: &[&str], system: CoordinateSystem) -> Result<Shape, String> {
    let need = |wanted: &[usize]| {
        if wanted.contains(&numbers.len()) {
            Ok(())
        } else {
            Err(format!("{name} needs {} numbers, {} are given", wanted[0], numbers.len()))
        }
    };
    let position = |i: usize| -> Result<Position, String> {
        Ok(Position { x: coordinate(numbers[i], system, true)?, y: coordinate(numbers[i + 1], system, false)? })
    };
    let angle = |i: usize| -> Result<f64, String> {
        numbers.get(i).map_or(Ok(0.0), |text| finite(text).ok_or(format!("'{text}' is not an angle")))
    };
    Ok(match name {
        "circle" => {
            need(&[3])?;
            Shape::Circle { centre: position(0)?, radius: length(numbers[2])? }
        }
        "ellipse" => {
            need(&[5, 4])?;
            Shape::Ellipse { centre: position(0)?, a: length(numbers[2])?, b: length(numbers[3])?, angle: angle(4)? }
        }
        "box" => {
            need(&[5, 4])?;
            Shape::Box { centre: position(0)?, width: length(numbers[2])?, height: length(numbers[3])?, angle: angle(4)? }
        }
        "annulus" => {
            if numbers.len() < 4 {
                need(&[4])?;
            }
            let radii = numbers[2..].iter().map(|n| length(n)).collect::<Result<_, _>>()?;
            Shape::Annulus { centre: position(0)?, radii }
        }
        "point" => {
            need(&[2])?;
            Shape::Point { position: position(0)? }
        }
        "line" => {
            need(&[4])?;
            Shape::Line { from: position(0)?, to: position(2)? }
        }
        _ => {
            if numbers.len() < 6 || !numbers.len().is_multiple_of(2) {
                let given = numbers.len();
                return Err(format!("polygon needs pairs of coordinates for at least three corners, {given} numbers are given"));
            }
            Shape::Polygon { corners: (0..numbers.len()).step_by(2).map(position).collect::<Result<_, _>>()? }
        }
    })
}

/// A plain number; not `inf`, not `nan`.
fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

fn coordinate(text: &str, system: CoordinateSystem, longitude: bool) -> Result<f64, String> {
    let wrong = || format!("'{text}' is not a coordinate");
    if let Some(value) = finite(text) {
        return Ok(value);
    }
    if !system.is_sky() {
        return Err(wrong());
    }
    if let Some(value) = text.strip_suffix('d').and_then(finite) {
        return Ok(value);
    }
    let hours = text.contains('h') || (text.contains(':') && longitude && system != CoordinateSystem::Galactic);
    let plain = text.trim_start_matches(['+', '-']).trim_end_matches('s');
    let parts: Vec<f64> = plain.split([':', 'h', 'd', 'm']).map(finite).collect::<Option<_>>().ok_or_else(wrong)?;
    if !(2..=3).contains(&parts.len()) || parts[1..].iter().any(|p| !(0.0..60.0).contains(p)) || parts[0] < 0.0 {
        return Err(wrong());
    }
    let value = parts.iter().rev().fold(0.0, |sum, part| sum / 60.0 + part) * if hours { 15.0 } else { 1.0 };
    Ok(if text.starts_with('-') { -value } else { value })
}

fn length(text: &str) -> Result<Length, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, '"')) => (&text[..at], LengthUnit::Arcsec),
        Some((at, '\'')) => (&text[..at], LengthUnit::Arcmin),
        Some((at, 'd')) => (&text[..at], LengthUnit::Degree),
        Some((at, 'i')) => (&text[..at], LengthUnit::ImagePixel),
        Some((at, 'p')) => (&text[..at], LengthUnit::PhysicalPixel),
        _ => (text, LengthUnit::Native),
    };
    let value = finite(number).filter(|v| *v >= 0.0).ok_or_else(|| format!("'{text}' is not a length"))?;
    Ok(Length { value, unit })
}

/// `key=value` pairs; values in braces or quotes, or as many words as come before the next pair.
fn read_properties(text: &str) -> Vec<(String, String)> {
    let mut properties: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let equals = rest.find('=').filter(|&at| at > 0 && at < word_end);
        let Some(equals) = equals else {
            if let Some((_, value)) = properties.last_mut() {
                value.push(' ');
                value.push_str(&rest[..word_end]);
            }
            rest = rest[word_end..].trim_start();
            continue;
        };
        let (key, after) = (rest[..equals].to_owned(), &rest[equals + 1..]);
        let closing = match after.chars().next() {
            Some('{') => Some('}'),
            Some('"') => Some('"'),
            Some('\'') => Some('\''),
            _ => None,
        };
        let quoted = closing.and_then(|end| after[1..].find(end).map(|at| (&after[1..1 + at], &after[at + 2..])));
        let (value, next) = quoted.unwrap_or_else(|| after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())));
        properties.push((key, value.to_owned()));
        rest = next.trim_start();
    }
    properties
}
