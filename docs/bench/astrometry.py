#!/usr/bin/env python3
"""World coordinates and star fluxes of ifured against the truth of simulated nights, and against solve-field.

  docs/bench/astrometry.py [SEED ...]        seeds of the nights (11 12 13)

Environment:
  IFURED_SHARED   directory with peers/make_cafos.py                  (../shared)
  IFURED          the program                                        (target/release/ifured)
  BENCH_CACHE     simulated data and work directories                 (target/bench)
  BENCH_OUT       page whose section is written anew                  (docs/benchmarks.md)

Needs numpy and astropy; solve-field, build-astrometry-index and image2xy (astrometry.net) for the independent witness, which is left out
without them. The true error is the distance between where astropy's WCS of a product has a star and where the simulation put it.
"""
import datetime
import json
import os
import resource
import shutil
import subprocess
import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import journal
from page import replace_section

warnings.simplefilter('ignore')
SHARED = os.environ.get('IFURED_SHARED', '../shared')
IFURED = os.path.abspath(os.environ.get('IFURED', 'target/release/ifured'))
CACHE = os.path.abspath(os.path.join(os.environ.get('BENCH_CACHE', 'target/bench'), 'astrometry'))
OUT = os.environ.get('BENCH_OUT', 'docs/benchmarks.md')
TITLE = '## Astrometry and photometry'
SIZES = (1650, 512)
FILABRES_CPU = 39.4      # CPU s of its whole chain on one solved frame of 1650 pixels (solve-field and SCAMP), measured with run_filabres.sh
QUALITY = {'EXTERNAL': 'WCS EXTERNAL', 'ERROR': 'WCS ERROR', 'ZP': 'ZERO POINT', 'SEEING': 'SEEING', 'LIMIT': 'LIM MAG'}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(command, log, allowed=(0,), **options):
    with open(log, 'w') as f:
        code = subprocess.run(command, stdout=f, stderr=subprocess.STDOUT, **options).returncode
    if code not in allowed:
        sys.exit(f'astrometry.py: {command[0]} ended with exit code {code}: see {log}')
    return code


def simulate(seed, size):
    data = os.path.join(CACHE, f'data{size}_{seed}')
    if not os.path.exists(data + '.done'):
        shutil.rmtree(data, ignore_errors=True)
        os.makedirs(CACHE, exist_ok=True)
        run([sys.executable, os.path.join(SHARED, 'peers/make_cafos.py'), '--out', data, '--seed', str(seed), '--nights', '1', '--nx', str(size), '--ny',
             str(size), '--nbias', '3', '--nflat', '2', '--nsky', '2', '--filters', '1', '--nscience', '3', '--fields', '1', '--no-bad'], data + '.log')
        open(data + '.done', 'w').close()
    return data


def moving_catalogue(truth, seed, path):
    """The catalogue of a night as it was in 2005, with proper motions of some 200 mas a year."""
    stars = Table.read(os.path.join(truth, 'gaia_F01.fits'))
    rng = np.random.default_rng(seed)
    mjd = next(f for f in json.load(open(os.path.join(truth, 'truth.json')))['frames'] if 'wcs' in f)
    when = datetime.datetime.strptime(mjd['file'][4:21], '%Y%m%d-%H:%M:%S')
    years = 2000 + (when - datetime.datetime(2000, 1, 1, 12)).total_seconds() / 86400 / 365.25 - 2005
    stars['pmra'], stars['pmdec'] = rng.normal(0, 200, (2, len(stars)))
    dec = np.asarray(stars['dec'])
    stars['ra'] -= stars['pmra'] * years / 3.6e6 / np.cos(np.radians(dec))
    stars['dec'] = dec - stars['pmdec'] * years / 3.6e6
    stars['ref_epoch'] = np.full(len(stars), 2005.0)
    stars.write(path, overwrite=True)
    return path


def reduce(data, work, catalogue):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    run([IFURED, '--instrument', 'cafos', '--output', work, '--set', f'recipes.astrometry.catalogue={catalogue}', 'reduce',
         os.path.join(data, 'raw')], work + '.log', allowed=(0, 1))
    records = journal.by_recipe(journal.attempts(work)).get('astrometry', [])
    return [(r['cost']['cpu_seconds'], r['cost']['seconds']) for r in records]


