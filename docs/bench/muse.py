#!/usr/bin/env python3
"""What ifured costs beside the recipes of ESO's MUSE pipeline that it runs, and whether its products are those of the recipes called by hand.

  docs/bench/muse.py

Environment:
  IFURED_SHARED   directory with peers/make_muse.py and peers/run_muse.sh   (../shared)
  IFURED          the program                                              (target/release/ifured)
  BENCH_CACHE     simulated data, products by hand, work directories        (target/bench)
  BENCH_OUT       page whose section is written anew                        (docs/benchmarks.md)

Needs esorex with the pipeline of MUSE, numpy and astropy, and 15 GB of disk; without esorex or the generator it says SKIPPED and ends. Data and the
products by hand are made once and kept. By hand every step is one call of esorex under time(1); ifured gets an esorex that is time(1) before the same
program, so that both are counted the same way. What ifured itself costs is the processor time of its whole tree of processes without those calls.
"""
import datetime
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import warnings

import journal
from page import replace_section

warnings.simplefilter('ignore')
BENCH = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.abspath(os.environ.get('IFURED_SHARED', '../shared'))
IFURED = os.path.abspath(os.environ.get('IFURED', 'target/release/ifured'))
CACHE = os.path.abspath(os.path.join(os.environ.get('BENCH_CACHE', 'target/bench'), 'muse'))
OUT = os.environ.get('BENCH_OUT', 'docs/benchmarks.md')
TITLE = '## MUSE: the recipes of ESO by hand and through ifured'
IFUS = (1, 2)
SIMULATION = ['--ifus', '1,2', '--nobj', '4', '--rot', '0,0,0,0']
BY_HAND = 3                                     # exposures of the chain; one more is added to ifured's folder afterwards
STEPS = 'bias dark flat wavecal lsf twilight scibasic_std scibasic_obj standard create_sky scipost exp_align exp_combine'.split()
RECIPE_OF = dict(scibasic_std='muse_scibasic_std', scibasic_obj='muse_scibasic', create_sky='muse_create_sky_object')
# What run_muse.sh gives to the recipes and ifured does not by default.
SETTINGS = {
    # By hand the twilight flats go without a lamp flat beside them; the one of the simulation has no temperature, so it fits at level 1 alone.
    'association.muse_twilight.illumination.max_level': '0',
    'recipes.muse_scipost.save': '"cube,skymodel,individual"', 'recipes.muse_scipost.skymodel_fraction': '0.4',
    'recipes.muse_scipost.skymodel_ignore': '0.05',
    'recipes.muse_scipost.filter': '"white,simR"', 'recipes.muse_exp_align.srcmin': '2', 'recipes.muse_exp_align.threshold': '5',
    'recipes.muse_exp_combine.filter': '"white,simR"', 'recipes.muse_create_sky_object.fraction': '0.4',
}


def run(command, log, allowed=(0,), **options):
    with open(log, 'w') as f:
        code = subprocess.run(command, stdout=f, stderr=subprocess.STDOUT, **options).returncode
    if code not in allowed:
        sys.exit(f'muse.py: {command[0]} ended with exit code {code}: see {log}')


def say(text):
    print(f'== {text}', file=sys.stderr, flush=True)


def missing():
    """Why this cannot be measured here, or None."""
    for name in ('make_muse.py', 'run_muse.sh'):
        if not os.path.exists(os.path.join(SHARED, 'peers', name)):
            return f'{name} is not in IFURED_SHARED/peers'
    if not shutil.which('esorex'):
        return 'esorex is not installed'
    answer = subprocess.run(['esorex', '--log-dir=/tmp', '--recipes'], capture_output=True, text=True).stdout
    return None if 'muse_bias' in answer else 'esorex knows no recipes of MUSE'


# ------------------------------------------------------------------ what is run
def once(name, key, make):
    """Makes a directory of the cache, if it is not the one that was made with that key."""
    directory, done = os.path.join(CACHE, name), os.path.join(CACHE, name + '.done')
    if not (os.path.exists(done) and open(done).read() == key):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        make(directory)
        with open(done, 'w') as f:
            f.write(key)
    return directory


