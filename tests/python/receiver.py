"""A webhook receiver as a customer would write it, with a memory that survives a kill.

    receiver.py PORT LOG.jsonl        PORT 0 takes a free one; the first line printed is the port

Deliveries come to `/hooks/NAME`. Each is verified with the `standardwebhooks` library and appended to
the log, flushed to the disk, before it is answered. A bad signature is logged and answered 401.

How NAME answers is set by `PUT /control/NAME` with a JSON object, of which all parts may be left out:

    secret        the endpoint's secret, `whsec_...`; until it is known everything is refused
    answer        the status to answer with (200)
    times         for how many deliveries; then 200 again (for ever)
    hang_seconds  how long to wait before the answer (0)
    retry_after   the header of that name
    headers       other headers of the answer, by name

`GET /control/NAME` answers with the counts `{"verified", "refused", "answers": {status: n}}`.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook


class Log:
    """Lines that are on the disk when `append` returns."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def append(self, entry):
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())


class Hook:
    """One name: how it answers and what it has seen."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rules = {}
        self.verified = 0
        self.refused = 0
        self.answers = Counter()

    def set(self, rules):
        with self.lock:
            secret = self.rules.get("secret")
            self.rules = {"secret": secret, **rules}

    def verify(self, body, headers):
        """Nothing when the signature is right, else why it is refused."""
        secret = self.rules.get("secret")
        if not secret:
            return "no secret yet"
        try:
            Webhook(secret).verify(body, headers)
        except Exception as error:  # the library raises several kinds
            return f"{type(error).__name__}: {error}"
        return None

    def next_answer(self, refusal):
        """The status, the wait before it and its headers, counted."""
        with self.lock:
            rules = self.rules
            if refusal:
                self.refused += 1
                return 401, 0, {}
            self.verified += 1
            status = rules.get("answer", 200)
            if "times" in rules:
                rules["times"] -= 1
                if rules["times"] < 0:
                    status, rules = 200, {}
            self.answers[str(status)] += 1
            headers = dict(rules.get("headers", {}))
            if "retry_after" in rules:
                headers["Retry-After"] = rules["retry_after"]
            return status, rules.get("hang_seconds", 0), headers

    def counts(self):
        with self.lock:
            return {
                "verified": self.verified,
                "refused": self.refused,
                "answers": dict(self.answers),
            }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes: without this the second waits for the peer.
    disable_nagle_algorithm = True
    log = None
    hooks = {}
    hooks_lock = threading.Lock()

    def hook(self, name):
        with self.hooks_lock:
            return self.hooks.setdefault(name, Hook())

    def answer(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self):
        kind, name = self.place()
        if kind != "control":
            return self.answer(404)
        self.hook(name).set(json.loads(self.body() or b"{}"))
        return self.answer(204)

    def do_GET(self):
        kind, name = self.place()
        if kind != "control":
            return self.answer(404)
        return self.answer(200, json.dumps(self.hook(name).counts()).encode())

    def do_POST(self):
        kind, name = self.place()
        body = self.body()
        if len(body) < int(self.headers.get("Content-Length", 0)):
            # Whoever sends has been killed half way: that is no request.
            self.close_connection = True
            return None
        if kind != "hooks":
            return self.answer(404)
        hook = self.hook(name)
        headers = {key.lower(): value for key, value in self.headers.items()}
        refusal = hook.verify(body, headers)
        status, wait, more = hook.next_answer(refusal)
        self.log.append(self.entry(name, body, headers, refusal, status))
        time.sleep(wait)
        return self.answer(status, **more)

    def entry(self, name, body, headers, refusal, status):
        text = body.decode("utf-8", "replace")
        try:
            kind = json.loads(text).get("type")
        except (ValueError, AttributeError):
            kind = None
        return {
            "hook": name,
            "time": time.time(),
            "id": headers.get("webhook-id"),
            "type": kind,
            "verified": refusal is None,
            "refusal": refusal,
            "answer": status,
            "headers": headers,
            "body": text,
        }

    def place(self):
        _, kind, name = (self.path.split("/", 2) + ["", ""])[:3]
        return kind, name

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def main(port, path):
    Handler.log = Log(path)
    server = Server(("127.0.0.1", int(port)), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