def products(work, recipe):
    root = os.path.join(work, recipe)
    found = [os.path.join(d, f) for d, _, files in os.walk(root) for f in files if f.endswith('.fits')]
    return sorted(found)


class Truth:
    def __init__(self, data):
        self.directory = os.path.join(data, 'truth')
        self.frames = {f['file'][:-5]: f for f in json.load(open(os.path.join(self.directory, 'truth.json')))['frames'] if 'phot' in f}
        self.stars = Table.read(os.path.join(self.directory, 'stars_F01.fits'))
        self.useful = fits.getdata(os.path.join(self.directory, 'useful.fits')) > 0

    def frame(self, path):
        return next(f for stem, f in self.frames.items() if stem in os.path.basename(path))

    def positions(self, path):
        """Right ascension, declination, x, y (from 1), flux of the stars in the lit field."""
        phot = Table.read(os.path.join(self.directory, self.frame(path)['phot']))
        rows, columns = self.useful.shape
        x, y = np.asarray(phot['x']), np.asarray(phot['y'])
        inside = (x > 1) & (x < columns) & (y > 1) & (y < rows)
        inside[inside] = self.useful[y[inside].astype(int) - 1, x[inside].astype(int) - 1]
        ids = np.asarray(phot['id'])[inside]
        return np.asarray(self.stars['ra'])[ids], np.asarray(self.stars['dec'])[ids], x[inside], y[inside], np.asarray(phot['flux'])[inside]


def wcs_error(header, truth, path):
    ra, dec, x, y, _ = truth.positions(path)
    a, b = WCS(header).all_world2pix(ra, dec, 1)
    distance = np.hypot(a - x, b - y)
    return float(np.sqrt(np.mean(distance ** 2))), float(distance.max())


def quality(header):
    numbers = {}
    for n in range(1, 99):
        name = header.get(f'IFURED QC{n} NAME')
        if name is None:
            break
        numbers[name] = (header.get(f'IFURED QC{n} VALUE'), header.get(f'IFURED QC{n} ERROR'))
    return numbers


def robust(values):
    m = np.median(values)
    return float(m), float(1.4826 * np.median(np.abs(values - m)))


def photometry(path, truth):
    _, _, x, y, flux = truth.positions(path)
    table = Table.read(path, hdu='SOURCES')
    table = table[np.asarray(table['FLAGS']) == 0]
    pulls, bright = [], []
    for row in table:
        d = np.hypot(x - row['X'], y - row['Y'])
        k = int(d.argmin())
        # A second star that the simulation put on top of it is one source.
        if d[k] < 1 and (np.hypot(x - x[k], y - y[k]) < 6).sum() == 1:
            pulls.append((row['FLUX'] - flux[k]) / row['FLUX_ERR'])
            if row['FLUX'] > 100 * row['FLUX_ERR']:
                bright.append(row['FLUX'] / flux[k] - 1)
    return np.array(pulls), np.array(bright)


def variants(path, truth, catalogue, work):
    """The same image with a header that is wrong."""
    def turned(h, degrees):
        s, c = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        cd = np.array([[h['CD1_1'], h['CD1_2']], [h['CD2_1'], h['CD2_2']]]) @ np.array([[c, -s], [s, c]])
        h['CD1_1'], h['CD1_2'], h['CD2_1'], h['CD2_2'] = cd.ravel()

    def times(h, factor, keys):
        for k in keys:
            h[k] *= factor

    all_keys = ('CD1_1', 'CD1_2', 'CD2_1', 'CD2_2')
    changes = {'flipped': lambda h: times(h, -1, ('CD1_1', 'CD2_1')), 'turned by 137 degrees': lambda h: turned(h, 137),
               'scale 20 % too large': lambda h: times(h, 1.2, all_keys), 'scale 17 % too small': lambda h: times(h, 1 / 1.2, all_keys),
               'pointing 150 arcsec off': lambda h: h.set('CRVAL2', h['CRVAL2'] + 150 / 3600),
               'all at once': lambda h: (times(h, -1, ('CD1_1', 'CD2_1')), turned(h, 71), times(h, 1.18, all_keys), h.set('CRVAL2', h['CRVAL2'] - 0.03))}
    errors = {}
    for n, (name, change) in enumerate(changes.items()):
        here = os.path.join(work, f'variant{n}')
        os.makedirs(here, exist_ok=True)
        copy = os.path.join(here, os.path.basename(path))
        with fits.open(path) as f:
            change(f[0].header)
            f.writeto(copy, overwrite=True, checksum=True)
        code = run([IFURED, '--instrument', 'cafos', '--output', here, '--set', f'recipes.astrometry.catalogue={catalogue}', 'recipe', 'run', 'astrometry', copy],
                   os.path.join(here, 'log'), allowed=(0, 1))
        solved = [os.path.join(here, f) for f in os.listdir(here) if f.startswith('astrometry_')] if code == 0 else []
        errors[name] = wcs_error(fits.getheader(solved[0]), truth, path) if solved else None
    return errors


