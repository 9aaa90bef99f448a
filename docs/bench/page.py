"""The page of figures, which several benchmarks write to."""
import os


def replace_section(path, title, text):
    page = open(path).read() if os.path.exists(path) else '# Benchmarks\n'
    start = page.find(title)
    if start < 0:
        end = start = page.find('## How to repeat') if '## How to repeat' in page else len(page)
    else:
        end = page.find('\n## ', start + 1)
        end = len(page) if end < 0 else end + 1
    with open(path, 'w') as f:
        f.write(page[:start] + text + '\n' + page[end:])
