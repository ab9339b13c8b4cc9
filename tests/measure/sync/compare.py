"""Measures syncs into the durable local store beside airbyte-cdk with a SQLite sink and dlt into DuckDB.

    compare.py PROGRAMS DLT

PROGRAMS is the folder of `millwright` and `orders`; DLT is the interpreter with dlt, and the one that
runs this has airbyte-cdk. `ORDERS`, `PAGE`, `ROUNDS` and `LATENCY_MS` are read from the environment, and
`CASES` names the cases to run (first,unchanged,changed,slow), `RIVALS` whom beside (airbyte-cdk,dlt).
All values are shown; ends with 1 when a promise is not kept, or they do not all hold the same.

All read one server, page by page, and map the same four fields: the ids of order and vendor, the
vendor's name, the status in other words. Millwright maps more. It alone also finds what is gone, keeps a
change feed and tells of changes.
"""

import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

import orjson
import yaml

import millwright

HERE = Path(__file__).resolve().parent
ORDERS = int(os.environ.get("ORDERS", 100_000))
PAGE = int(os.environ.get("PAGE", 500))
ROUNDS = int(os.environ.get("ROUNDS", 5))
LATENCY_MS = int(os.environ.get("LATENCY_MS", 100))
CASES = os.environ.get("CASES", "first,unchanged,changed,slow").split(",")
RIVALS = [name for name in os.environ.get("RIVALS", "airbyte-cdk,dlt").split(",") if name]
# Of so many orders one is changed.
EVERY = 100

# What docs/performance.md promises.
TIMES_DLT_FIRST = 1
TIMES_AIRBYTE_FIRST = 6
UNCHANGED_PER_SECOND = 50_000
TIMES_DLT_CHANGED = 10
PEAK_MB = 150
# How much longer than the slow source itself, or than the same sync of a quick one, whichever is longer.
TIMES_SLOW = 1.15

STATES = {"draft": "draft", "open": "sent", "received": "received", "closed": "closed"}


class Source:
    """The server of orders."""

    def __init__(self, url):
        self.url = url

    def post(self, path):
        request = urllib.request.Request(self.url + path, method="POST", data=b"")
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def touch(self):
        return int(self.post(f"/touch?every={EVERY}"))

    @contextlib.contextmanager
    def slow(self):
        self.post(f"/slow?ms={LATENCY_MS}")
        try:
            yield
        finally:
            self.post("/slow?ms=0")

    def read(self):
        """How long it takes to fetch all pages one after the other and do nothing with them."""
        import http.client

        host = self.url.removeprefix("http://")
        began, page = time.monotonic(), 1
        line = http.client.HTTPConnection(host)
        while page:
            line.request("GET", f"/po?page={page}")
            told = line.getresponse().read()
            page = None if told.endswith(b"null}") else page + 1
        return time.monotonic() - began


