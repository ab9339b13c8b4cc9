"""Loads all orders with dlt into DuckDB, through Parquet, merged by their ids.

    with_dlt.py URL FOLDER

FOLDER holds dlt's own state and the database; a second run there merges into what is there. Prints one
line of JSON. What is imported first is not counted.
"""

import hashlib
import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

STATES = {"draft": "draft", "open": "sent", "received": "received", "closed": "closed"}


def mapped(order):
    vendor = order.pop("vendor")
    order.pop("notes")
    order["remote_id"] = str(order["id"])
    order["vendor_id"] = str(vendor["id"])
    order["vendor_name"] = vendor["name"]
    order["state"] = STATES[order["status"]]
    return order


def source(url):
    listing = {
        "path": "po",
        "data_selector": "data",
        "paginator": {"type": "cursor", "cursor_path": "next_page", "cursor_param": "page"},
    }
    orders = {
        "name": "orders",
        "max_table_nesting": 0,
        "endpoint": listing,
        "processing_steps": [{"map": mapped}],
    }
    defaults = {"primary_key": "id", "write_disposition": "merge"}
    client = {"base_url": f"{url}/"}
    return rest_api_source(
        {"client": client, "resource_defaults": defaults, "resources": [orders]}
    )


def spent():
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def main(url, folder):
    database = dlt.destinations.duckdb(str(folder / "orders.duckdb"))
    pipeline = dlt.pipeline(
        "orders", destination=database, dataset_name="loaded", pipelines_dir=str(folder / "state")
    )
    cpu, began = spent(), time.monotonic()
    pipeline.run(source(url), loader_file_format="parquet")
    wall, cpu = time.monotonic() - began, spent() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT remote_id, vendor_id, vendor_name, state FROM orders")
        ((totals,),) = client.execute_sql("SELECT sum(total) FROM orders")
    lines = sorted("|".join(row) for row in rows)
    whole = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    told = {"records": len(rows), "sum": whole, "totals": float(totals)}
    print(json.dumps({**told, "cpu": cpu, "wall": wall, "peak_kib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
