//! Figures of a product: which columns of a table are drawn against which.
//!
//! A recipe says it in the header of the table, so that the product itself knows how it is looked at: reports and `ifured plot` draw it, whatever
//! the instrument.

use crate::header::Header;

/// How a column is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// A line through all rows, interrupted where a value is missing.
    #[default]
    Line,
    /// A point for each row.
    Points,
    /// An arrow from each row's place; the columns hold its two components, in the unit of the first.
    Arrows {
        /// Column of the component along the horizontal axis.
        dx: String,
        /// Column of the component along the vertical axis.
        dy: String,
    },
}

/// One column against the horizontal axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Column of the vertical axis.
    pub y: String,
    /// How it is drawn.
    pub style: Style,
    /// Column of its standard error, drawn as a band or bars.
    pub error: Option<String>,
    /// Logical column: rows where it is false are drawn hollow and grey, and do not count for the range of the axes.
    pub used: Option<String>,
}

/// One drawing: columns of a table that share a horizontal axis. Series share the vertical axis if their units agree; series of another
/// unit are drawn in a panel below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// What is seen.
    pub title: String,
    /// Column of the horizontal axis.
    pub x: String,
    /// What is drawn against it.
    pub series: Vec<Series>,
    /// Whether the vertical axis is logarithmic.
    pub logarithmic: bool,
}

impl Figure {
    /// A figure without series.
    pub fn new(title: &str, x: &str) -> Self {
        Figure { title: title.into(), x: x.into(), ..Figure::default() }
    }

    /// Adds a column as a line.
    pub fn line(mut self, y: &str) -> Self {
        self.series.push(Series { y: y.into(), ..Series::default() });
        self
    }

    /// Adds a column as points.
    pub fn points(mut self, y: &str) -> Self {
        self.series.push(Series { y: y.into(), style: Style::Points, ..Series::default() });
        self
    }

    /// Adds arrows at the places (x, y).
    pub fn arrows(mut self, y: &str, dx: &str, dy: &str) -> Self {
        self.series.push(Series { y: y.into(), style: Style::Arrows { dx: dx.into(), dy: dy.into() }, ..Series::default() });
        self
    }

    /// The vertical axis is logarithmic.
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// The last series has this column of standard errors.
    pub fn error(mut self, column: &str) -> Self {
        if let Some(last) = self.series.last_mut() {
            last.error = Some(column.into());
        }
        self
    }

    /// The last series has this logical column of rows that count.
    pub fn used(mut self, column: &str) -> Self {
        if let Some(last) = self.series.last_mut() {
            last.used = Some(column.into());
        }
        self
    }

    /// Adds the figure to the header of its table, after those that are there.
    pub fn write(&self, header: &mut Header) {
        let n = Figure::of(header).len() + 1;
        header.set(&format!("IFURED FIG{n} TITLE"), self.title.as_str(), "");
        header.set(&format!("IFURED FIG{n} X"), self.x.as_str(), "");
        if self.logarithmic {
            header.set(&format!("IFURED FIG{n} LOG"), true, "");
        }
        for (k, series) in self.series.iter().enumerate() {
            let mut set = |name: &str, value: &str| header.set(&format!("IFURED FIG{n} S{} {name}", k + 1), value, "");
            set("Y", &series.y);
            match &series.style {
                Style::Line => set("STYLE", "line"),
                Style::Points => set("STYLE", "points"),
                Style::Arrows { dx, dy } => {
                    set("STYLE", "arrows");
                    set("DX", dx);
                    set("DY", dy);
                }
            }
            if let Some(error) = &series.error {
                set("ERROR", error);
            }
            if let Some(used) = &series.used {
                set("USED", used);
            }
        }
    }

    /// The figures that the header of a table describes.
    pub fn of(header: &Header) -> Vec<Figure> {
        let text = |key: String| header.text(&key).ok().map(|t| t.trim().to_owned());
        let series = |n: usize, k: usize| {
            let value = |name: &str| text(format!("IFURED FIG{n} S{k} {name}"));
            let style = match value("STYLE").as_deref() {
                Some("points") => Style::Points,
                Some("arrows") => Style::Arrows { dx: value("DX")?, dy: value("DY")? },
                _ => Style::Line,
            };
            Some(Series { y: value("Y")?, style, error: value("ERROR"), used: value("USED") })
        };
        let figure = |n: usize| {
            let x = text(format!("IFURED FIG{n} X"))?;
            let title = text(format!("IFURED FIG{n} TITLE")).unwrap_or_default();
            let logarithmic = header.logical(&format!("IFURED FIG{n} LOG")).unwrap_or(false);
            Some(Figure { title, x, series: (1..).map_while(|k| series(n, k)).collect(), logarithmic })
        };
        (1..).map_while(figure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_from_a_header() {
        let mut header = Header::default();
        let first =
            Figure::new("Spectrum, and its error", "WAVELENGTH").line("FLUX").error("UNCERTAINTY").points("SKY").used("GOOD").logarithmic();
        let second = Figure::new("Residuals", "X").arrows("Y", "DX", "DY").used("USED");
        first.write(&mut header);
        second.write(&mut header);
        assert_eq!(Figure::of(&header), [first, second]);
        assert!(Figure::of(&Header::default()).is_empty());
    }
}
