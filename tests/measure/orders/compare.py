"""Measures pulling, mapping and comparing orders beside airbyte-cdk, which pulls and maps the same ones.

    compare.py PROGRAMS

PROGRAMS is the folder of `orders` and `mapping`; the interpreter is that of the environment with
airbyte-cdk. `ORDERS`, `PAGE` and `ROUNDS` are read from the environment. Ends with 1 when a promise is
not kept, or the two did not read the same.
"""

import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import orjson
import yaml

HERE = Path(__file__).resolve().parent
ORDERS = int(os.environ.get("ORDERS", 100_000))
PAGE = int(os.environ.get("PAGE", 500))
ROUNDS = int(os.environ.get("ROUNDS", 3))

# What docs/performance.md promises.
PER_CPU_SECOND = 60_000
TIMES_AIRBYTE = 20

STATES = {"draft": "draft", "open": "sent", "received": "received", "closed": "closed"}


@contextlib.contextmanager
def server(programs):
    """The server of orders: its address and its process."""
    command = [programs / "orders", str(ORDERS), str(PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid
        finally:
            process.terminate()


def cpu_of(pid):
    """What a running process has spent of processors, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(programs, url):
    done = subprocess.run([programs / "mapping", "pull", url], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def ceiling(programs, url, pid):
    """What the server can do at most, and what the fetching alone costs our process."""
    before = cpu_of(pid)
    done = subprocess.run([programs / "mapping", "ceiling", url], stdout=subprocess.PIPE, check=True)
    fetched = json.loads(done.stdout)
    laps = fetched["laps"]
    served = (cpu_of(pid) - before) / laps
    return {"served": served, "wall": fetched["wall"] / laps, "cpu": fetched["cpu"] / laps}


def airbyte(url):
    """A full refresh. Its start is not counted, nor what reads its output."""
    with tempfile.TemporaryDirectory() as scratch:
        manifest = yaml.safe_load((HERE / "airbyte.yaml").read_text())
        config = Path(scratch) / "config.json"
        config.write_text(json.dumps({"url": url, "__injected_declarative_manifest": manifest}))
        catalog = Path(scratch) / "catalog.json"
        stream = {"name": "orders", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
        modes = {"sync_mode": "full_refresh", "destination_sync_mode": "append"}
        catalog.write_text(json.dumps({"streams": [{"stream": stream, **modes}]}))
        program = Path(sys.executable).with_name("source-declarative-manifest")
        command = [program, "read", "--config", config, "--catalog", catalog]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            return read(process)


def read(process):
    ids = []
    for line in process.stdout:
        message = orjson.loads(line)
        if message["type"] == "RECORD":
            if not ids:
                began, started = time.monotonic(), cpu_of(process.pid)
            ids.append(checked(message["record"]["data"]))
    ended = time.monotonic()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not ids:
        sys.exit(f"airbyte-cdk ended with {process.returncode} after {len(ids)} records")
    return {
        "records": len(ids),
        "ids": hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest(),
        "cpu": used.ru_utime + used.ru_stime - started,
        "wall": ended - began,
        "peak_kib": used.ru_maxrss,
    }


def checked(order):
    """The id of an order in which the four fields are what they should be."""
    number = order["id"]
    vendor = str(number % 997)
    mapped = (order["remoteId"], order["vendorId"], order["vendorName"], order["state"])
    wanted = (str(number), vendor, f"Vendor {vendor}", STATES[order["status"]])
    if mapped != wanted or "vendor" in order or "notes" in order:
        sys.exit(f"airbyte-cdk mapped {mapped} instead of {wanted}")
    return order["remoteId"]


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def rate(runs, what):
    """Records per second, the median over the runs."""
    return statistics.median(run["records"] / run[what] for run in runs)


def load():
    return " ".join(f"{part:.2f}" for part in os.getloadavg())


def machine():
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = found.group(1) if found else platform.machine()
    return f"{os.cpu_count()} x {name}, {platform.system()} {platform.release()}"


def tell(name, runs):
    print(
        f"{name:24} {rate(runs, 'cpu'):>10,.0f} {rate(runs, 'wall'):>10,.0f}"
        f" {median(runs, 'cpu'):>9.2f} {median(runs, 'wall'):>9.2f}"
        f" {median(runs, 'peak_kib') / 1024:>8.0f}"
    )


def same(runs):
    """Whether every run read all orders, each once, and the same ones."""
    return {(run["records"], run["ids"]) for run in runs} == {(ORDERS, runs[0]["ids"])}


def measure(programs):
    mine, theirs, ceilings = [], [], []
    with server(programs) as (url, pid):
        for turn in range(ROUNDS):
            one = lambda: mine.append(ours(programs, url))  # noqa: E731
            other = lambda: theirs.append(airbyte(url))  # noqa: E731
            ceilings.append(ceiling(programs, url, pid))
            for candidate in (one, other) if turn % 2 == 0 else (other, one):
                candidate()
            print(
                f"round {turn + 1} of {ROUNDS}: Millwright {mine[-1]['cpu']:.2f} s,"
                f" airbyte-cdk {theirs[-1]['cpu']:.2f} s of CPU; load {load()}",
                flush=True,
            )
    return mine, theirs, ceilings


def main(programs):
    now = datetime.datetime.now(datetime.timezone.utc)
    print(f"{now:%Y-%m-%d %H:%M} UTC; {machine()}; load {load()}")
    print(f"{ORDERS:,} orders in pages of {PAGE}; medians of {ROUNDS} rounds", flush=True)
    mine, theirs, ceilings = measure(programs)
    rival = f"airbyte-cdk {version('airbyte-cdk')}"
    print(f"{'':24} {'rec/CPU s':>10} {'rec/s':>10} {'CPU s':>9} {'wall s':>9} {'peak MB':>8}")
    tell("Millwright", mine)
    tell(rival, theirs)
    served, fetched = median(ceilings, "served"), median(ceilings, "wall")
    print(
        f"the server's own ceiling: {ORDERS / served:,.0f} orders per CPU second of its"
        f" process; fetched unread: {ORDERS / fetched:,.0f} orders a second, for"
        f" {median(ceilings, 'cpu'):.2f} s of our CPU"
    )
    speed = rate(mine, "cpu")
    times = speed / rate(theirs, "cpu")
    promises = [
        (f"at least {PER_CPU_SECOND:,} records per CPU second: {speed:,.0f}", speed >= PER_CPU_SECOND),
        (f"at least {TIMES_AIRBYTE} times airbyte-cdk: {times:.1f} times", times >= TIMES_AIRBYTE),
        (f"both read the same {ORDERS:,} orders, {mine[0]['ids'][:12]}", same(mine + theirs)),
    ]
    for promise, kept in promises:
        print(f"{'kept' if kept else 'NOT KEPT'}: {promise}")
    return all(kept for _, kept in promises)


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1]).resolve()) else 1)
