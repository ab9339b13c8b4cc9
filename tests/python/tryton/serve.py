"""Serves a company on loopback.

    serve.py FOLDER PORT COMPANY.sqlite

The first start in a folder takes a copy of the database; a later one goes on with what is there.
"""

import os
import shutil
import sys
from pathlib import Path

CONFIG = """[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
[session]
timeout = 86400
max_attempt = 1000
"""


def main(folder, port, company):
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "company.sqlite"
    if not database.exists():
        shutil.copy(company, database)
    config = folder / "trytond.conf"
    config.write_text(CONFIG.format(folder=folder, port=port))
    server = str(Path(sys.executable).with_name("trytond"))
    os.execv(server, [server, "-c", str(config), "-d", "company"])


if __name__ == "__main__":
    main(*sys.argv[1:])
