//! Text with a line of names and separators: commas, semicolons, tabs, bars or blanks; lines that begin with `#` are comments, unless
//! the names are in the last of them.

use super::Numbers;

/// The columns of a text; `Err` says why it is none.
pub(super) fn columns(bytes: &[u8]) -> Result<Vec<Numbers>, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()).peekable();
    let mut names_in_comment = None;
    while let Some(comment) = lines.next_if(|l| l.starts_with('#')) {
        names_in_comment = Some(comment.trim_start_matches('#').trim());
    }
    let first = *lines.peek().ok_or("it has no rows")?;
    let separator = [',', ';', '\t', '|'].into_iter().find(|s| first.contains(*s));
    let has_names = first.chars().any(|c| c.is_alphabetic()) && cells(first, separator)?.iter().all(|c| c.parse::<f64>().is_err());
    let names = match (has_names, names_in_comment) {
        (true, _) => cells(lines.next().unwrap_or_default(), separator)?,
        (false, Some(comment)) => cells(comment, separator)?,
        (false, None) => return Err("its first line has no names of columns, such as ra,dec,mag".into()),
    };
    let mut columns: Vec<Numbers> = names.into_iter().map(|name| Numbers { name, unit: String::new(), values: Vec::new() }).collect();
    for line in lines.filter(|l| !l.starts_with('#')) {
        let row = cells(line, separator)?;
        for (n, column) in columns.iter_mut().enumerate() {
            column.values.push(row.get(n).and_then(|c| c.parse().ok()).unwrap_or(f64::NAN));
        }
    }
    Ok(columns)
}

fn cells(line: &str, separator: Option<char>) -> Result<Vec<String>, String> {
    let Some(separator) = separator else { return Ok(line.split_whitespace().map(str::to_owned).collect()) };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).delimiter(separator as u8).trim(csv::Trim::All).from_reader(line.as_bytes());
    match reader.records().next() {
        Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
        Some(Err(e)) => Err(e.to_string()),
        None => Ok(Vec::new()),
    }
}
