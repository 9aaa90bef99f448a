#!/usr/bin/env python3
"""The results of docs/bench/run.sh as a page.

  report.py attempts DIRECTORY OUT          what the tasks of the last run cost, from the journal of an output directory
  report.py sameness OUT DIR DIR...         whether the products of several directories are the same bytes
  report.py page RESULTS OUT --sets 'small nights' --ifured VERSION --commit COMMIT
"""
import argparse
import hashlib
import json
import os
import platform
import statistics
import sys

import journal

STEPS = {'initialize': 'classify', 'bias': 'master bias', 'flat': 'master flat', 'science_noastro': 'science images'}
TITLES = {'small': 'Two nights, 512 x 512 pixels, with odd frames', 'nights': 'Ten nights, 1650 x 1650 pixels'}
SKIPPED = 'not run'
REMARKS = {
    'small': 'The first night also holds odd frames: saturated, faint and mislabelled ones, NaN, another window, a filter without a flat; two of its biases lie '
             'in the second night again. Both programs are given all of them. filabres makes a master of the two copies; ifured leaves copies out. Exit code 1 of '
             'ifured means that some task could not be done or some frame was refused.',
}


# ------------------------------------------------------------------ from journal and products
def attempts(work, out):
    records = journal.of_last_run(work)
    if not records:
        sys.exit(f'report.py: no run in {work} did anything')
    keys = ('seconds', 'cpu_seconds', 'peak_memory', 'bytes_read', 'bytes_written')
    recipes = {recipe: [{k: r['cost'][k] for k in keys} for r in of_it] for recipe, of_it in journal.by_recipe(records).items()}
    with open(out, 'w') as f:
        json.dump(recipes, f, indent=1)


def digest(directory):
    found = {}
    for root, _, names in os.walk(directory):
        for name in names:
            if name.endswith('.fits') and not name.startswith('.'):
                path = os.path.join(root, name)
                with open(path, 'rb') as f:
                    found[os.path.relpath(path, directory)] = hashlib.sha256(f.read()).hexdigest()
    return found


def sameness(out, directories):
    first = digest(directories[0])
    if not first:
        sys.exit(f'report.py: no products in {directories[0]}')
    result = dict(products=len(first), different={})
    for directory in directories[1:]:
        other = digest(directory)
        result['different'][os.path.basename(directory)] = sorted(n for n in first.keys() | other.keys() if first.get(n) != other.get(n))
    with open(out, 'w') as f:
        json.dump(result, f, indent=1)


# ------------------------------------------------------------------ reading results
def load(directory, name):
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        return None
    with open(path) as f:
        return json.load(f)


def must(directory, name):
    found = load(directory, name)
    if found is None:
        sys.exit(f'report.py: {os.path.join(directory, name)} is missing')
    return found


def number(directory, name):
    with open(os.path.join(directory, name)) as f:
        return float(f.read())


def peer(directory):
    """The four steps of filabres that ifured is compared with, and their sum."""
    path = os.path.join(directory, 'filabres.tsv')
    if not os.path.exists(path):
        return None
    with open(path) as f:
        lines = [line.rstrip('\n').split('\t') for line in f][1:]
    steps = {l[0]: dict(wall_s=float(l[1]), cpu_s=float(l[2]) + float(l[3]), peak_mb=float(l[4])) for l in lines if l[0] in STEPS}
    read = written = 0.0
    with open(os.path.join(directory, 'filabres.io')) as f:
        for line in f:
            r = json.loads(line)
            words = r['name'].split()
            if words[0] in ('-rs', '--reduction_step') and words[1] in ('initialize', 'bias', 'flat-imaging', 'science-imaging'):
                read += r['read_mb']
                written += r['written_mb']
    total = dict(wall_s=sum(s['wall_s'] for s in steps.values()), cpu_s=sum(s['cpu_s'] for s in steps.values()),
                 peak_mb=max(s['peak_mb'] for s in steps.values()), read_mb=read, written_mb=written)
    return dict(steps=steps, total=total)


# ------------------------------------------------------------------ the page
def table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    lines += ['| ' + ' | '.join(str(c) for c in row) + ' |' for row in rows]
    return '\n'.join(lines)


def fmt(value, digits=1):
    return SKIPPED if value is None else f'{value:,.{digits}f}'


