"""Attempts at tasks, as the journal of an output directory says (schemas/files/attempt.json)."""
import glob
import json
import os


def names(work):
    """Files of all records."""
    return set(glob.glob(os.path.join(work, 'journal', '*.json')))


def attempts(work, before=frozenset()):
    """All attempts that went well: records with `run`, `task` and `cost`; without those that were there before."""
    records = []
    for path in sorted(names(work) - before):
        with open(path) as f:
            records.append(json.load(f))
    return [r for r in records if r['ending']['state'] == 'done']


def by_recipe(records):
    """The records of each recipe."""
    found = {}
    for record in records:
        found.setdefault(record['task']['recipe'], []).append(record)
    return found


def of_last_run(work):
    """The attempts of the last run that did anything."""
    records = attempts(work)
    last = max((r['run'] for r in records if r.get('run') is not None), default=None)
    return [r for r in records if r.get('run') == last]