def simulate():
    generator = os.path.join(SHARED, 'peers/make_muse.py')
    return once('raw', ' '.join(SIMULATION), lambda d: run([sys.executable, generator, d, *SIMULATION], d + '.log'))


def linked(raw, directory, exposures):
    """A folder with all frames, and of the science exposures the first ones."""
    os.makedirs(directory, exist_ok=True)
    for path in glob.glob(os.path.join(raw, '*.fits')):
        number = re.fullmatch(r'object(\d+)\.fits', os.path.basename(path))
        target = os.path.join(directory, os.path.basename(path))
        if (number is None or int(number[1]) < exposures) and not os.path.exists(target):
            os.link(path, target)
    return directory


def by_hand(raw):
    def make(directory):
        say('the chain by hand')
        environment = dict(os.environ, IFUS=' '.join(map(str, IFUS)), OMP='1')
        frames = linked(raw, os.path.join(CACHE, 'three'), BY_HAND)
        run(['bash', os.path.join(SHARED, 'peers/run_muse.sh'), frames, directory, *STEPS], directory + '.log', env=environment)
    return once('by_hand', f'{SIMULATION} {BY_HAND} {STEPS}', make)


def wrapper(records):
    """An esorex that writes down what it cost."""
    path = os.path.join(CACHE, 'esorex')
    with open(path, 'w') as f:
        f.write(f"#!/bin/sh\nexec /usr/bin/time -q -a -o '{records}' -f '%x\t%U\t%S\t%e\t%M\t%C' '{shutil.which('esorex')}' \"$@\"\n")
    os.chmod(path, 0o755)
    return path


def ours(work, folder, name, more=()):
    """One `ifured reduce`: its cost, and that of each call of esorex in it."""
    say(f'ifured: {name}')
    records, record = os.path.join(CACHE, f'{name}.calls'), os.path.join(CACHE, f'{name}.json')
    if os.path.exists(records):
        os.remove(records)
    settings = [word for k, v in SETTINGS.items() for word in ('--set', f'{k}={v}')]
    # All settings in one place: those before the word `reduce` would give way to those after it.
    command = [IFURED, '--instrument', 'muse', '--threads', '2', '--output', work, 'reduce', *settings, *more, folder]
    before = journal.names(work)
    run([sys.executable, os.path.join(BENCH, 'measure.py'), '--name', name, '--json', record, '--log', os.path.join(CACHE, f'{name}.log'), '--', *command],
        os.path.join(CACHE, 'measure.log'), env=dict(os.environ, IFURED_ESOREX=wrapper(records)))
    with open(record) as f:
        result = json.load(f)
    result['calls'], result['questions'] = [], 0.0
    for line in open(records) if os.path.exists(records) else []:
        code, user, system, wall, peak, call = line.rstrip('\n').split('\t', 5)
        cost = float(user) + float(system)
        recipe = re.search(r' (muse_\w+)(?: |$)', call)
        if call.endswith('.sof') and recipe:
            result['calls'].append(dict(recipe=recipe[1], cpu_s=cost, wall_s=float(wall), peak_mb=float(peak) / 1024))
        else:
            result['questions'] += cost
    result['esorex_s'] = sum(c['cpu_s'] for c in result['calls'])
    result['own_s'] = result['cpu_s'] - result['esorex_s']
    done = journal.by_recipe(journal.attempts(work, before))
    result['tasks'] = {recipe: len(records) for recipe, records in done.items()}
    return result


