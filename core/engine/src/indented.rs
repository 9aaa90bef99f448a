//! JSON for files that people look into: indented by one blank, and what is deep inside on one line.

use std::io::{Result, Write};

use serde_json::ser::Formatter;

/// Arrays and objects inside each other that are spread over lines: of a plan the tasks, but each of their inputs is one line.
const DEPTH: usize = 4;

/// The format; one for each file.
#[derive(Default)]
pub struct Indented {
    depth: usize,
    has_value: bool,
}

impl Indented {
    fn begin(&mut self, writer: &mut (impl Write + ?Sized), bracket: u8) -> Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(&[bracket])
    }

    fn end(&mut self, writer: &mut (impl Write + ?Sized), bracket: u8) -> Result<()> {
        let spread = self.has_value && self.depth <= DEPTH;
        self.depth -= 1;
        self.has_value = true;
        if spread {
            self.new_line(writer)?;
        }
        writer.write_all(&[bracket])
    }

    fn begin_value(&mut self, writer: &mut (impl Write + ?Sized), first: bool) -> Result<()> {
        self.has_value = true;
        match (first, self.depth <= DEPTH) {
            (true, false) => Ok(()),
            (false, false) => writer.write_all(b", "),
            (true, true) => self.new_line(writer),
            (false, true) => {
                writer.write_all(b",")?;
                self.new_line(writer)
            }
        }
    }

    fn new_line(&self, writer: &mut (impl Write + ?Sized)) -> Result<()> {
        writer.write_all(&b"\n     "[..1 + self.depth.min(DEPTH)])
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.begin(writer, b'[')
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.end(writer, b']')
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.begin_value(writer, first)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.begin(writer, b'{')
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.end(writer, b'}')
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.begin_value(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_deep_is_on_one_line_and_all_reads_back() {
        let value = json!({"a": [], "b": {}, "c": [1, {"d": [{"e": 1, "f": ["g", null]}, {}]}]});
        let mut bytes = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Indented::default())).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), value);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("{\n \"a\": [],\n \"b\": {},\n \"c\": [\n  1,\n  {\n   \"d\": [\n"), "{text}");
        assert!(text.contains("\n    {\"e\": 1, \"f\": [\"g\", null]},\n    {}\n   ]\n"), "{text}");
    }
}
