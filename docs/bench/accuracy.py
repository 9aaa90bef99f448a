#!/usr/bin/env python3
"""Compare the CAFOS imaging products of a directory with the truth they were simulated from.

  accuracy.py WORK TRUTH --json OUT

WORK has bias/, flat-imaging/ and science-imaging/ with one directory a night, as both filabres and ifured write them.
Data are in the primary HDU; where there are extensions STAT (variance) and DQ (quality bits) the pulls
(data - truth) / sqrt(STAT) and the cosmic rays are examined too. Only frames of the full window count.
"""
import argparse
import glob
import json
import os
import sys

import numpy as np
from astropy.io import fits
from astropy.table import Table

COSMIC_RAY = 1 << 4
SATURATED = (1 << 11) | (1 << 12)


def robust(values):
    """Median and 0.7413 times the interquartile range."""
    q = np.percentile(values, [25, 50, 75])
    return float(q[1]), float(0.7413 * (q[2] - q[0]))


def spread(values):
    """Pulls: median, robust and plain standard deviation, how many."""
    median, sigma = robust(values)
    return dict(median=median, robust=sigma, plain=float(np.std(values)), pixels=int(values.size))


class Product:
    def __init__(self, path):
        self.path, self.name, self.night = path, os.path.basename(path), os.path.basename(os.path.dirname(path))
        with fits.open(path) as hdus:
            self.header, self.data = hdus[0].header, hdus[0].data
            names = [h.name for h in hdus]
            self.stat = hdus['STAT'].data if 'STAT' in names else None
            self.quality = hdus['DQ'].data.astype(np.int64) & 0xFFFFFFFF if 'DQ' in names else None

    def pulls(self, truth, select):
        """Pulls of good pixels, if the product has errors."""
        if self.stat is None:
            return None
        good = select & (self.quality == 0) & np.isfinite(self.data) & (self.stat > 0)
        return spread((self.data[good] - truth[good]) / np.sqrt(self.stat[good]))


class Truth:
    def __init__(self, directory):
        self.directory = directory
        with open(self.path('truth.json')) as f:
            self.all = json.load(f)
        self.useful = fits.getdata(self.path('useful.fits')).astype(bool)
        self.bad = fits.getdata(self.path('badpix.fits')) > 0
        self.frames = {(r['night'], r['file']): r for r in self.all['frames']}
        self.sigma = self.all['fwhm_pix'] / 2.3548

    def path(self, name):
        return os.path.join(self.directory, name)

    def response(self, filter_id):
        path = self.path(f'response_{filter_id.replace(" ", "")}.fits')
        return fits.getdata(path) if os.path.exists(path) else None

    def scene(self, record, stars):
        """Sky and stars without noise, as the generator draws them: Gaussians sampled at pixel centres."""
        rows, columns = self.useful.shape
        scene = np.full((rows, columns), float(record['sky']))
        s, half = self.sigma, int(np.ceil(7 * self.sigma))
        for x, y, flux in zip(stars['x'] - 1, stars['y'] - 1, stars['flux']):
            x0, x1 = max(0, int(x) - half), min(columns, int(x) + half + 1)
            y0, y1 = max(0, int(y) - half), min(rows, int(y) + half + 1)
            if x0 < x1 and y0 < y1:
                gx = np.exp(-0.5 * ((np.arange(x0, x1) - x) / s) ** 2)
                gy = np.exp(-0.5 * ((np.arange(y0, y1) - y) / s) ** 2)
                scene[y0:y1, x0:x1] += flux / (2 * np.pi * s * s) * np.outer(gy, gx)
        return scene


def products(work, kind, shape):
    for path in sorted(glob.glob(os.path.join(work, kind, '*', '*_red.fits'))):
        product = Product(path)
        if product.data is not None and product.data.shape == shape:
            yield product


def judge_bias(product, truth):
    # A copy of a frame in another night belongs to the night it was taken in.
    raw = product.name[len('bias_'):-len('_red.fits')] + '.fits'
    nights = [n for (n, f), r in truth.frames.items() if f == raw and r.get('odd') != 'duplicate']
    reference = fits.getdata(truth.path(f'bias_{nights[0] if nights else product.night}.fits'))
    median, sigma = robust((product.data - reference)[~truth.bad])
    # The level of the master is the mean of drifting levels: its error is common to all pixels and no part of their variance.
    return dict(median_error_adu=median, sigma_adu=sigma, pulls=product.pulls(reference + median, ~truth.bad))


def judge_flat(product, truth):
    response = truth.response(product.header['INSFLID'])
    mask_path = product.path.replace('_red.fits', '_mask.fits')
    if response is None or not os.path.exists(mask_path):
        sys.exit(f'accuracy.py: no truth or no mask for {product.path}')
    mask = fits.getdata(mask_path)
    select = truth.useful & (mask > 0) & ~truth.bad
    median, sigma = robust(product.data[select] / response[select])
    return dict(filter=product.header['INSFLID'], median_ratio=median, relative_sigma=sigma / median,
                kept_of_useful=float((mask[truth.useful] > 0).mean()), mask_outside=int((mask[~truth.useful] > 0).sum()),
                mask_not_binary=int(((mask > 0) & (mask < 1)).sum()), pulls=product.pulls(response * median, select))


