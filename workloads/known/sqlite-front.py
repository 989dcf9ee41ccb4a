# An HTTP server before one SQLite database: GET /k reads, PUT /k writes, each in a transaction of its own.
#   sqlite-front.py IP PORT FOLDER JOURNAL-MODE SYNCHRONOUS
import json, sqlite3, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ip, port, folder, journal, synchronous = sys.argv[1:]
database = sqlite3.connect(folder + "/store.db", isolation_level=None, check_same_thread=False)
database.execute(f"pragma journal_mode = {journal}")
database.execute(f"pragma synchronous = {synchronous}")
database.execute("create table if not exists items (k text primary key, v text)")
lock = threading.Lock()

class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with lock:
            row = database.execute("select v from items where k = ?", (self.path[1:],)).fetchone()
        self.answer(200, {"value": row and row[0]})

    def do_PUT(self):
        value = self.rfile.read(int(self.headers["content-length"])).decode()
        with lock:
            database.execute("insert or replace into items values (?, ?)", (self.path[1:], value))
        self.answer(200, {"done": True})

    def log_message(self, *_):
        pass

ThreadingHTTPServer((ip, int(port)), Front).serve_forever()
