"""A server that answers as the hub, its content hosts and a package index do, faults included.

    python3 hub_server.py FOLDER

FOLDER/routes.json maps paths to routes, read again at every request:

    {"/org/repo/resolve/main/a.gguf": {"status": 302, "headers": {"Location": "/cdn/a"}},
     "/cdn/a": {"body": "a.bin", "etag": "\\"v1\\"", "steps": [{"cut": 1000}, {}]}}

A route: status (200), headers, body (a file of FOLDER), text (the body itself), etag, ranges
(true), gated (true: 401 without a token, 403 with another than "good"), cut (the connection is
closed after so many bytes of the body), stall (after so many bytes nothing more comes), length
(what Content-Length says instead of the truth). `steps`: what changes with the first request, the
second and so on; the last one stays. Every request is added to FOLDER/log.jsonl. The port is
printed as the first line."""
import http.server
import json
import pathlib
import re
import sys
import threading

FOLDER = pathlib.Path(sys.argv[1])
lock = threading.Lock()
served = {}
never = threading.Event()


def route_of(path):
    routes = json.loads((FOLDER / "routes.json").read_text(encoding="utf-8"))
    route = routes.get(path.split("?")[0])
    if route is None:
        return {"status": 404, "headers": {"X-Error-Code": "EntryNotFound"}, "text": "not found"}
    steps = route.get("steps", [{}])
    with lock:
        count = served.get(path, 0)
        served[path] = count + 1
    return route | (steps[min(count, len(steps) - 1)] or {})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        wanted = {name: self.headers.get(name)
                  for name in ("Host", "Range", "If-Range", "Authorization", "Accept")}
        with lock, open(FOLDER / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps({"method": self.command, "path": self.path} | wanted) + "\n")
        route = route_of(self.path)
        if route.get("gated"):
            token = self.headers.get("Authorization")
            if token != "Bearer good":
                route = {"status": 403 if token else 401, "text": "gated",
                         "headers": {"X-Error-Code": "GatedRepo"}}
        body = (FOLDER / route["body"]).read_bytes() if "body" in route else \
            route.get("text", "").encode()
        status, headers, body = self.part_of(route, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(route.get("length", len(body))))
        self.end_headers()
        if with_body:
            self.send_body(route, body)

    def part_of(self, route, body):
        """Status, headers and bytes of the answer, a range where one is asked for."""
        status = route.get("status", 200)
        headers = dict(route.get("headers", {}))
        etag = route.get("etag")
        if etag:
            headers["ETag"] = etag
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") in (None, etag)
        if status != 200 or not asked or not same or not route.get("ranges", True):
            return status, headers, body
        first = int(asked[1])
        last = min(int(asked[2] or len(body) - 1), len(body) - 1)
        if first > last:
            headers["Content-Range"] = f"bytes */{len(body)}"
            return 416, headers, b""
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, headers, body[first:last + 1]

    def send_body(self, route, body):
        end = min(route.get("cut", len(body)), route.get("stall", len(body)))
        try:
            self.wfile.write(body[:end])
            self.wfile.flush()
        except OSError:
            pass  # the client has enough
        if "stall" in route and end < len(body):
            never.wait()
        if end < len(body) or "length" in route:
            self.close_connection = True


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that went away
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
