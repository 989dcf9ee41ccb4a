#!/usr/bin/env python3
"""A node for every workload of Maelstrom, and mistakes to switch on: --flaw NAME.

Registers, transactions and logs live on the first node, to which the others pass requests on; with --log it keeps them in
the folder $BENCH_DATA. Sets and counters live on every node, which tells the others what it has five times a second.
A read without a key is one of a set, or with --counter of a counter."""

import argparse
import json
import os
import sys
import threading
import time

FLAWS = ["wrong-echo", "same-ids", "no-retry", "twice", "overwrite", "stale-read", "lost-append", "same-offset", "skip"]
options = argparse.ArgumentParser()
options.add_argument("--log", action="store_true", help="keep what the first node has in $BENCH_DATA")
options.add_argument("--counter", action="store_true", help="a read without a key is one of a counter, not of a set")
options.add_argument("--service", help="keep registers in this service of Maelstrom")
options.add_argument("--flaw", choices=FLAWS)
OPTIONS = options.parse_args()

lock = threading.RLock()
me, nodes, last_id = None, [], 0
neighbours = []
elements = []  # of the set, in the order in which they came
counts = {}  # by node, what it added to the counter: [sum of positive numbers, sum of negative numbers]
registers, lists, logs, committed = {}, {}, {}, {}
done = {}  # by client and request, the reply: a message may come twice
asked = {}  # by number, the request that waits for a service
log_file = None


def send(dest, body):
    with lock:
        sys.stdout.write(json.dumps({"src": me, "dest": dest, "body": body}) + "\n")
        sys.stdout.flush()


def reply(request, **body):
    send(request["src"], {**body, "in_reply_to": request["body"]["msg_id"]})


def next_id():
    global last_id
    last_id += 1
    return last_id


def apply(body):
    """Carries out a request on registers, transactions or logs."""
    kind = body["type"]
    if kind == "write":
        registers[body["key"]] = body["value"]
        return {"type": "write_ok"}
    if kind == "cas":
        held = registers.get(body["key"])
        if held is None:
            return {"type": "error", "code": 20, "text": "no such key"}
        if held != body["from"]:
            return {"type": "error", "code": 22, "text": f"it holds {held}"}
        registers[body["key"]] = body["to"]
        return {"type": "cas_ok"}
    if kind == "txn":
        steps = []
        for f, key, value in body["txn"]:
            if f == "append":
                held = lists.setdefault(key, [])
                if OPTIONS.flaw == "lost-append" and len(held) % 7 == 6:
                    held.pop()
                held.append(value)
            elif f == "w":
                lists[key] = value
            else:
                value = lists.get(key)
                value = list(value) if isinstance(value, list) else value
            steps.append([f, key, value])
        return {"type": "txn_ok", "txn": steps}
    if kind == "send":
        log = logs.setdefault(body["key"], [])
        log.append(body["msg"])
        offset = len(log) - 1
        return {"type": "send_ok", "offset": max(offset - 1, 0) if OPTIONS.flaw == "same-offset" and offset % 5 == 4 else offset}
    if kind == "poll":
        found = {}
        for key, start in body["offsets"].items():
            if OPTIONS.flaw == "skip" and start % 5 == 4:
                start += 1
            found[key] = [[offset, message] for offset, message in enumerate(logs.get(key, [])) if offset >= start][:10]
        return {"type": "poll_ok", "msgs": found}
    if kind == "commit_offsets":
        for key, offset in body["offsets"].items():
            committed[key] = max(offset, committed.get(key, -1))
        return {"type": "commit_offsets_ok"}
    if kind == "list_committed_offsets":
        return {"type": "list_committed_offsets_ok", "offsets": {key: committed[key] for key in body["keys"] if key in committed}}
    if registers.get(body["key"]) is None:
        return {"type": "error", "code": 20, "text": "no such key"}
    return {"type": "read_ok", "value": registers[body["key"]]}


def execute(client, body):
    """The same once for each request, on disk before it is answered."""
    name = f"{client} {body['msg_id']}"
    if name not in done:
        if log_file and body["type"] not in ("read", "poll", "list_committed_offsets"):
            log_file.write(json.dumps([client, body]) + "\n")
            log_file.flush()
            os.fsync(log_file.fileno())
        done[name] = apply(body)
    return done[name]