@contextlib.contextmanager
def server(programs):
    command = [programs / "orders", str(ORDERS), str(PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Source(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


def hashed(lines):
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


# --- Millwright


def ours(programs, source, turn):
    """One round: a fresh process takes all orders, reads them again, reads them changed."""
    told = {}
    with millwright.running(programs / "millwright") as own:
        told["first"] = own.first_load(source.url)
        expect(told["first"], inserted=ORDERS)
        if "unchanged" in CASES:
            told["unchanged"] = unchanged(own)
        if "changed" in CASES:
            told["changed"] = changed(own, source)
        if "slow" in CASES:
            with source.slow():
                told["slow"] = own.full()
            expect(told["slow"], unchanged=ORDERS)
        if turn == ROUNDS - 1:
            told["first"]["sum"] = held(own)
    if "slow" in CASES:
        told["slow_first"] = slow_first(programs, source)
    return told


def slow_first(programs, source):
    with millwright.running(programs / "millwright") as own, source.slow():
        told = own.first_load(source.url)
    expect(told, inserted=ORDERS)
    return told


def expect(told, **counts):
    """Nothing but these happened."""
    all_counts = {**dict.fromkeys(("inserted", "updated", "deleted", "unchanged", "skipped"), 0)}
    found = {name: told["counts"].get(name, 0) for name in all_counts}
    if found != {**all_counts, **counts}:
        raise SystemExit(f"counted {found} instead of {counts}")


def unchanged(own):
    before, cursor = own.rows(), own.latest()
    told = own.full()
    expect(told, unchanged=ORDERS)
    told["kept"] = own.rows() == before and own.changes(cursor) == (0, 0)
    if before[1] != ORDERS:
        raise SystemExit(f"the table has {before[1]} rows")
    return told


def changed(own, source):
    cursor, touched = own.latest(), source.touch()
    told = own.full()
    expect(told, updated=touched, unchanged=ORDERS - touched)
    told["kept"] = own.changes(cursor) == (touched, touched)
    return told


def held(own):
    """One hash over the four fields of all records, as the API shows them. A vendor's id shows as the
    key of its record: one for each vendor."""
    lines, keys = [], {}
    for record in own.records():
        vendor = record["title"].removeprefix("Vendor ")
        if keys.setdefault(vendor, record["vendorKey"]) != record["vendorKey"]:
            raise SystemExit(f"vendor {vendor} has two keys")
        lines.append("|".join([record["remoteId"], vendor, record["title"], record["state"]]))
    if len(set(keys.values())) != len(keys):
        raise SystemExit("two vendors have one key")
    return hashed(lines)


# --- airbyte-cdk


def airbyte(source, folder):
    """A full refresh into SQLite. What is counted is both processes, from the start of the reading one."""
    manifest = yaml.safe_load((HERE.parent / "orders" / "airbyte.yaml").read_text())
    config = folder / "config.json"
    config.write_text(json.dumps({"url": source.url, "__injected_declarative_manifest": manifest}))
    catalog = folder / "catalog.json"
    stream = {"name": "orders", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "append"}
    catalog.write_text(json.dumps({"streams": [{"stream": stream, **modes}]}))
    program = Path(sys.executable).with_name("source-declarative-manifest")
    reading = [program, "read", "--config", config, "--catalog", catalog]
    database = folder / "orders.sqlite"
    began = time.monotonic()
    with subprocess.Popen(reading, stdout=subprocess.PIPE) as reader:
        keeping = [sys.executable, HERE / "sink.py", database]
        kept = subprocess.run(keeping, stdin=reader.stdout, stdout=subprocess.PIPE, check=True)
        _, status, used = os.wait4(reader.pid, 0)
        reader.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if reader.returncode:
        raise SystemExit(f"airbyte-cdk ended with {reader.returncode}")
    told = json.loads(kept.stdout)
    return {
        "records": told["records"],
        "cpu": told["cpu"] + used.ru_utime + used.ru_stime,
        "wall": wall,
        "peak_kib": told["peak_kib"] + used.ru_maxrss,
        "sum": hashed(airbyte_lines(database)),
    }


def airbyte_lines(database):
    with contextlib.closing(sqlite3.connect(database)) as table:
        for (content,) in table.execute("SELECT content FROM orders"):
            order = orjson.loads(content)
            four = (order["remoteId"], order["vendorId"], order["vendorName"], order["state"])
            yield "|".join(four)


# --- dlt


def dlt(interpreter, source, folder):
    command = [interpreter, HERE / "with_dlt.py", source.url, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def dlt_round(interpreter, source):
    """All orders into an empty database, and merged once more after some have changed."""
    with tempfile.TemporaryDirectory() as scratch:
        told = {"first": dlt(interpreter, source, Path(scratch))}
        if "changed" in CASES:
            touched = source.touch()
            told["changed"] = dlt(interpreter, source, Path(scratch))
            # A change adds one to an order's total.
            if round(told["changed"]["totals"] - told["first"]["totals"]) != touched:
                raise SystemExit("dlt did not take over the changes")
    return told


# --- The report


def measure(programs, interpreter):
    rounds, bounds = {name: [] for name in ["Millwright", *RIVALS]}, []
    with server(programs) as source:
        for turn in range(ROUNDS):
            candidates = {
                "Millwright": lambda turn=turn: ours(programs, source, turn),
                "dlt": lambda: dlt_round(interpreter, source),
                "airbyte-cdk": lambda: airbyte_round(source),
            }
            # Another one begins each round, so that what disturbs disturbs all alike.
            names = list(rounds)
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                rounds[name].append(candidates[name]())
            if "slow" in CASES:
                with source.slow():
                    bounds.append(source.read())
            print(f"round {turn + 1} of {ROUNDS}; load {load()}", flush=True)
            for name, told in rounds.items():
                walls = ", ".join(f"{case} {one['wall']:.1f} s" for case, one in told[-1].items())
                print(f"  {name}: {walls}", flush=True)
    return rounds, bounds


def airbyte_round(source):
    with tempfile.TemporaryDirectory() as scratch:
        return {"first": airbyte(source, Path(scratch))}


def of(rounds, case):
    return [told[case] for told in rounds if case in told]


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def rate(runs):
    return statistics.median(run["records"] / run["wall"] for run in runs)


def peak_mb(runs):
    return max(run["peak_kib"] for run in runs) / 1024


def load():
    return " ".join(f"{part:.2f}" for part in os.getloadavg())


def machine():
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = found.group(1) if found else platform.machine()
    return f"{os.cpu_count()} x {name}, {platform.system()} {platform.release()}"


def table(rounds):
    print(f"{'':32} {'rec/s':>9} {'wall s':>8} {'CPU s':>8} {'peak MB':>8}")
    for name, told in rounds.items():
        for case in ("first", "unchanged", "changed", "slow_first", "slow"):
            if runs := of(told, case):
                print(
                    f"{name + ', ' + case:32} {rate(runs):>9,.0f} {median(runs, 'wall'):>8.2f}"
                    f" {median(runs, 'cpu'):>8.2f} {peak_mb(runs):>8.0f}"
                )


def promises(rounds, bounds):
    """Each promise with its value, and whether it is kept."""
    mine = rounds["Millwright"]
    for rival, least in (("dlt", TIMES_DLT_FIRST), ("airbyte-cdk", TIMES_AIRBYTE_FIRST)):
        if rival in rounds:
            times = rate(of(mine, "first")) / rate(of(rounds[rival], "first"))
            yield f"first load at least {least} times {rival}: {times:.2f}", times >= least
    if runs := of(mine, "unchanged"):
        speed = rate(runs)
        wanted = f"nothing changed, at least {UNCHANGED_PER_SECOND:,} records/s: {speed:,.0f}"
        yield wanted, speed >= UNCHANGED_PER_SECOND
        yield "nothing changed, no record row written and nothing told", all(
            run["kept"] for run in runs
        )
    if runs := of(mine, "changed"):
        if "dlt" in rounds:
            times = rate(runs) / rate(of(rounds["dlt"], "changed"))
            wanted = f"1 % changed, at least {TIMES_DLT_CHANGED} times a dlt merge: {times:.1f}"
            yield wanted, times >= TIMES_DLT_CHANGED
        yield "1 % changed, each change told once", all(run["kept"] for run in runs)
    worst = max(peak_mb(of(mine, case)) for case in mine[0])
    yield f"never more than {PEAK_MB} MB: {worst:.0f}", worst < PEAK_MB
    for case, quick in (("slow_first", "first"), ("slow", "unchanged")):
        if (runs := of(mine, case)) and (without := of(mine, quick)):
            bound = max(statistics.median(bounds), median(without, "wall"))
            times = median(runs, "wall") / bound
            wanted = f"{case}, {LATENCY_MS} ms a page, at most {TIMES_SLOW} times {bound:.1f} s"
            yield f"{wanted}: {times:.2f}", times <= TIMES_SLOW
    sums = {run["sum"] for told in rounds.values() for run in of(told, "first") if "sum" in run}
    counts = {run["records"] for told in rounds.values() for run in of(told, "first")}
    yield f"all hold the same {ORDERS:,} orders: {', '.join(sum[:12] for sum in sums)}", (
        len(sums) == 1 and counts == {ORDERS}
    )


def main(programs, interpreter):
    now = datetime.datetime.now(datetime.timezone.utc)
    print(f"{now:%Y-%m-%d %H:%M} UTC; {machine()}; load {load()}")
    print(f"{ORDERS:,} orders in pages of {PAGE}; medians of {ROUNDS} rounds; airbyte-cdk"
          f" {version('airbyte-cdk')}", flush=True)
    rounds, bounds = measure(programs, interpreter)
    table(rounds)
    if bounds:
        print(f"all pages fetched and dropped, {LATENCY_MS} ms each: {statistics.median(bounds):.1f} s")
    judged = list(promises(rounds, bounds))
    for promise, kept in judged:
        print(f"{'kept' if kept else 'NOT KEPT'}: {promise}")
    return all(kept for _, kept in judged)


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1]).resolve(), sys.argv[2]) else 1)
