//! Catalogues of each format, good and broken, and the motion of stars.

use std::io::Write;

use base64::Engine;
use ifured_core::Header;

use super::*;
use crate::fits::{HduToWrite, Table, write_product};

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn read(bytes: &[u8]) -> Result<Catalogue, CatalogueError> {
    let (_directory, path) = written("catalogue", bytes);
    Catalogue::read(&path)
}

fn binary2() -> String {
    let mut data = Vec::new();
    for (id, ra, dec, mag) in [("a", 10.5, -20.25, Some(15.5f32)), ("bcd", 10.75, -20.5, None)] {
        data.push(if mag.is_none() { 0b0001_0000 } else { 0 });
        data.extend((id.len() as u32).to_be_bytes());
        data.extend(id.as_bytes());
        data.extend(f64::to_be_bytes(ra));
        data.extend(f64::to_be_bytes(dec));
        data.extend(mag.unwrap_or(0.0).to_be_bytes());
    }
    let stream = base64::engine::general_purpose::STANDARD.encode(data);
    format!(
        "<?xml version='1.0'?><VOTABLE xmlns='http://www.ivoa.net/xml/VOTable/v1.3'><RESOURCE><TABLE>\
         <FIELD name='designation' datatype='char' arraysize='*'/><FIELD name='ra' datatype='double' unit='deg'/>\
         <FIELD name='dec' datatype='double' unit='deg'><DESCRIPTION>text</DESCRIPTION></FIELD><FIELD name='phot_g_mean_mag' datatype='float'/>\
         <DATA><BINARY2><STREAM encoding='base64'>\n{stream}\n</STREAM></BINARY2></DATA></TABLE></RESOURCE></VOTABLE>"
    )
}

const TABLEDATA: &str = "<VOTABLE><RESOURCE><TABLE><FIELD name='Source' datatype='long'/><FIELD name='RA_ICRS' datatype='double' unit='deg'/>\
    <FIELD name='DE_ICRS' datatype='double' unit='deg'/><FIELD name='Gmag' datatype='float'/><DATA><TABLEDATA>\
    <TR><TD>1</TD><TD>10.5</TD><TD>-20.25</TD><TD>15.5</TD></TR><TR><TD>2</TD><TD>10.75</TD><TD>-20.5</TD><TD/></TR>\
    </TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>";

fn fits() -> Vec<u8> {
    let mut table = Table::new(Header::new(), 2);
    table.push("source_id", "", vec![1i64, 2].into());
    table.push("ra", "deg", vec![10.5, 10.75].into());
    table.push("dec", "deg", vec![-20.25, -20.5].into());
    table.push("phot_g_mean_mag", "mag", vec![15.5f32, f32::NAN].into());
    let (_directory, path) = written("empty", b"");
    write_product(&path, &[HduToWrite::Empty(&Header::new()), HduToWrite::Table(&table)]).unwrap();
    std::fs::read(&path).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn every_format_has_the_same_stars() {
    let same: Vec<(&str, Vec<u8>)> = vec![
        ("comma", b"source_id,ra,dec,phot_g_mean_mag\n1,10.5,-20.25,15.5\n2,10.75,-20.5,\n".to_vec()),
        ("blanks", b"# own list\n# RA DEC mag\n10.5 -20.25 15.5\n10.75 -20.5 none\n# end\n".to_vec()),
        ("tabs", b"RAJ2000\tDEJ2000\tGmag\n10.5\t-20.25\t15.5\n10.75\t-20.5\tnull\n".to_vec()),
        ("quotes", b"\"name\",\"ra\",\"dec\",\"mag\"\n\"a, b\",10.5,-20.25,15.5\n\"c\",10.75,-20.5,\"\"\n".to_vec()),
        ("tabledata", TABLEDATA.into()),
        ("binary2", binary2().into()),
        ("fits", fits()),
        ("packed", gzip(binary2().as_bytes())),
        ("packed fits", gzip(&fits())),
    ];
    for (format, bytes) in same {
        let found = read(&bytes).unwrap_or_else(|e| panic!("{format}: {e}"));
        assert_eq!(found.stars.len(), 2, "{format}");
        assert_eq!((found.stars[0].ra, found.stars[0].dec, found.stars[0].magnitude), (10.5, -20.25, 15.5), "{format}");
        assert_eq!((found.stars[1].ra, found.stars[1].dec), (10.75, -20.5), "{format}");
        assert!(found.stars[1].magnitude.is_nan() && !found.band.is_empty(), "{format}");
    }
}

#[test]
fn what_is_no_catalogue_says_why() {
    for (bytes, words) in [
        (&b""[..], "no rows"),
        (b"1,2,3\n4,5,6\n", "names of columns"),
        (b"x,y\n1,2\n", "right ascension"),
        (b"ra,y\n1,2\n", "declination"),
        (b"<VOTABLE><RESOURCE/></VOTABLE>", "no table"),
        (b"<VOTABLE><RESOURCE></TABLE>", "no VOTable"),
        (TABLEDATA.replace("unit='deg'", "unit='rad'").as_bytes(), "degrees"),
        (binary2().replace("BINARY2", "BINARY").as_bytes(), "end within"),
        (b"SIMPLE  =                    T", ""),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(Catalogue::read(Path::new("/nowhere")).unwrap_err().to_string().contains("/nowhere"));
}

#[test]
fn stars_move_and_the_brightest_is_first() {
    // Barnard's star, from 2000.0 (Hipparcos, J1991.25 brought forward) to 2016.0 (Gaia DR3); parallax is 0.5 arcsec.
    let list = "ra,dec,pmra,pmdec,mag,ref_epoch\n269.45207511,4.69339088,-798.58,10328.12,9.5,2000\n269.5,4.7,,,8.0,2000\n269.5,4.71,,,,\n90,0,0,0,1,2000\n";
    let places = read(list.as_bytes()).unwrap().at(2016.0, 2016.0, (269.45, 4.7), 0.5);
    assert_eq!(places.len(), 3);
    assert!(places[0].magnitude == 8.0 && places[2].magnitude.is_nan());
    assert!((places[1].ra - 269.448_502_5).abs() * 3600.0 < 0.5 && (places[1].dec - 4.739_420_1).abs() * 3600.0 < 0.5, "{places:?}");
    let exact = 4.693_390_88 + 16.0 * 10.328_12 / 3600.0;
    assert!((places[1].dec - exact).abs() * 3600.0 < 0.001);
}
