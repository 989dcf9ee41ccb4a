# helper.py: a client of store.py. Requests come on standard input, answers go to standard output.
import http.client, json, sys

connections = {}

def ask(request, method, path, body=None):
    """Sends one HTTP request to the node, over the connection that there is."""
    address = request["address"]
    if address not in connections:
        connections[address] = http.client.HTTPConnection(address, timeout=request["deadline_ms"] / 1000)
        connections[address].connect()
    connections[address].request(method, path, body and json.dumps(body))
    answer = connections[address].getresponse()
    return answer.status, json.loads(answer.read())

def perform(request):
    if request["f"] == "read":
        status, body = ask(request, "GET", "/api/items/" + request["key"])
        if status == 200:
            return {"type": "ok", "value": body["val"]}
        if status == 404 and body["error"] == "no such item":
            return {"type": "ok", "value": None}
    if request["f"] == "write":
        status, body = ask(request, "POST", "/api/items", {"id": request["key"], "val": request["value"]})
        if status == 201:
            return {"type": "ok"}
    return {"type": "info", "error": f"http-{status}"}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = perform(request)
    except ConnectionRefusedError:
        answer = {"type": "fail", "error": "connection-refused"}  # nothing was sent
    except (OSError, http.client.HTTPException, ValueError) as error:
        answer = {"type": "info", "error": type(error).__name__}  # it may have happened
    if "error" in answer:
        connections.pop(request["address"], None)
    print(json.dumps({"id": request["id"], **answer}), flush=True)
