# A node of PySyncObj with an HTTP server before it: GET /k reads, PUT /k writes, each by a command in the replicated log.
#   pysyncobj-front.py IP PORT PEER-PORT FOLDER IP,IP
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
try:
    from pysyncobj import SyncObj, SyncObjConf, SyncObjException, replicated
except ImportError:
    sys.exit("PySyncObj cannot be imported: the head of pysyncobj.toml says how to get it")

class Store(SyncObj):
    def __init__(self, node, others, journal):
        self.items = {}
        # No compaction: a node that starts has its journal only.
        never = dict(logCompactionMinEntries=1 << 30, logCompactionMinTime=1 << 30)
        conf = SyncObjConf(journalFile=journal, connectionRetryTime=0.2, **never)
        super().__init__(node, others, conf)

    @replicated
    def write(self, key, value):
        self.items[key] = value
        return True

    @replicated
    def read(self, key):
        return self.items.get(key)

ip, port, peer, folder, others = sys.argv[1:]
store = Store(f"{ip}:{peer}", [f"{other}:{peer}" for other in others.split(",")], folder + "/journal")

class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def perform(self, command, *arguments):
        try:
            self.answer(200, {"value": command(self.path[1:], *arguments, sync=True, timeout=2)})
        except SyncObjException as error:  # it may still be applied
            self.answer(503, {"error": str(error.errorCode)})

    def do_GET(self):
        if self.path == "/":
            status = store.getStatus()
            return self.answer(200, {"leads": status["leader"] == status["self"], "term": status["raft_term"]})
        self.perform(store.read)

    def do_PUT(self):
        self.perform(store.write, int(self.rfile.read(int(self.headers["content-length"]))))

    def log_message(self, *_):
        pass

ThreadingHTTPServer((ip, int(port)), Front).serve_forever()
