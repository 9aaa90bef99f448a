//! Products as other programs see them, and that the same inputs give the same bytes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ifured_tests::{Scenario, assert_same_products, copy, products};

fn paths(s: &Scenario) -> Vec<PathBuf> {
    products(&s.join("out")).keys().map(|k| s.join("out").join(k)).collect()
}

fn reduced(more: &[&str]) -> Scenario {
    let s = Scenario::new();
    s.simulate(more);
    s.ifured(&["-i", "cafos", "-o", "out", "reduce", "night/raw"]).code(0);
    s
}

#[test]
fn fitsverify_finds_no_error_and_no_warning() {
    let s = reduced(&[]);
    for path in paths(&s) {
        let ran = Command::new("fitsverify").arg("-q").arg(&path).output().expect("fitsverify is installed (make test does)");
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let clean = text.contains("verification OK");
        let long = || String::from_utf8_lossy(&Command::new("fitsverify").arg(&path).output().unwrap().stdout).into_owned();
        assert!(clean, "{text}\n{}", long());
    }
}

#[test]
fn astropy_reads_data_variance_and_quality() {
    let s = reduced(&[]);
    let script = "
import sys, numpy as np, warnings
warnings.simplefilter('error')
from astropy.io import fits
for path in sys.argv[1:]:
    with fits.open(path, checksum=True) as f:
        f.verify('exception')
        if path.endswith('_mask.fits'):
            assert set(np.unique(f[0].data)) <= {0, 1}, path
            continue
        if f[0].data is None:
            # Spectra and responses are tables.
            from astropy.table import Table
            assert len(f) > 1 and all(len(Table.read(path, hdu=n)) > 0 for n in range(1, len(f))), path
            assert f[0].header['IFURED TASK']
            continue
        data, stat, dq = f[0].data, f['STAT'].data, f['DQ'].data
        assert data.dtype.kind == 'f' and data.dtype.itemsize == 4, path
        assert data.shape == stat.shape == dq.shape and dq.dtype.kind == 'i', path
        good = dq == 0
        assert good.mean() > 0.3, (path, good.mean())
        assert np.isfinite(data[good]).all() and (stat[good] > 0).all(), path
        assert f[0].header['IFURED TASK']
print('read', len(sys.argv) - 1)
";
    let ran = Command::new("/usr/bin/python3").arg("-c").arg(script).args(paths(&s)).output().expect("python3");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn same_bytes_for_any_number_of_threads_and_any_order_of_files() {
    let s = Scenario::new();
    let raw = s.simulate(&[]);
    let mut expected = None;
    for threads in ["1", "2", "7"] {
        let out = format!("out{threads}");
        s.ifured(&["-i", "cafos", "-o", &out, "--threads", threads, "reduce", "night/raw"]).code(0);
        let found = products(&s.join(&out));
        match &expected {
            None => expected = Some(found),
            Some(expected) => assert_same_products(expected, &found),
        }
    }
    // The same night elsewhere, its files created in the opposite order.
    copy(&raw, &s.join("elsewhere/raw"));
    for night in fs::read_dir(&raw).unwrap().flatten() {
        let target = s.join("elsewhere/raw").join(night.file_name());
        let mut names: Vec<_> = fs::read_dir(night.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        names.sort();
        for name in names.iter().rev() {
            fs::remove_file(target.join(name)).unwrap();
            fs::copy(night.path().join(name), target.join(name)).unwrap();
        }
    }
    s.ifured(&["-i", "cafos", "-o", "out-elsewhere", "reduce", "elsewhere/raw"]).code(0);
    assert_same_products(&expected.unwrap(), &products(&s.join("out-elsewhere")));
}

#[test]
fn nothing_in_a_product_tells_where_or_when_it_was_made() {
    let s = reduced(&["--size", "128"]);
    for (name, bytes) in products(&s.join("out")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(s.path().to_str().unwrap()), "{name} holds a path of this machine");
    }
}