# ------------------------------------------------------------------ what came out
def pairs(hand, work):
    """Each product by hand with that of ifured: (recipe, category, path, path or None)."""
    found = []

    def pair(recipe, category, theirs, name):
        there = glob.glob(os.path.join(work, recipe, '*', name))
        for path in sorted(glob.glob(os.path.join(hand, theirs))):
            found.append((recipe, category, path, there[0] if len(there) == 1 else None))

    for i in IFUS:
        n = f'{i:02d}'
        for step, categories in (('bias', ['MASTER_BIAS']), ('dark', ['MASTER_DARK']), ('flat', ['MASTER_FLAT', 'TRACE_TABLE', 'TRACE_SAMPLES']),
                                 ('wavecal', ['WAVECAL_TABLE', 'WAVECAL_RESIDUALS']), ('lsf', ['LSF_PROFILE'])):
            for category in categories:
                pair(f'muse_{step}', category, f'{step}_{i}/{category}-{n}.fits', f'{category}_*CHAN{n}.fits')
        pair('muse_scibasic', 'PIXTABLE_STD', f'scibasic_std_{i}/PIXTABLE_STD_0001-{n}.fits', f'PIXTABLE_STD_*CHAN{n}.fits')
        for k in range(BY_HAND):
            pair('muse_scibasic', 'PIXTABLE_OBJECT', f'scibasic_obj_{i}/PIXTABLE_OBJECT_{k + 1:04d}-{n}.fits', f'PIXTABLE_OBJECT_object{k}*CHAN{n}.fits')
    pair('muse_twilight', 'TWILIGHT_CUBE', 'twilight/TWILIGHT_CUBE.fits', 'TWILIGHT_CUBE_*.fits')
    for category in ('STD_RESPONSE', 'STD_TELLURIC', 'STD_FLUXES', 'DATACUBE_STD'):
        pair('muse_standard', category, f'standard/{category}_0001.fits', f'{category}_std*.fits')
    for category in ('SKY_LINES', 'SKY_CONTINUUM', 'SKY_SPECTRUM'):
        pair('muse_create_sky', category, f'create_sky/{category}*.fits', f'{category}_object0*.fits')
    for k in range(BY_HAND):
        for category in ('DATACUBE_FINAL', 'PIXTABLE_REDUCED'):
            pair('muse_scipost', category, f'scipost_{k + 1}/{category}*.fits', f'{category}_object{k}.fits')
        for n, ending in ((1, ''), (2, '_2')):                          # one image for each of two filters
            pair('muse_scipost', 'IMAGE_FOV', f'scipost_{k + 1}/IMAGE_FOV_{n:04d}.fits', f'IMAGE_FOV_object{k}{ending}.fits')
    pair('muse_exp_align', 'OFFSET_LIST', 'exp_align/OFFSET_LIST.fits', 'OFFSET_LIST_*.fits')
    pair('muse_exp_combine', 'DATACUBE_FINAL', 'exp_combine/DATACUBE_FINAL.fits', 'DATACUBE_FINAL_*.fits')
    for n, ending in ((1, ''), (2, '_2')):
        pair('muse_exp_combine', 'IMAGE_FOV', f'exp_combine/IMAGE_FOV_{n:04d}.fits', f'IMAGE_FOV_COMBINED_object0{ending}.fits')
    return found


def difference(a, b):
    """Whether two files hold the same bytes of data in HDUs of the same names; else the largest relative difference of their numbers."""
    import numpy as np
    from astropy.io import fits
    with fits.open(a) as left, fits.open(b) as right:
        names = [[h.name for h in x] for x in (left, right)]
        if names[0] != names[1]:
            return False, f'other HDUs: {sorted(set(names[0]) ^ set(names[1]))}'
        same, worst = True, 0.0
        for x, y in zip(left, right):
            if raw_data(a, x) == raw_data(b, y):
                continue
            same = False
            columns = [(x.data[c], y.data[c]) for c in x.columns.names] if isinstance(x, fits.BinTableHDU) else [(x.data, y.data)]
            for p, q in columns:
                if p.shape != q.shape:
                    return False, f'another shape in {x.name}'
                if not np.issubdtype(p.dtype, np.number):
                    continue
                p, q = p.astype(float), q.astype(float)
                if not np.array_equal(np.isfinite(p), np.isfinite(q)):
                    return False, f'other pixels without a number in {x.name}'
                good = np.isfinite(p)
                scale = np.maximum(np.abs(p[good]), np.abs(q[good]))
                with np.errstate(invalid='ignore', divide='ignore'):
                    relative = np.where(scale > 0, np.abs(p[good] - q[good]) / scale, 0.0)
                worst = max(worst, float(relative.max(initial=0.0)))
        return same, worst