def cost(directory):
    """Processor time, wall time, memory, bytes."""
    theirs = peer(directory)
    total = theirs['total'] if theirs else None
    rows = []
    if total:
        rows.append(['filabres, 4 steps', fmt(total['cpu_s']), fmt(total['wall_s']), fmt(total['peak_mb'], 0), '-', fmt(total['read_mb'], 0),
                     fmt(total['written_mb'], 0), ''])
    else:
        rows.append(['filabres, 4 steps'] + [SKIPPED] * 6 + [''])
    for name, title in (('same', 'ifured, the same steps'), ('full', 'ifured, all steps'), ('again', 'ifured, all steps again (nothing to do)'),
                        ('scan', 'ifured, `scan` alone')):
        m = must(directory, f'{name}.json')
        a = load(directory, f'{name}.attempts.json')
        worker = max(t['peak_memory'] for tasks in a.values() for t in tasks) / 1048576 if a else None
        ratio = f"{total['cpu_s'] / m['cpu_s']:.0f} x less" if total and name == 'same' else ''
        rows.append([title, fmt(m['cpu_s'], 2), fmt(m['wall_s'], 2), fmt(worker, 0) if worker else '-', fmt(m['parent_peak_mb'], 0),
                     fmt(m['read_mb'], 0), fmt(m['written_mb'], 0), ratio + (f" (exit code {m['code']})" if m['code'] else '')])
    head = ['', 'CPU s', 'wall s', 'largest worker, MB', 'parent, MB', 'read, MB', 'written, MB', '']
    out = [table(head, rows), '']
    if theirs:
        out += ['filabres by step:', '', table(['step', 'CPU s', 'wall s', 'peak, MB'], [
            [STEPS[k], fmt(s['cpu_s']), fmt(s['wall_s']), fmt(s['peak_mb'], 0)] for k, s in theirs['steps'].items()]), '']
    tasks = must(directory, 'full.attempts.json')
    out += ['ifured by recipe (all steps; workers only):', '', table(
        ['recipe', 'tasks', 'CPU s, sum', 'CPU s, median task', 'largest, MB', 'read, MB', 'written, MB'],
        [[f'`{r}`', len(t), fmt(sum(x['cpu_seconds'] for x in t), 2), fmt(statistics.median(x['cpu_seconds'] for x in t), 2),
          fmt(max(x['peak_memory'] for x in t) / 1048576, 0), fmt(sum(x['bytes_read'] for x in t) / 1e6, 0),
          fmt(sum(x['bytes_written'] for x in t) / 1e6, 0)] for r, t in tasks.items()]), '']
    return out


def scan_speed(directory):
    megabytes = number(directory, 'raw.mb') * 1.048576
    rows = []
    for name, title in (('cat', '`cat` to nowhere'), ('scan', '`ifured scan`: headers, hash, percentiles, catalogue')):
        m = must(directory, f'{name}.json')
        rows.append([title, fmt(m['wall_s'], 2), fmt(m['cpu_s'], 2), fmt(megabytes / m['wall_s'], 0), fmt(megabytes / max(m['cpu_s'], 0.01), 0)])
    return [table(['files in the page cache', 'wall s', 'CPU s', 'MB/s (wall)', 'MB per CPU s'], rows), '']


def cosmics(directory):
    without = must(directory, 'same.attempts.json').get('science-imaging', [])
    with_ = must(directory, 'rays.attempts.json').get('science-imaging', [])
    mean = lambda tasks: statistics.fmean(t['cpu_seconds'] for t in tasks)
    rows = [r['cosmics'] for r in must(directory, 'full.accuracy.json')['science'] if 'cosmics' in r]
    if not rows or not with_ or not without:
        return ['No frame with injected cosmic rays was reduced.', '']
    total = {k: sum(r[k] for r in rows) for k in rows[0]}
    return [table(['', ''], [
        ['CPU seconds per frame for cosmic rays', f'{mean(with_) - mean(without):.3f}'],
        ['frames', len(rows)],
        ['injected hit pixels in the field', total['injected']],
        ['of these found', f"{total['found']} ({100 * total['found'] / max(total['injected'], 1):.2f} %)"],
        ['not searched because saturated', total['saturated_not_searched']],
        ['neighbours of a hit flagged (growth, not counted as false)', total['beside']],
        ['clean pixels flagged', f"{total['clean_touched']} of {total['clean']:,} ({100 * total['clean_touched'] / total['clean']:.5f} %)"],
    ]), '']


