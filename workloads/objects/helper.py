#!/usr/bin/env python3
"""A client of store.py for `kind = "exec"`: requests come on standard input, answers go to standard output."""

import http.client
import json
import sys

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


def is_counter():
    """Whether the workload is a counter: add and read are those of sets too."""
    return sys.argv[1:] == ["counter"]


def perform(request):
    f, key, value = request["f"], request.get("key", ""), request["value"]
    if f == "add" and is_counter():
        status, said = ask(request, "POST", "/counter", {"delta": value})
    elif f == "add":
        status, said = ask(request, "POST", "/set", {"element": value})
    elif f == "read" and is_counter():
        status, said = ask(request, "GET", "/counter")
    elif f == "read":
        status, said = ask(request, "GET", "/set")
    elif f == "generate":
        status, said = ask(request, "POST", "/ids")
    elif f == "acquire":
        status, said = ask(request, "POST", f"/locks/{key}?owner={value['client']}")
    elif f == "release":
        status, said = ask(request, "DELETE", f"/locks/{key}?owner={value['client']}")
    elif f == "send":
        status, said = ask(request, "POST", f"/logs/{key}", {"message": value})
    elif f == "poll":
        status, said = ask(request, "GET", f"/logs/{key}?from={value}")
    else:
        return {"type": "fail", "error": "no such function"}
    if status == 409:
        return {"type": "fail", "error": "precondition"}
    if status in (200, 201):
        return {"type": "ok", "value": next(iter(said.values()), None)}
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