def raw_data(path, hdu):
    place = hdu.fileinfo()
    with open(path, 'rb') as f:
        f.seek(place['datLoc'])
        return f.read(place['datSpan'])


def frames(path):
    """Tags and names of a set of frames, in its order."""
    lines = [line.split() for line in open(path) if line.strip() and not line.startswith('#')]
    return [(words[1], os.path.basename(words[0])) for words in lines]


def sets_of_frames(hand, work):
    """By recipe: number of calls, and how the set of frames of the first call differs."""
    result = {}
    for step in STEPS:
        recipe = RECIPE_OF.get(step, f'muse_{step}')
        theirs = sorted(glob.glob(os.path.join(hand, step, 'sof')) + glob.glob(os.path.join(hand, f'{step}_[0-9]', 'sof')))
        # ESO's recipe is the directory, and the category of the first product the name.
        own = {'muse_scibasic_std': ('muse_scibasic', 'PIXTABLE_STD*'), 'muse_scibasic': ('muse_scibasic', 'PIXTABLE_OBJECT*'),
               'muse_create_sky_object': ('muse_create_sky', '*')}
        place, name = own.get(recipe, (recipe, '*'))
        mine = sorted(glob.glob(os.path.join(work, place, '*', f'{name}.sof')))
        if not theirs or not mine:
            continue
        a, b = frames(theirs[0]), frames(mine[0])
        tags = [t for t, _ in a], [t for t, _ in b]
        kinds = [list(dict.fromkeys(t)) for t in tags]
        more = [t for t in kinds[1] if t not in kinds[0]]
        less = [t for t in kinds[0] if t not in kinds[1]]
        counts = {t: (tags[0].count(t), tags[1].count(t)) for t in kinds[0] if t in kinds[1] and tags[0].count(t) != tags[1].count(t)}
        order = [t for t in kinds[0] if t in kinds[1]] == [t for t in kinds[1] if t in kinds[0]]
        result[recipe] = dict(by_hand=len(theirs), ifured=len(mine), frames=(len(a), len(b)), more=more, less=less, counts=counts, order=order)
    return result


def hand_costs(hand):
    """CPU s, wall s and memory of each call by hand, by the name that the recipe has in ifured."""
    costs = {}
    for line in open(os.path.join(hand, 'times.csv')):
        step = line.split(',')[0]
        wall, user, system, memory, code = line.rstrip('\n').split(',')[-5:]
        step = re.sub(r'_\d$', '', step)
        if code != '0':
            sys.exit(f'muse.py: {step} by hand ended with exit code {code}: see {hand}')
        seconds = sum(float(part) * 60 ** n for n, part in enumerate(reversed(wall.split(':'))))
        call = dict(cpu_s=float(user) + float(system), wall_s=seconds, peak_mb=float(memory))
        costs.setdefault(RECIPE_OF.get(step, f'muse_{step}'), []).append(call)
    return costs


