"""Prometheus' text format as skepd writes it, read strictly; and promtool's opinion where it is installed."""
import math
import re
import shutil
import subprocess

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)")
TYPES = ("counter", "gauge", "histogram")


def parse(text):
    """{name: {frozenset of (label, value): number}}. ValueError for anything that is not as it must be."""
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    found, types, family, helped = {}, {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped = line.split(" ", 3)[2]
            continue
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            if family in types or kind not in TYPES or helped != family:
                raise ValueError(f"a family twice, of no type or without help: {line}")
            types[family] = kind
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise ValueError(f"no sample: {line}")
        name, labels, value = match.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if types.get(family) == "histogram" else name
        if base != family:
            raise ValueError(f"a sample outside of its family {family}: {line}")
        pairs = re.findall(r'([a-zA-Z_0-9]+)="((?:[^"\\]|\\.)*)"', labels or "")
        key = frozenset(pairs)
        if len({label for label, _ in pairs}) != len(pairs) or key in found.setdefault(name, {}):
            raise ValueError(f"twice: {line}")
        found[name][key] = math.nan if value == "NaN" else float(value)
        if types[family] == "counter" and not (name.endswith("_total") and found[name][key] >= 0):
            raise ValueError(f"no counter: {line}")
    check_histograms(found, types)
    return found


def check_histograms(found, types):
    for family in (name for name, kind in types.items() if kind == "histogram"):
        series = {}
        for key, count in found.get(f"{family}_bucket", {}).items():
            labels = dict(key)
            bound = float(labels.pop("le"))
            series.setdefault(frozenset(labels.items()), []).append((bound, count))
        for key, buckets in series.items():
            buckets.sort()
            counts = [count for _, count in buckets]
            if counts != sorted(counts) or buckets[-1][0] != math.inf or counts[-1] != found[f"{family}_count"][key]:
                raise ValueError(f"{family}: buckets that do not add up: {buckets}")


class Metrics:
    def __init__(self, text):
        self.text = text
        self.found = parse(text)

    def __call__(self, name, **labels):
        """The one sample with exactly these labels; KeyError where there is none."""
        return self.found[name][frozenset((key, str(value)) for key, value in labels.items())]

    def one(self, name, **labels):
        """The one sample that has these labels among its own."""
        wanted = set(labels.items())
        values = [value for key, value in self.found.get(name, {}).items() if wanted <= key]
        if len(values) != 1:
            raise AssertionError(f"{len(values)} samples of {name} {labels}")
        return values[0]

    def has(self, name):
        return bool(self.found.get(name))


def promtool_says(text):
    """What `promtool check metrics` objects to, line by line; None where it is not installed. SwarmKit's own names end in _total without
    being counters: that is known."""
    tool = shutil.which("promtool")
    if tool is None:
        return None
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.strip() and not re.match(r'swarm_manager_\w+_total .*"_total" suffix', line)]
