"""Serves a new company on PostgreSQL, on loopback.

    postgresql.py FOLDER PORT

Makes a cluster of its own in the folder and a base company in it (about a minute), and serves it. The
cluster ends with this program. PostgreSQL does not run as root: root runs it as the user `postgres`,
who must be able to get into the folder.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import company

CONFIG = """[database]
uri = postgresql://tryton@/?host={cluster}
[web]
listen = 127.0.0.1:{port}
[session]
timeout = 86400
max_attempt = 1000
"""
# What is lost in a crash is not missed.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def binary(name):
    """Debian keeps them off the PATH."""
    found = shutil.which(name)
    if found:
        return found
    (*_, newest) = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [None]
    return str(newest) if newest else sys.exit(f"there is no {name}: install the package postgresql")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(cluster):
    """A cluster that can only be reached by its socket."""
    user = "postgres" if os.geteuid() == 0 else None
    cluster.mkdir()
    if user:
        shutil.chown(cluster, user)
        for folder in [cluster.parent, cluster.parent.parent]:
            folder.chmod(folder.stat().st_mode | 0o011)
    data = str(cluster / "data")
    options = ["-A", "trust", "-U", "tryton", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    make = [binary("initdb"), "-D", data, *options]
    subprocess.run(make, user=user, cwd="/", check=True, stdout=sys.stderr)
    serve = [binary("postgres"), "-D", data, "-k", str(cluster), "-c", "listen_addresses=", *FAST]
    subprocess.Popen(serve, user=user, cwd="/", preexec_fn=die_with_parent)


def create_database(cluster):
    import psycopg

    for _ in range(300):
        try:
            address = f"postgresql://tryton@/postgres?host={cluster}"
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("CREATE DATABASE company")
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    sys.exit("PostgreSQL does not answer")


def connect(folder):
    """As `company.connect`, with this database."""
    from proteus import Model, config

    context = config.set_trytond(
        database="postgresql:///company", config_file=str(folder / "trytond.conf")
    )
    companies = Model.get("company.company").find([]) if company.activated(Model) else []
    if companies:
        context._context = Model.get("res.user").get_preferences(True, context.context)
    return context, Model.get


def main(folder, port):
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cluster = folder / "postgresql"
    start(cluster)
    create_database(cluster)
    (folder / "trytond.conf").write_text(CONFIG.format(cluster=cluster, port=port))
    company.connect = connect
    company.base(folder)
    server = str(Path(sys.executable).with_name("trytond"))
    os.execv(server, [server, "-c", str(folder / "trytond.conf"), "-d", "company"])


if __name__ == "__main__":
    main(*sys.argv[1:])