# ------------------------------------------------------------------ the page
def table(head, rows):
    return '\n'.join(['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)] + ['| ' + ' | '.join(str(c) for c in r) + ' |' for r in rows])


def walls_of_first_run(work):
    """Wall s of the tasks of each recipe, in the first run that had any."""
    def wall(records):
        first = min(r['run'] for r in records)
        return sum(r['cost']['seconds'] for r in records if r['run'] == first)
    return {recipe: wall(records) for recipe, records in journal.by_recipe(journal.attempts(work)).items()}


def rows_of_costs(hand, runs, walls):
    called = {}
    for name in ('chain', 'dark', 'sky'):
        for call in runs[name]['calls']:
            recipe = {'muse_create_sky': 'muse_create_sky_object'}.get(call['recipe'], call['recipe'])
            called.setdefault(recipe, []).append(call)
    # muse_scibasic is one recipe of ESO and two of ifured.
    rows, merged = [], {}
    for recipe, calls in hand.items():
        merged.setdefault('muse_scibasic' if recipe.startswith('muse_scibasic') else recipe, []).extend(calls)
    for recipe, calls in merged.items():
        mine = called.get(recipe, [])
        wall = sum(w for r, w in walls.items() if r == recipe or (recipe == 'muse_scibasic' and r.startswith(recipe)))
        rows.append([f'`{recipe}`', len(calls), f"{sum(c['cpu_s'] for c in calls):.1f}", f"{sum(c['wall_s'] for c in calls):.0f}", f"{max(c['peak_mb'] for c in calls):.0f}",
                     len(mine), f"{sum(c['cpu_s'] for c in mine):.1f}", f'{wall:.0f}', f"{max((c['peak_mb'] for c in mine), default=0):.0f}"])
    return rows


def row_of_run(title, r):
    share = f"{100 * r['own_s'] / r['esorex_s']:.2f} %" if r['esorex_s'] > 0 else '-'
    return [title, sum(r['tasks'].values()), f"{r['cpu_s']:.1f}", f"{r['esorex_s']:.1f}", f"{r['own_s']:.2f}", share, f"{r['wall_s']:.0f}", f"{r['parent_peak_mb']:.0f}"]


def row_of_frames(recipe, s):
    said = []
    said += [f'ifured adds {", ".join(s["more"])}'] if s['more'] else []
    said += [f'ifured leaves out {", ".join(s["less"])}'] if s['less'] else []
    said += [f'{t}: {a} and {b}' for t, (a, b) in s['counts'].items()]
    return [f'`{recipe}`', s['by_hand'], s['ifured'], '{} and {}'.format(*s['frames']), 'yes' if s['order'] else '**no**', '; '.join(said) or 'the same']


# Recipes that are run after the chain, each in a run of its own.
LATER = ('muse_dark', 'muse_create_sky')


def compare(hand, work, later):
    """By recipe and category: products, how many have the same data, the worst difference."""
    result = {}
    for recipe, category, theirs, mine in pairs(hand, work):
        if (recipe in LATER) != later:
            continue
        same, worst = (False, 'not made by ifured') if mine is None else difference(theirs, mine)
        entry = result.setdefault(f'{recipe}|{category}', dict(products=0, same=0, worst=0.0))
        entry['products'] += 1
        entry['same'] += same
        if not same:
            both = [entry['worst'], worst]
            entry['worst'] = next((w for w in both if isinstance(w, str)), None) or max(both)
    return result


def row_of_products(key, e):
    recipe, category = key.split('|')
    verdict = 'the same bytes' if e['same'] == e['products'] else e['worst'] if isinstance(e['worst'], str) else f"largest relative difference {e['worst']:.2g}"
    return [f'`{recipe}`', category, e['products'], e['same'], verdict]


def section(r):
    runs, hand = r['runs'], r['hand']
    total = sum(c['cpu_s'] for calls in hand.values() for c in calls)
    model = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), 'unknown')
    version = subprocess.run([IFURED, '--version'], capture_output=True, text=True).stdout.strip()
    chain = runs['chain']
    identical = sum(e['same'] for e in r['products'].values()), sum(e['products'] for e in r['products'].values())
    return '\n'.join([
        TITLE, '', f"*Written by `docs/bench/muse.py` on {datetime.date.today()}, {model}, {os.cpu_count()} cores, {version}, {r['pipeline']}.*", '',
        f'{len(IFUS)} of the 24 channels and {BY_HAND} exposures of `make_muse.py`, {r["frames"]} raw frames and static tables, {r["raw_mb"]:.0f} MB. By hand each recipe is a call of esorex with a set of '
        'frames (`run_muse.sh`); ifured gets the folder and the same parameters. By hand a recipe has one thread (`OMP_NUM_THREADS=1`) and runs alone; ifured runs two at a time, and one that runs alone has two threads. CPU seconds are user and '
        'system time of all processes. `muse_dark` and `muse_create_sky` of the science exposures are no part of '
        'ifured\'s chain by default: each is measured in a run of its own, so that the rest is compared like with like. By hand `muse_scibasic` gets all exposures in one call, and `muse_create_sky` one of them.', '',
        '### Cost of ifured itself', '',
        'Processor time of all processes of `ifured reduce` without the recipes\' own. It holds reading headers and hashing all frames, planning, asking esorex for its recipes '
        f'({chain["questions"]:.2f} CPU s in the first run), checking and hashing each product, its provenance, and the report. Asked for: less than 2 % of the chain.', '',
        table(['`ifured reduce`', 'recipes run', 'CPU s', 'of recipes', 'of ifured', 'ifured / recipes', 'wall s', 'peak of ifured, MB'],
              [row_of_run(t, runs[n]) for n, t in RUNS if n in runs]), '',
        '### Cost of the recipes', '', f'By hand all of them take {total:.1f} CPU s. Memory is the peak of the largest call.', '',
        table(['recipe', 'calls by hand', 'CPU s', 'wall s', 'peak, MB', 'calls by ifured', 'CPU s', 'wall s', 'peak, MB'], r['costs']), '',
        '### Sets of frames', '', 'Frames that go in, by hand and by ifured, of the first call. Order: whether the categories that both have come in the same order.', '',
        table(['recipe', 'calls by hand', 'by ifured', 'frames', 'same order', 'categories'], [row_of_frames(k, v) for k, v in r['sets'].items()]), '',
        '### Products', '', f'Data of all HDUs, byte by byte: {identical[0]} of {identical[1]} products are the same.', '',
        table(['recipe', 'product', 'files', 'same data', ''], [row_of_products(k, v) for k, v in r['products'].items()]), ''])


