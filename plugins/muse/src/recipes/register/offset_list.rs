//! The table of offsets that `muse_exp_align` makes and `muse_exp_combine` reads: one row an exposure, known by its date.

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError};
use ifured_pixels::fits::{ColumnData, HduSelect, Table, primary_header, read_table};

use super::shift::Offset;

const DATE: &str = "DATE_OBS";
const RA: &str = "RA_OFFSET";
const DEC: &str = "DEC_OFFSET";
/// The offsets before registration, under the names that pymusepipe gives them.
const RA_ORIGINAL: &str = "RA_OFFSET_ORIG";
const DEC_ORIGINAL: &str = "DEC_OFFSET_ORIG";

/// A list of offsets.
pub struct OffsetList {
    /// Primary header of its file.
    pub primary: Header,
    table: Table,
    dates: Vec<String>,
    /// As `muse_exp_align` has them: those before registration, if the list has been registered.
    originals: Vec<Offset>,
}

impl OffsetList {
    /// Reads a list.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(input: &TaskInput) -> Result<Self, RecipeError> {
        let table = read_table(&input.path, HduSelect::Index(1))?;
        let lacks = |what: &str| {
            RecipeError::new(
                format!("{}: no column {what}", input.name),
                "a list of offsets has DATE_OBS, RA_OFFSET and DEC_OFFSET in degrees",
            )
        };
        let dates = texts(&table, DATE).ok_or_else(|| lacks(DATE))?;
        let column = |original: &str, name: &str| numbers(&table, original).or_else(|| numbers(&table, name)).ok_or_else(|| lacks(name));
        let (ra, dec) = (column(RA_ORIGINAL, RA)?, column(DEC_ORIGINAL, DEC)?);
        let originals = ra.into_iter().zip(dec).map(|(ra, dec)| Offset { ra, dec }).collect();
        Ok(OffsetList { primary: primary_header(&input.path)?, table, dates, originals })
    }

    /// A list of exposures that are not shifted against each other: date and Modified Julian Date of each, and the primary header of the first.
    pub fn of_exposures(exposures: &[(String, f64)], primary: Header) -> Self {
        let mut header = Header::new();
        header.set("EXTNAME", "OFFSET_LIST", "");
        let mut table = Table::new(header, exposures.len());
        table.push(DATE, "", exposures.iter().map(|(date, _)| date.clone()).collect::<Vec<_>>().into());
        table.push("MJD_OBS", "d", exposures.iter().map(|(_, mjd)| *mjd).collect::<Vec<_>>().into());
        table.push(RA, "deg", vec![0.0f64; exposures.len()].into());
        table.push(DEC, "deg", vec![0.0f64; exposures.len()].into());
        table.push("FLUX_SCALE", "", vec![f64::NAN; exposures.len()].into());
        let dates = exposures.iter().map(|(date, _)| date.clone()).collect();
        OffsetList { primary, table, dates, originals: vec![Offset::default(); exposures.len()] }
    }

    /// The offset of the exposure of that date, before registration.
    pub fn offset(&self, date: &str) -> Option<Offset> {
        let row = self.dates.iter().position(|d| d == date.trim())?;
        self.originals.get(row).copied()
    }

    /// The date of the reference: the first whose offset is zero.
    pub fn reference(&self) -> Option<&str> {
        let row = self.originals.iter().position(|o| *o == Offset::default())?;
        self.dates.get(row).map(String::as_str)
    }

    /// The table with a shift added to all offsets, and the offsets before that in columns of their own.
    pub fn registered(&self, shift: Offset) -> Table {
        let mut table = self.table.clone();
        let shifted: Vec<Offset> = self.originals.iter().map(|o| o.plus(shift)).collect();
        let columns: [(&str, Vec<f64>); 4] = [
            (RA, shifted.iter().map(|o| o.ra).collect()),
            (DEC, shifted.iter().map(|o| o.dec).collect()),
            (RA_ORIGINAL, self.originals.iter().map(|o| o.ra).collect()),
            (DEC_ORIGINAL, self.originals.iter().map(|o| o.dec).collect()),
        ];
        for (name, values) in columns {
            match table.columns.iter_mut().find(|c| c.name.eq_ignore_ascii_case(name)) {
                Some(column) => column.data = values.into(),
                None => table.push(name, "deg", values.into()),
            }
        }
        table
    }
}

fn numbers(table: &Table, name: &str) -> Option<Vec<f64>> {
    match &table.column(name)?.data {
        ColumnData::F64(cells) => (0..table.rows).map(|row| cells.row(row)?.first().copied()).collect(),
        ColumnData::F32(cells) => (0..table.rows).map(|row| cells.row(row)?.first().map(|v| f64::from(*v))).collect(),
        _ => None,
    }
}

fn texts(table: &Table, name: &str) -> Option<Vec<String>> {
    match &table.column(name)?.data {
        ColumnData::Text(cells) => (0..table.rows).map(|row| cells.row(row)?.first().map(|t| t.trim().to_owned())).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ifured_pixels::fits::{HduToWrite, write_product};

    use super::*;

    #[test]
    fn originals_are_kept_and_a_second_registration_starts_from_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("OFFSET_LIST.fits");
        let mut table =
            OffsetList::of_exposures(&[("2017-09-04T02:24:00.000".into(), 58000.1), ("b".into(), 58000.2)], Header::new()).table;
        table.columns[2].data = vec![0.0f64, -2.0e-4].into();
        let read = |table: &Table| {
            write_product(&path, &[HduToWrite::Empty(&Header::new()), HduToWrite::Table(table)]).unwrap();
            OffsetList::read(&TaskInput { path: path.clone(), ..TaskInput::default() }).unwrap()
        };
        let list = read(&table);
        assert_eq!((list.reference(), list.offset("b")), (Some("2017-09-04T02:24:00.000"), Some(Offset { ra: -2.0e-4, dec: 0.0 })));
        let once = read(&list.registered(Offset { ra: 1.0, dec: 2.0 }));
        assert_eq!((once.reference(), once.offset("b")), (list.reference(), list.offset("b")));
        let twice = once.registered(Offset { ra: 0.5, dec: 0.25 });
        assert_eq!((numbers(&twice, RA), numbers(&twice, DEC)), (Some(vec![0.5, 0.5 - 2.0e-4]), Some(vec![0.25, 0.25])));
        assert_eq!(numbers(&twice, RA_ORIGINAL), Some(vec![0.0, -2.0e-4]));
        assert_eq!(twice.columns.iter().map(|c| c.name.as_str()).filter(|n| n.starts_with("RA_")).count(), 2);
    }
}