def middle(rows, key):
    values = [r[key] for r in rows if r.get(key) is not None]
    return statistics.median(values) if values else None


def extreme(rows, key):
    values = [abs(r[key]) for r in rows if r.get(key) is not None]
    return max(values) if values else None


def accuracy(directory):
    sources = [('filabres', load(directory, 'filabres.accuracy.json')), ('ifured, same steps', must(directory, 'same.accuracy.json')),
               ('ifured, all steps', must(directory, 'full.accuracy.json'))]

    def row(title, get, digits):
        def cell(d):
            value = SKIPPED if d is None else get(d)
            return '-' if value is None else value if isinstance(value, str) else f'{value:.{digits}f}'
        return [title] + [cell(d) for _, d in sources]

    def all_stars(d):
        """Median of all stars with its standard error, for noise that is near Gaussian."""
        errors = [e for r in regular(d) for e in r.get('star_flux_errors_percent', [])]
        if len(errors) < 2:
            return None
        q = statistics.quantiles(errors, n=4)
        return f'{q[1]:.3f} +- {1.2533 * 0.7413 * (q[2] - q[0]) / len(errors) ** 0.5:.3f}'

    regular = lambda d: [r for r in d['science'] if not r.get('odd')]
    rows = [
        row('master biases', lambda d: len(d['bias']), 0),
        row('bias: median error, ADU (median of all, absolute)', lambda d: statistics.median(abs(r['median_error_adu']) for r in d['bias']), 3),
        row('bias: sigma of the error, ADU (median of all)', lambda d: middle(d['bias'], 'sigma_adu'), 3),
        row('master flats', lambda d: len(d['flat']), 0),
        row('flat / truth, median', lambda d: middle(d['flat'], 'median_ratio'), 5),
        row('flat / truth, relative sigma', lambda d: middle(d['flat'], 'relative_sigma'), 5),
        row('mask: fraction of the fully lit field kept', lambda d: middle(d['flat'], 'kept_of_useful'), 4),
        row('mask: pixels kept beyond the fully lit field', lambda d: middle(d['flat'], 'mask_outside'), 0),
        row('mask: pixels neither 0 nor 1', lambda d: middle(d['flat'], 'mask_not_binary'), 0),
        row('science frames', lambda d: len(regular(d)), 0),
        row('sky / truth - 1, %, largest, whole field (starlight included)', lambda d: extreme(regular(d), 'sky_error_percent'), 3),
        row('sky / truth - 1, %, largest, pixels without starlight', lambda d: extreme(regular(d), 'starless_sky_error_percent'), 3),
        row('star flux / truth - 1, %, median of all stars', all_stars, 3),
        row('star flux, scatter, % (median of frames)', lambda d: middle(regular(d), 'star_flux_scatter_percent'), 3),
        row('pixels beyond 100 000 ADU, all frames', lambda d: sum(r['wild_pixels'] for r in d['science']), 0),
    ]
    return [table([''] + [name for name, _ in sources], rows), '']


def pulls(directory):
    """(data - truth) / sqrt(variance) of good pixels: 1 where the variance is right."""
    rows = []
    for name, title in (('same', 'same steps'), ('full', 'all steps')):
        d = must(directory, f'{name}.accuracy.json')
        for kind, key, what in (('bias', 'pulls', 'master bias'), ('flat', 'pulls', 'master flat, in the mask'),
                                ('science', 'pulls_sky', 'science, sky pixels'), ('science', 'pulls_all', 'science, all pixels')):
            found = [r[key] for r in d[kind] if r.get(key) and not r.get('odd')]
            if found:
                rows.append([what, title, len(found)] + [f'{statistics.median(f[k] for f in found):.3f}' for k in ('median', 'robust', 'plain')]
                            + [f"{min(f['robust'] for f in found):.3f} to {max(f['robust'] for f in found):.3f}"])
    return [table(['pixels', 'run', 'frames', 'median', 'robust sigma', 'standard deviation', 'robust sigma, all frames'], rows), '']


def machine():
    model = 'unknown processor'
    with open('/proc/cpuinfo') as f:
        for line in f:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    return f'{model}, {os.cpu_count()} cores'


def versions(a, have_peer):
    import astropy
    import numpy
    text = f'{a.ifured} (commit {a.commit}); Python {platform.python_version()}, numpy {numpy.__version__}, astropy {astropy.__version__}'
    if have_peer:
        from importlib.metadata import version
        text += f", filabres {version('filabres')}, scipy {version('scipy')}"
    return text + '.'