def witness(path, truth, catalogue, work):
    """solve-field with an index of the same catalogue: error and CPU seconds, of the index and of the image."""
    if not all(shutil.which(p) for p in ('solve-field', 'build-astrometry-index')):
        return None
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    image = os.path.join(work, 'image.fits')
    fits.PrimaryHDU(fits.getdata(path), fits.Header()).writeto(image)
    header = fits.getheader(path)
    before = cpu()
    for n, preset in enumerate((2, 3, 1, 0, 4, 5, 6)):
        index = os.path.join(work, f'index{preset}.fits')
        start = cpu()
        run(['build-astrometry-index', '-i', catalogue, '-o', index, '-A', 'ra', '-D', 'dec', '-S', 'phot_g_mean_mag', '-P', str(preset), '-E', '-I',
             str(1000 + n)], os.path.join(work, f'index{preset}.log'), allowed=range(256), cwd=work)
        built = cpu()
        config = os.path.join(work, 'config')
        with open(config, 'w') as f:
            f.write(f'add_path {work}\nindex {os.path.basename(index)}\n')
        run(['solve-field', '-p', '--config', config, '--overwrite', '--ra', str(header['CRVAL1']), '--dec', str(header['CRVAL2']), '--radius', '0.15', '-D',
             work, '--tweak-order', '2', '--cpulimit', '120', image], os.path.join(work, f'solve{preset}.log'), allowed=range(256))
        solution = os.path.join(work, 'image.wcs')
        if os.path.exists(solution):
            rms, largest = wcs_error(fits.getheader(solution), truth, path)
            return dict(rms=rms, largest=largest, index_cpu=built - start, solve_cpu=cpu() - built, all_cpu=cpu() - before, preset=preset)
    return dict(rms=None, largest=None, index_cpu=None, solve_cpu=None, all_cpu=cpu() - before, preset=None)


def night(seed, size):
    data = simulate(seed, size)
    truth = Truth(data)
    work = os.path.join(CACHE, f'work{size}_{seed}')
    catalogue = moving_catalogue(truth.directory, seed, os.path.join(CACHE, f'catalogue{size}_{seed}.fits'))
    costs = reduce(data, work, catalogue)
    reduced = products(work, 'science-imaging')
    result = dict(seed=seed, size=size, frames=len(reduced), costs=costs, solved=[], pulls=[], bright=[])
    for path in products(work, 'astrometry'):
        header = fits.getheader(path)
        rms, largest = wcs_error(header, truth, path)
        numbers = quality(header)
        pulls, bright = photometry(path, truth)
        result['pulls'] += pulls.tolist()
        result['bright'] += bright.tolist()
        result['solved'].append(dict(rms=rms, largest=largest, **{k: numbers.get(name, (None, None)) for k, name in QUALITY.items()}))
    result['variants'] = variants(reduced[0], truth, catalogue, work)
    result['witness'] = witness(reduced[0], truth, os.path.join(truth.directory, 'gaia_F01.fits'), work + '_witness')
    return result