RUNS = (('chain', f'{BY_HAND} exposures, from nothing'), ('again', 'again: nothing to do'), ('fourth', 'one exposure more in the folder'),
        ('dark', '`muse_dark` switched on, `--to MASTER_DARK`'), ('sky', '`muse_create_sky_object` switched on, `--to SKY_LINES`'))


def measured():
    raw = simulate()
    hand = by_hand(raw)
    work, folder = os.path.join(CACHE, 'work'), os.path.join(CACHE, 'folder')
    for directory in (work, folder):
        shutil.rmtree(directory, ignore_errors=True)
    linked(raw, folder, BY_HAND)
    paths = glob.glob(os.path.join(folder, '*.fits'))
    for path in paths:                                                  # into the page cache
        with open(path, 'rb') as f:
            while f.read(1 << 24):
                pass
    runs = dict(chain=ours(work, folder, 'chain'), again=ours(work, folder, 'again'))
    say('comparing products')
    products, sets = compare(hand, work, False), sets_of_frames(hand, work)
    linked(raw, folder, BY_HAND + 1)
    runs['fourth'] = ours(work, folder, 'fourth')
    walls = walls_of_first_run(work)
    runs['dark'] = ours(work, folder, 'dark', ['--set', 'recipes.muse_dark.enabled=true', '--to', 'MASTER_DARK'])
    runs['sky'] = ours(work, folder, 'sky', ['--set', 'recipes.muse_create_sky_object.enabled=true', '--to', 'SKY_LINES'])
    sets.update({k: v for k, v in sets_of_frames(hand, work).items() if k in ('muse_dark', 'muse_create_sky_object')})
    result = dict(runs=runs, hand=hand_costs(hand), sets=sets, products=dict(products, **compare(hand, work, True)), frames=len(paths),
                  raw_mb=sum(os.path.getsize(p) for p in paths) / 1e6, walls=dict(walls_of_first_run(work), **walls))
    result['costs'] = rows_of_costs(result['hand'], runs, result['walls'])
    versions = subprocess.run(['esorex', '--log-dir=/tmp', '--man-page', 'muse_bias'], capture_output=True, text=True).stdout
    found = re.search(r'-- version (\S+)', versions)
    result['pipeline'] = f'MUSE pipeline {found[1]}' if found else 'MUSE pipeline'
    return result


def main():
    why = missing()
    if why:
        print(f'SKIPPED the benchmark of MUSE: {why}', file=sys.stderr)
        return
    os.makedirs(CACHE, exist_ok=True)
    result = measured()
    with open(os.path.join(CACHE, 'muse.json'), 'w') as f:
        json.dump(result, f, indent=1)
    text = section(result)
    with open(os.path.join(CACHE, 'muse.md'), 'w') as f:
        f.write(text)
    replace_section(OUT, TITLE, text)
    print(text)


if __name__ == '__main__':
    main()
