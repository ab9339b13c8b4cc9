"""Where airbyte-cdk's records go: SQLite, one row for each order, replaced where its content differs.

    sink.py DATABASE < the output of a reading

Prints one line of JSON: how many there were, and what this process has spent.
"""

import hashlib
import json
import resource
import sqlite3
import sys

import orjson

AT_ONCE = 1000
PUT = (
    "INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
    " SET hash = excluded.hash, content = excluded.content WHERE hash <> excluded.hash"
)


def main(path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, hash BLOB, content BLOB)")
    waiting, count = [], 0
    for line in sys.stdin.buffer:
        if b'"type":"RECORD"' not in line[:20]:
            continue
        record = orjson.loads(line)["record"]["data"]
        content = orjson.dumps(record)
        waiting.append((record["remoteId"], hashlib.md5(content).digest(), content))
        count += 1
        if len(waiting) == AT_ONCE:
            put(database, waiting)
    put(database, waiting)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"records": count, "cpu": used.ru_utime + used.ru_stime, "peak_kib": used.ru_maxrss}
    print(json.dumps(told))


def put(database, waiting):
    database.executemany(PUT, waiting)
    database.commit()
    waiting.clear()


if __name__ == "__main__":
    main(sys.argv[1])
