"""A Millwright process with the orders connector, driven through its API as a customer would."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

HERE = Path(__file__).resolve().parent
KEY = "mw_sk_test_measure-syncs-on-one-machine"
ENTITY = "purchase-orders"
# Nothing has to answer within this: a million orders take minutes.
PATIENCE = 3600
TICK = os.sysconf("SC_CLK_TCK")


class Millwright:
    """A running one, on a folder of its own."""

    def __init__(self, process, folder, port):
        self.process, self.folder, self.port = process, folder, port
        self.connection = None
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method, path, body=None):
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        if self.connection:
            headers["connection-id"] = self.connection
        text = None if body is None else json.dumps(body)
        try:
            self.line.request(method, path, text, headers)
            answer = self.line.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self.line.close()
            self.line.request(method, path, text, headers)
            answer = self.line.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {told.decode()}")
        return json.loads(told) if told else None

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak(self):
        """The most memory since `measured` began, in KiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    def measured(self, begin):
        """What the sync that `begin` starts takes until the API says that it is over."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        cpu, began = self.cpu(), time.monotonic()
        begin()
        status = self.ended()
        wall = time.monotonic() - began
        counts = status["counts"]
        return {
            "records": counts["seen"],
            "counts": counts,
            "cpu": self.cpu() - cpu,
            "wall": wall,
            "peak_kib": self.peak(),
        }

    def ended(self):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            listed = self.call("GET", "/v1/sync-status")["data"]
            status = next(one for one in listed if one["entity"] == ENTITY)
            if status["status"] not in ("never", "in_progress"):
                if status["status"] != "completed":
                    raise SystemExit(f"the sync ended as {status}")
                return status
            time.sleep(0.1)
        raise SystemExit("the sync does not end")

    def first_load(self, url):
        return self.measured(lambda: self.connect(url))

    def connect(self, url):
        asked = {"connector_id": "orders", "settings": {"url": url}, "credentials": {}}
        self.connection = self.call("POST", "/v1/connections", asked)["id"]

    def full(self):
        asked = {"entities": [ENTITY], "mode": "full"}
        return self.measured(lambda: self.call("POST", "/v1/sync", asked))

    def latest(self):
        """The feed's present end."""
        return self.call("GET", "/v1/changes?cursor=latest")["next_cursor"]

    def changes(self, cursor):
        """How many changes the feed has after a cursor, and how many keys they are of."""
        count, keys, more = 0, set(), True
        while more:
            page = self.call("GET", "/v1/changes?" + urlencode({"cursor": cursor, "limit": 500}))
            count += len(page["data"])
            keys.update(change["key"] for change in page["data"])
            cursor, more = page["next_cursor"], page["has_more"]
        return count, len(keys)

    def records(self):
        """Every record, page by page."""
        cursor = None
        while True:
            asked = {"limit": 500, **({"cursor": cursor} if cursor else {})}
            page = self.call("GET", f"/v1/{ENTITY}?" + urlencode(asked))
            yield from page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def rows(self):
        """One hash over the rows of all records as they stand in the table, and how many there are."""
        path = next((self.folder / "data").rglob("dynamo.sqlite"))
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as table:
            asked = (
                'SELECT sk, item_json FROM "millwright-records" WHERE pk LIKE ? ORDER BY pk, sk'
            )
            total, count = hashlib.sha256(), 0
            for key, item in table.execute(asked, [f"%#{self.connection}#{ENTITY}"]):
                total.update(key.encode() + item.encode())
                count += 1
        return total.hexdigest(), count


@contextlib.contextmanager
def running(program):
    """A fresh one: its folder goes with it."""
    with tempfile.TemporaryDirectory(prefix="millwright-sync-") as scratch:
        folder = Path(scratch)
        connectors = folder / "connectors"
        connectors.mkdir()
        shutil.copy(HERE.parent / "orders" / "millwright.yaml", connectors / "orders.yaml")
        port = free_port()
        command = [program, "--port", str(port), "--api-key", KEY, "--data", folder / "data"]
        more = {
            "RUST_LOG": "error",
            "MILLWRIGHT_CONNECTORS": f"file:{connectors}",
            # Only what is asked for is to run.
            "MILLWRIGHT_SYNC_INTERVAL_SECONDS": "86400",
        }
        with open(folder / "log", "w") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=log
            )
        own = Millwright(process, folder, port)
        try:
            started(own, folder / "log")
            yield own
        finally:
            process.terminate()
            process.wait()


def started(own, log):
    for _ in range(200):
        if own.process.poll() is not None:
            break
        try:
            own.line.request("GET", "/v1/health")
            own.line.getresponse().read()
            return
        except OSError:
            own.line.close()
            time.sleep(0.05)
    raise SystemExit(f"millwright does not start: {log.read_text()}")


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
