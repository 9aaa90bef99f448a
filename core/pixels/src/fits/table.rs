//! Tables in memory (FITS standard 4.0, section 7).

use ifured_core::Header;

/// A table: columns of equal length, and the header of its HDU. Keywords that describe columns are made from the columns when
/// a table is written, and kept in the header as they were when one is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Header.
    pub header: Header,
    /// Number of rows.
    pub rows: usize,
    /// Columns in order.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name (`TTYPE`), empty if it has none.
    pub name: String,
    /// Unit (`TUNIT`), empty if it has none.
    pub unit: String,
    /// The integer that means "undefined" (`TNULL`, with the offset of unsigned integers applied); columns that are scaled
    /// have NaN instead.
    pub null: Option<i64>,
    /// Shape of a cell in FITS order, fastest axis first (`TDIM`); for text without the length of the strings. Empty: not told.
    pub shape: Vec<usize>,
    /// The cells.
    pub data: ColumnData,
}

/// The cells of a column by type. Integers with TZERO of the unsigned conventions are unsigned (or signed bytes); numbers with
/// other TSCAL and TZERO are scaled and `F64`.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// `L`: true, false or undefined.
    Logical(Cells<Option<bool>>),
    /// `X`: bits.
    Bit(Cells<bool>),
    /// `B`.
    U8(Cells<u8>),
    /// `B` with TZERO -128.
    I8(Cells<i8>),
    /// `I`.
    I16(Cells<i16>),
    /// `I` with TZERO 2^15.
    U16(Cells<u16>),
    /// `J`.
    I32(Cells<i32>),
    /// `J` with TZERO 2^31.
    U32(Cells<u32>),
    /// `K`.
    I64(Cells<i64>),
    /// `K` with TZERO 2^63.
    U64(Cells<u64>),
    /// `E`.
    F32(Cells<f32>),
    /// `D`, and every number that is scaled.
    F64(Cells<f64>),
    /// `C`: real and imaginary part.
    Complex32(Cells<[f32; 2]>),
    /// `M`: real and imaginary part.
    Complex64(Cells<[f64; 2]>),
    /// `A`: text without trailing blanks; bytes outside ASCII are taken as Latin-1.
    Text(Cells<String>),
}

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells<T> {
    /// As many values in each cell.
    Fixed {
        /// Values in a cell.
        repeat: usize,
        /// Values of all cells, one row after another.
        values: Vec<T>,
    },
    /// Any number of values in each cell.
    Variable(Vec<Vec<T>>),
}

impl<T> Cells<T> {
    /// One value in each cell.
    pub fn scalar(values: Vec<T>) -> Self {
        Cells::Fixed { repeat: 1, values }
    }

    /// The values of one row; `None` if there is no such row.
    pub fn row(&self, row: usize) -> Option<&[T]> {
        match self {
            Cells::Fixed { repeat, values } => values.get(row.checked_mul(*repeat)?..row.checked_add(1)?.checked_mul(*repeat)?),
            Cells::Variable(cells) => cells.get(row).map(Vec::as_slice),
        }
    }

    fn select(&self, rows: &[usize]) -> Self
    where
        T: Clone,
    {
        let cell = |row: &usize| self.row(*row).unwrap_or_default().to_vec();
        match self {
            Cells::Fixed { repeat, .. } => Cells::Fixed { repeat: *repeat, values: rows.iter().flat_map(cell).collect() },
            Cells::Variable(_) => Cells::Variable(rows.iter().map(cell).collect()),
        }
    }

    pub(super) fn map<U>(self, convert: impl Fn(T) -> U) -> Cells<U> {
        match self {
            Cells::Fixed { repeat, values } => Cells::Fixed { repeat, values: values.into_iter().map(convert).collect() },
            Cells::Variable(cells) => Cells::Variable(cells.into_iter().map(|c| c.into_iter().map(&convert).collect()).collect()),
        }
    }
}

impl Table {
    /// A table without columns.
    pub fn new(header: Header, rows: usize) -> Self {
        Table { header, rows, columns: Vec::new() }
    }

    /// The column of that name; case does not matter.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The table of some of the rows, counted from 0; all of them must be there.
    pub fn select(&self, rows: &[usize]) -> Table {
        let column = |c: &Column| Column { data: c.data.select(rows), ..c.clone() };
        Table { header: self.header.clone(), rows: rows.len(), columns: self.columns.iter().map(column).collect() }
    }

    /// Adds a column of cells.
    pub fn push(&mut self, name: &str, unit: &str, data: ColumnData) {
        self.columns.push(Column { name: name.to_owned(), unit: unit.to_owned(), null: None, shape: Vec::new(), data });
    }
}

macro_rules! select {
    ($self:ident, $rows:ident: $($variant:ident)*) => {
        match $self { $(ColumnData::$variant(c) => ColumnData::$variant(c.select($rows)),)* }
    };
}

impl ColumnData {
    fn select(&self, rows: &[usize]) -> Self {
        select!(self, rows: Logical Bit U8 I8 I16 U16 I32 U32 I64 U64 F32 F64 Complex32 Complex64 Text)
    }
}

macro_rules! columns_from {
    ($($t:ty => $variant:ident),* $(,)?) => {$(
        impl From<Vec<$t>> for ColumnData {
            fn from(values: Vec<$t>) -> Self { ColumnData::$variant(Cells::scalar(values)) }
        }
    )*};
}
columns_from!(Option<bool> => Logical, u8 => U8, i8 => I8, i16 => I16, u16 => U16, i32 => I32, u32 => U32, i64 => I64, u64 => U64,
    f32 => F32, f64 => F64, [f32; 2] => Complex32, [f64; 2] => Complex64, String => Text);

impl From<Vec<bool>> for ColumnData {
    fn from(values: Vec<bool>) -> Self {
        ColumnData::Logical(Cells::scalar(values.into_iter().map(Some).collect()))
    }
}