def star_errors(product, truth, stars):
    """Relative errors of aperture fluxes (7 pixels, annulus 10 to 17) of lone, unsaturated stars inside the field."""
    rows, columns = truth.useful.shape
    yy, xx = np.mgrid[0:rows, 0:columns]
    x, y, flux = (np.asarray(stars[k], float) for k in ('x', 'y', 'flux'))
    x, y = x - 1, y - 1
    peak = flux / (2 * np.pi * truth.sigma ** 2)
    errors = []
    inside = (x > 20) & (x < columns - 21) & (y > 20) & (y < rows - 21) & (peak >= 600) & (peak <= 40000)
    for k in np.flatnonzero(inside):
        cut = slice(int(y[k]) - 18, int(y[k]) + 19), slice(int(x[k]) - 18, int(x[k]) + 19)
        if not truth.useful[cut].all() or truth.bad[cut].any() or (np.hypot(x - x[k], y - y[k]) < 24).sum() > 1:
            continue
        r = np.hypot(xx[cut] - x[k], yy[cut] - y[k])
        aperture, ring = r < 7, (r > 10) & (r < 17)
        total = product.data[cut][aperture].sum() - np.median(product.data[cut][ring]) * aperture.sum()
        errors.append(total / flux[k] - 1)
    return np.array(errors)


def judge_cosmics(product, record, truth):
    """Injected hit pixels found; clean pixels touched, beside a hit and away from any."""
    hit = np.zeros(truth.useful.shape, bool)
    for x, y in record['cosmics']:
        hit[y - 1, x - 1] = True
    beside = np.zeros_like(hit)
    for y, x in zip(*np.nonzero(hit)):
        beside[max(0, y - 1):y + 2, max(0, x - 1):x + 2] = True
    beside &= ~hit
    field = truth.useful & ~truth.bad
    found = (product.quality & COSMIC_RAY) != 0
    saturated = (product.quality & SATURATED) != 0
    clean = field & ~hit & ~beside
    return dict(injected=int((field & hit).sum()), found=int((field & hit & found).sum()),
                saturated_not_searched=int((field & hit & saturated & ~found).sum()),
                beside=int((field & beside & found).sum()), clean_touched=int((clean & found).sum()), clean=int(clean.sum()))


def judge_science(product, record, truth):
    select = truth.useful & ~truth.bad & (product.data != 0) & np.isfinite(product.data)
    median, _ = robust(product.data[select])
    row = dict(frame=record['file'], odd=record.get('odd'), filter=record.get('insflid'), sky_adu=median, sky_truth_adu=record['sky'],
               sky_error_percent=100 * (median / record['sky'] - 1), wild_pixels=int((np.abs(product.data[np.isfinite(product.data)]) > 1e5).sum()))
    if 'phot' not in record:
        return row
    stars = Table.read(truth.path(record['phot']))
    errors = star_errors(product, truth, stars)
    if errors.size:
        m, s = robust(errors)
        row.update(stars=int(errors.size), star_flux_error_percent=100 * m, star_flux_scatter_percent=100 * s,
                   star_flux_errors_percent=[round(100 * e, 5) for e in errors])
    scene = truth.scene(record, stars)
    starless = select & (scene - record['sky'] < 0.05)
    row['starless_sky_error_percent'] = 100 * (robust(product.data[starless])[0] / record['sky'] - 1)
    if product.stat is not None:
        on_sky = select & (scene - record['sky'] < 1)
        # The drift of the bias moves the whole sky: its error is common to all pixels and no part of their variance.
        row['pulls_sky'] = product.pulls(scene + robust((product.data - scene)[on_sky])[0], on_sky)
        row['pulls_all'] = product.pulls(scene, select)
        if 'cosmics' in record:
            row['cosmics'] = judge_cosmics(product, record, truth)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work')
    parser.add_argument('truth')
    parser.add_argument('--json', required=True)
    a = parser.parse_args()
    for path in (a.work, a.truth):
        if not os.path.isdir(path):
            sys.exit(f'accuracy.py: {path} is no directory')
    truth = Truth(a.truth)
    shape = truth.useful.shape
    out = dict(bias=[], flat=[], science=[])
    for p in products(a.work, 'bias', shape):
        out['bias'].append(dict(product=p.name, night=p.night, **judge_bias(p, truth)))
    for p in products(a.work, 'flat-imaging', shape):
        out['flat'].append(dict(product=p.name, night=p.night, **judge_flat(p, truth)))
    for p in products(a.work, 'science-imaging', shape):
        raw = p.name[len('science-imaging_'):-len('_red.fits')] + '.fits'
        record = truth.frames.get((p.night, raw))
        if record is not None and 'sky' in record:
            out['science'].append(dict(product=p.name, night=p.night, **judge_science(p, record, truth)))
    empty = [kind for kind, rows in out.items() if not rows]
    if empty:
        sys.exit(f'accuracy.py: no products of {", ".join(empty)} in {a.work}')
    with open(a.json, 'w') as f:
        json.dump(out, f, indent=1)


if __name__ == '__main__':
    main()
