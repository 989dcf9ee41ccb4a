#!/usr/bin/env python3
"""A set, a counter, ids, lists, locks and logs over HTTP, and mistakes to switch on: --flaw NAME.

With --log FILE each change is in the file, and synced, before it is acknowledged; without it a restart forgets everything.
One process, one thread: only what waits in the middle of a change can be interrupted by another request."""

import argparse
import asyncio
import json
import os
import time
from urllib.parse import parse_qs, urlsplit

FLAWS = ["lost-update", "same-ids", "lease", "lost", "duplicate", "reordered", "skip", "same-offset"]
options = argparse.ArgumentParser()
options.add_argument("address")
options.add_argument("--log")
options.add_argument("--flaw", choices=FLAWS)
OPTIONS = options.parse_args()

LEASE = 0.4  # seconds; a session renews the leases of its locks four times as often
SEGMENT = 4  # messages of a segment of a log
BATCH = 6  # messages of an answer
BLOCK = 1000  # offsets that are reserved at once

elements, lists, locks, logs, reserved = [], {}, {}, {}, {}
counts = {"counter": 0, "ids": 0}
starts = {}  # by log, the offset that comes first after a restart: those before were reserved
deadlines = {}  # by lock, when its lease ends
file, unsaved = None, []


def apply(change):
    """Carries out a change; also at the start, for each line of the file."""
    kind, *rest = change
    if kind == "element" and rest[0] not in elements:
        elements.append(rest[0])
    elif kind == "count":
        counts[rest[0]] = rest[1]
    elif kind == "list":
        lists[rest[0]] = rest[1]
    elif kind == "lock":
        locks[rest[0]] = rest[1]
    elif kind == "unlock":
        locks.pop(rest[0], None)
    elif kind == "message":
        logs.setdefault(rest[0], {})[rest[1]] = rest[2]
    elif kind == "reserve":
        reserved[rest[0]] = rest[1]


def save(*changes):
    if file:
        file.write("".join(json.dumps(change) + "\n" for change in changes))
        file.flush()
        os.fsync(file.fileno())
    for change in changes:
        apply(change)


def recover():
    """Does again what the file says; a last line that is cut off was never acknowledged."""
    global file
    whole = b""
    if os.path.exists(OPTIONS.log):
        with open(OPTIONS.log, "rb") as old:
            whole = old.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        for line in whole.splitlines():
            apply(json.loads(line))
    with open(OPTIONS.log, "wb") as new:
        new.write(whole)
    file = open(OPTIONS.log, "a")
    if OPTIONS.flaw == "duplicate":
        # The last message of each log is written again: it may not have been acknowledged.
        for key, log in list(logs.items()):
            save(["message", key, max(log) + 1, log[max(log)]])
    starts.update(reserved)


async def change(read, write):
    """Changes what is read into what is written. With the flaw, others may do the same between the two."""
    held = read()
    if OPTIONS.flaw == "lost-update":
        await asyncio.sleep(0.02)
    write(held)


def acquire(key, owner):
    if OPTIONS.flaw == "lease" and key in locks and deadlines.get(key, 0) < time.monotonic():
        save(["unlock", key])
    if key in locks:
        return 409, {"error": "held", "by": locks[key]}
    save(["lock", key, owner])
    deadlines[key] = time.monotonic() + LEASE
    return 201, {}


def release(key, owner):
    if locks.get(key) != owner:
        return 409, {"error": "not yours"}
    save(["unlock", key])
    return 200, {}


async def sessions():
    """As long as the store runs, so do the sessions of its clients, whose heartbeats renew their leases."""
    while True:
        await asyncio.sleep(LEASE / 4)
        await asyncio.sleep(0.02)  # after a pause, the heartbeats come behind the requests that have waited
        for key in locks:
            deadlines[key] = time.monotonic() + LEASE


async def send(key, message):
    log = logs.setdefault(key, {})
    waiting = [offset for _, of, offset, _ in unsaved if of == key]
    offset = max([starts.get(key, 0), *(last + 1 for last in [*log, *waiting])])
    if OPTIONS.flaw == "same-offset":
        await asyncio.sleep(0.03)
    if OPTIONS.flaw != "lost":
        save(["message", key, offset, message])
        return offset
    # Offsets are reserved on disk, and the last four messages are not written yet.
    if offset >= reserved.get(key, 0):
        save(["reserve", key, offset + BLOCK])
    unsaved.append(["message", key, offset, message])
    if len(unsaved) > 4:
        save(unsaved.pop(0))
    return offset


def poll(key, start):
    log = logs.get(key, {})
    found = [offset for offset in sorted(log) if offset >= start][:BATCH]
    if OPTIONS.flaw == "skip":
        # Where an answer goes on in the next segment, its first message is left out.
        found = [offset for offset in found if offset == start or offset % SEGMENT]
    if OPTIONS.flaw == "reordered":
        # Segments in the order of their names, in which 10 comes before 9.
        found.sort(key=lambda offset: (str(offset // SEGMENT), offset))
    return [[offset, log[offset]] for offset in found]


async def answer(method, path, query, body):
    name, _, key = path.strip("/").partition("/")
    if name == "set" and method == "POST":
        save(["element", body["element"]])
        return 201, {}
    if name == "set":
        return 200, {"elements": elements}
    if name == "counter" and method == "POST":
        await change(lambda: counts["counter"], lambda held: save(["count", "counter", held + body["delta"]]))
        return 201, {}
    if name == "counter":
        return 200, {"value": counts["counter"]}
    if name == "ids":
        if OPTIONS.flaw == "same-ids":
            return 201, {"id": time.time_ns() // 10_000_000}  # the clock, in hundredths of a second
        save(["count", "ids", counts["ids"] + 1])
        return 201, {"id": counts["ids"]}
    if name == "lists" and method == "POST":
        await change(lambda: lists.get(key, []), lambda held: save(["list", key, held + [body["element"]]]))
        return 201, {}
    if name == "lists":
        return 200, {"elements": lists.get(key, [])}
    if name == "locks":
        return (acquire if method == "POST" else release)(key, query["owner"][0])
    if name == "logs" and method == "POST":
        return 201, {"offset": await send(key, body["message"])}
    if name == "logs":
        return 200, {"messages": poll(key, int(query["from"][0]))}
    return 404, {"error": "no such path"}


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            length = next((int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
            body = json.loads(await reader.readexactly(length)) if length else None
            url = urlsplit(target)
            status, said = await answer(method, url.path, parse_qs(url.query), body)
            text = json.dumps(said).encode()
            writer.write(f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n".encode() + text)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    if OPTIONS.log:
        recover()
    ip, port = OPTIONS.address.split(":")
    server = await asyncio.start_server(serve, ip, int(port))
    asyncio.get_running_loop().create_task(sessions())
    await server.serve_forever()


asyncio.run(main())
