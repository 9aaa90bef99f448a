//! The tables of `muse_create_sky`, changed as the modified sky subtraction asks for.

use std::path::Path;

use ifured_core::RecipeError;
use ifured_pixels::fits::{Column, ColumnData, HduKind, HduSelect, HduToWrite, Table, hdus, primary_header, read_table, write_product};

/// Writes `from` anew, as `to`, with a flux of zero at all wavelengths.
pub fn without_flux(from: &Path, to: &Path) -> Result<(String, u64), RecipeError> {
    rewrite(from, to, |table| {
        let rows = table.rows;
        let flux = table.columns.iter_mut().find(|c| c.name.eq_ignore_ascii_case("flux"));
        let flux = flux.ok_or_else(|| unexpected(from, "a column `flux`"))?;
        flux.data = match flux.data {
            ColumnData::F32(_) => vec![0.0f32; rows].into(),
            _ => vec![0.0f64; rows].into(),
        };
        Ok(())
    })
}

/// Keeps only the lines of molecules: those whose name starts with `OH` or `O2`.
pub fn keep_molecules(path: &Path) -> Result<(String, u64), RecipeError> {
    rewrite(path, path, |table| {
        let Some(Column { data: ColumnData::Text(names), .. }) = table.column("name") else {
            // Transitions of OH are molecules all of them.
            return Ok(());
        };
        let name = |row: usize| names.row(row).and_then(|r| r.first()).map_or("", |n| n.trim()).to_owned();
        let kept: Vec<usize> = (0..table.rows).filter(|&row| name(row).starts_with("OH") || name(row).starts_with("O2")).collect();
        *table = table.select(&kept);
        Ok(())
    })
}

fn unexpected(path: &Path, what: &str) -> RecipeError {
    RecipeError::new(format!("{}: {what} is missing", path.display()), "the pipeline of MUSE is another one than this plugin knows")
}

/// Changes all tables of a file.
fn rewrite(from: &Path, to: &Path, change: impl Fn(&mut Table) -> Result<(), RecipeError>) -> Result<(String, u64), RecipeError> {
    let primary = primary_header(from)?;
    let all = hdus(from)?;
    let mut tables = Vec::new();
    for hdu in all.iter().filter(|h| matches!(h.kind, HduKind::BinaryTable { .. })) {
        let mut table = read_table(from, HduSelect::Index(hdu.index))?;
        change(&mut table)?;
        tables.push(table);
    }
    if tables.is_empty() {
        return Err(unexpected(from, "a table"));
    }
    let hdus: Vec<HduToWrite> = std::iter::once(HduToWrite::Empty(&primary)).chain(tables.iter().map(HduToWrite::Table)).collect();
    let written = write_product(to, &hdus)?;
    Ok((written.hash, written.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ifured_core::Header;

    fn table(name: &str) -> Table {
        let mut header = Header::new();
        header.set("EXTNAME", name, "");
        let mut table = Table::new(header, 4);
        table.push("name", "", ["OH 8-3", "[OI] 5577", "O2 0-1", "NaI"].map(str::to_owned).to_vec().into());
        table.push("flux", "erg", vec![1.0f64, 2.0, 3.0, 4.0].into());
        table
    }

    #[test]
    fn molecules_stay_as_they_are_and_a_continuum_is_set_to_zero() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("SKY_LINES.fits");
        let mut primary = Header::new();
        primary.set("IFURED TASK", "kept", "");
        write_product(&path, &[HduToWrite::Empty(&primary), HduToWrite::Table(&table("LINES"))]).unwrap();
        let (hash, bytes) = keep_molecules(&path).unwrap();
        assert_eq!((hash, bytes), (ifured_pixels::fits::hash_of_file(&path).unwrap(), std::fs::metadata(&path).unwrap().len()));
        let read = read_table(&path, HduSelect::name("LINES")).unwrap();
        assert_eq!(read.rows, 2);
        assert!(matches!(&read.column("flux").unwrap().data, ColumnData::F64(c) if c.row(1) == Some(&[3.0])));
        assert_eq!(primary_header(&path).unwrap().text("IFURED TASK"), Ok("kept"));
        let zero = directory.path().join("zero.fits");
        without_flux(&path, &zero).unwrap();
        let read = read_table(&zero, HduSelect::name("LINES")).unwrap();
        assert!(matches!(&read.column("flux").unwrap().data, ColumnData::F64(c) if (0..2).all(|r| c.row(r) == Some(&[0.0]))));
    }
}