def identical(results):
    s = must(results, 'sameness.json')
    names = {'threads2': '`--threads 2`', 'threads7': '`--threads 7`', 'shuffled': 'directories filled and named in another order'}
    rows = [[names.get(n, n), s['products'], 'the same bytes' if not different else f'{len(different)} differ, first {different[0]}']
            for n, different in s['different'].items()]
    return [table(['against `--threads 1`', 'products', ''], rows), '']


def by_hand(path):
    """Sections of the page that were measured by hand: they stay as they are."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        sections = f.read().split('\n## ')[1:]
    return [f'## {s.rstrip()}\n' for s in sections if '\n*Measured by hand' in s]


def page(a):
    sets = a.sets.split()
    have_peer = any(os.path.exists(os.path.join(a.results, s, 'filabres.tsv')) for s in sets)
    out = ['# Benchmarks', '', '*Written by `docs/bench/run.sh` (`make bench`); do not edit.*', '',
           f'Machine: {machine()}.', '', f'Versions: {versions(a, have_peer)}', '',
           'The data are simulated with `make_cafos.py`, whose truth is known and which shares no code with ifured. Four steps of filabres are '
           'compared: classification, master biases, master imaging flats, and science images without astrometry. *The same steps* in ifured are '
           'scan, `master-bias`, `master-flat-imaging` and `science-imaging` without illumination correction, drift of the bias, cosmic rays and search for '
           'stars. *All steps* are the defaults: also spectra, polarimetry, illumination, cosmic rays, stars and sums. ifured writes data, variance and quality as 32-bit planes with checksums; filabres '
           'writes data as 64-bit numbers.', '',
           'CPU seconds are user and system time of the program and all its workers; they are the number to compare, as wall time depends on how busy the '
           'machine is. Bytes are those that went through read and write calls. Files were in the page cache.', '']
    if not have_peer:
        out += ['**filabres was not run: it could not be installed.**', '']
    for name in sets:
        directory = os.path.join(a.results, name)
        out += [f'## {TITLES.get(name, name)}', '',
                f"{number(directory, 'raw.files'):.0f} raw frames, {number(directory, 'raw.mb') * 1.048576:.0f} MB; "
                f"products of all steps {number(directory, 'full.mb'):.0f} MB. {REMARKS.get(name, '')}".rstrip(), '', '### Cost', '', *cost(directory), '### Reading', '',
                *scan_speed(directory), '### Against the truth', '', *accuracy(directory), '### Variances', '',
                'Pulls, `(data - truth) / sqrt(variance)`, of pixels without a quality bit. The common error of the level (bias), of the '
                'normalisation (flat) and of the sky (sky pixels) is taken out first; *all pixels* keeps it. With the same steps cosmic rays are left in, which widens the plain standard deviation.', '', *pulls(directory),
                '### Cosmic rays', '', *cosmics(directory)]
    for section in ('astrometry', 'muse'):
        path = os.path.join(a.results, '..', section, f'{section}.md')
        if os.path.exists(path):
            with open(path) as f:
                out += [f.read()]
    out += by_hand(a.out)
    out += ['## The same bytes', '', 'All products of the two small nights, compared by SHA-256.', '', *identical(a.results), '## How to repeat', '',
            '```sh', 'make bench', '```', '',
            'It needs the generator and the runner of filabres in `../shared/peers` (or `$IFURED_SHARED/peers`), and for MUSE those of MUSE and esorex. Data and results of filabres are kept in '
            '`target/bench`; `BENCH_SETS=small make bench` leaves out the ten nights.', '']
    with open(a.out, 'w') as f:
        f.write('\n'.join(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    p = commands.add_parser('attempts')
    p.add_argument('directory')
    p.add_argument('out')
    p = commands.add_parser('sameness')
    p.add_argument('out')
    p.add_argument('directories', nargs='+')
    p = commands.add_parser('page')
    p.add_argument('results')
    p.add_argument('out')
    for option in ('--sets', '--ifured', '--commit'):
        p.add_argument(option, required=True)
    a = parser.parse_args()
    if a.command == 'attempts':
        attempts(a.directory, a.out)
    elif a.command == 'sameness':
        sameness(a.out, a.directories)
    else:
        page(a)


if __name__ == '__main__':
    main()