def table(head, rows):
    return '\n'.join(['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)] + ['| ' + ' | '.join(str(c) for c in r) + ' |' for r in rows])


def section(results):
    solved, cost, phot = [], [], []
    for r in results:
        s, n = r['solved'], f"{r['size']}, seed {r['seed']}"
        if s:
            solved.append([n, f"{len(s)} of {r['frames']}", f"{max(x['rms'] for x in s):.4f}", f"{max(x['largest'] for x in s):.4f}",
                           f"{np.median([x['ERROR'][0] for x in s]):.4f}", f"{np.median([x['EXTERNAL'][0] for x in s]):.4f}"])
        w = r['witness']
        mine = f"{np.median([c[0] for c in r['costs']]):.2f}" if r['costs'] else '-'
        if w is None:
            other = ['not installed'] * 3
        elif w['rms'] is None:
            other = ['not solved', f"{w['all_cpu']:.1f}", '-']
        else:
            other = [f"{w['rms']:.4f}", f"{w['index_cpu']:.1f} + {w['solve_cpu']:.1f}", f"{w['largest']:.3f}"]
        cost.append([n, mine, f"{s[0]['rms']:.4f}" if s else 'not solved', other[1], other[0], other[2]])
        if r['pulls']:
            m, width = robust(np.array(r['pulls']))
            b, _ = robust(np.array(r['bright'])) if r['bright'] else (np.nan, 0)
            zero = ', '.join(f"{(x['ZP'][0] - 23.5) / x['ZP'][1]:+.1f}" for x in s if x['ZP'][0] and x['ZP'][1])
            phot.append([n, len(r['pulls']), f'{width:.3f}', f'{m:+.3f}', f'{100 * b:+.3f}', zero, f"{np.median([x['LIMIT'][0] for x in s if x['LIMIT'][0]]):.2f}"])
    names = list(results[0]['variants'])
    wrong = [[f"{r['size']}, seed {r['seed']}"] + [f"{r['variants'][k][0]:.4f}" if r['variants'][k] else 'not solved' for k in names] for r in results]
    model = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), 'unknown')
    version = subprocess.run([IFURED, '--version'], capture_output=True, text=True).stdout.strip()
    return '\n'.join([
        TITLE, '', f"*Written by `docs/bench/astrometry.py` on {datetime.date.today()}, {model}, {os.cpu_count()} cores, {version}.*", '',
        'Nights of `make_cafos.py`, three images each, frames of 1650 x 1650 and windows of 512 x 512 pixels. The catalogue is that of the simulation moved back to 2005 with '
        'proper motions of 200 mas a year (sigma of each component). The true error is the distance between where astropy\'s WCS of the product has a star and '
        'where it was put, over all stars of the lit field.', '',
        '### World coordinates', '',
        table(['night', 'solved', 'true error, pixels, rms (worst frame)', 'largest', 'stated `WCS ERROR`', '`WCS EXTERNAL`'], solved), '',
        '### The same image with a wrong header: true error, pixels, rms', '', table(['night'] + names, wrong), '',
        '### Beside solve-field', '',
        f'solve-field (astrometry.net, Debian) gets the reduced image and an index of the catalogue without proper motions, as filabres gives it; its CPU seconds are index + image. The whole chain of filabres, with SCAMP, took {FILABRES_CPU} CPU s '
        'for a solved frame of 1650 pixels. ifured: CPU seconds of the task (reading, stars, match, fit, photometry, writing), median of three frames.', '',
        table(['night', 'ifured, CPU s', 'true error, pixels', 'solve-field, CPU s', 'true error, pixels', 'largest'], cost), '',
        '### Fluxes in apertures', '',
        'Stars without flag of the table `SOURCES` against the fluxes that were put in: robust width and median of the pulls, median relative error of stars of signal to noise above 100, '
        'and for each image (zero point - 23.5) / its error.', '',
        table(['night', 'stars', 'width of pulls', 'median', 'bright stars, %', 'pulls of the zero point', '`LIM MAG`'], phot), ''])


def main():
    seeds = [int(s) for s in sys.argv[1:]] or [11, 12, 13]
    results = [night(seed, size) for size in SIZES for seed in seeds]
    text = section(results)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, 'astrometry.json'), 'w') as f:
        json.dump(results, f, indent=1)
    with open(os.path.join(CACHE, 'astrometry.md'), 'w') as f:
        f.write(text)
    replace_section(OUT, TITLE, text)
    print(text)


if __name__ == '__main__':
    main()