def recover():
    """Does again what the log says; a last line that is cut off was never answered."""
    global log_file
    path = os.path.join(os.environ["BENCH_DATA"], "log")
    whole = b""
    if os.path.exists(path):
        with open(path, "rb") as file:
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        for line in whole.splitlines():
            client, body = json.loads(line)
            done[f"{client} {body['msg_id']}"] = apply(body)
    with open(path, "wb") as file:
        file.write(whole)
    log_file = open(path, "a")


def on_first(request):
    """Registers, transactions and logs: the first node answers, the others pass on."""
    body = request["body"]
    if OPTIONS.service:
        asked[next_id()] = request
        return send(OPTIONS.service, {**body, "msg_id": last_id})
    if OPTIONS.flaw == "stale-read" and body["type"] == "read" and me != nodes[0] and body["key"] in registers:
        return reply(request, type="read_ok", value=registers[body["key"]])
    if me == nodes[0]:
        return reply(request, **execute(request["src"], body))
    send(nodes[0], {"type": "pass", "client": request["src"], "request": body})


def add_element(element):
    if element in elements:
        return False
    elements.append(element)
    if OPTIONS.flaw == "twice" and len(elements) % 7 == 0:
        elements.append(element)
    return True


def gossip():
    while True:
        time.sleep(0.2)
        with lock:
            others = neighbours or [node for node in nodes if node != me]
            if OPTIONS.flaw == "no-retry":
                continue
            for other in others:
                send(other, {"type": "gossip", "elements": elements, "counts": counts})


def on_gossip(body):
    for element in body["elements"]:
        add_element(element)
    for node, sums in body["counts"].items():
        own = counts.setdefault(node, [0, 0])
        if OPTIONS.flaw == "overwrite":
            counts[node] = sums
        else:
            counts[node] = [max(own[0], sums[0]), min(own[1], sums[1])]


def on_add(request, element):
    if add_element(element):
        for other in neighbours or [node for node in nodes if node != me]:
            if other != request["src"]:
                send(other, {"type": "tell", "element": element})


def handle(request):
    global me, nodes, neighbours
    body = request["body"]
    kind = body["type"]
    if body.get("in_reply_to") in asked:
        reply(asked.pop(body["in_reply_to"]), **{key: value for key, value in body.items() if key != "in_reply_to"})
    elif kind == "init":
        me, nodes = body["node_id"], body["node_ids"]
        if OPTIONS.log and me == nodes[0]:
            recover()
        threading.Thread(target=gossip, daemon=True).start()
        reply(request, type="init_ok")
    elif kind == "topology":
        neighbours = body["topology"][me]
        reply(request, type="topology_ok")
    elif kind == "echo":
        said = body["echo"]
        wrong = OPTIONS.flaw == "wrong-echo" and next_id() % 7 == 0
        reply(request, type="echo_ok", echo="What?" if wrong else said)
    elif kind == "generate":
        own = next_id()
        reply(request, type="generate_ok", id=own if OPTIONS.flaw == "same-ids" else f"{me}-{own}")
    elif kind == "broadcast":
        on_add(request, body["message"])
        reply(request, type="broadcast_ok")
    elif kind == "add" and "element" in body:
        on_add(request, body["element"])
        reply(request, type="add_ok")
    elif kind == "add":
        own = counts.setdefault(me, [0, 0])
        counts[me] = [own[0] + max(body["delta"], 0), own[1] + min(body["delta"], 0)]
        reply(request, type="add_ok")
    elif kind == "read" and "key" not in body:
        # One name for sets and counters, one for broadcasts.
        value = sum(sum(pair) for pair in counts.values()) if OPTIONS.counter else elements
        reply(request, type="read_ok", value=value, messages=elements)
    elif kind == "tell":
        on_add(request, body["element"])
    elif kind == "gossip":
        on_gossip(body)
    elif kind == "pass":
        answer = execute(body["client"], body["request"])
        answer = {"in_reply_to": body["request"]["msg_id"], **answer}
        send(request["src"], {"type": "passed", "client": body["client"], "key": body["request"].get("key"), "answer": answer})
    elif kind == "passed":
        if OPTIONS.flaw == "stale-read" and body["answer"]["type"] == "read_ok":
            registers.setdefault(body["key"], body["answer"]["value"])
        send(body["client"], body["answer"])
    else:
        on_first(request)


for line in sys.stdin:
    with lock:
        handle(json.loads(line))
