# A front for one NATS server: /kv/<key> and /kv/<key>/cas become reads and writes of a JetStream stream with three
# replicas, whose last message on a subject is the value of a key.
import asyncio, base64, json, os, subprocess, sys

name, ip, port, data, others, sync = sys.argv[1:]
peers = [peer.split("=")[1].split(":")[0] for peer in others.split(",")]
jetstream = dict(store_dir=data + "/nats")
if sync != "default":
    jetstream["sync_interval"] = sync
cluster = dict(name="bench", listen=ip + ":6222", routes=["nats://%s:6222" % peer for peer in peers])
config = dict(server_name=name, listen=ip + ":4222", jetstream=jetstream, cluster=cluster)
# Beside the data, not in it: it is no part of what a power loss may take.
path = os.path.dirname(data) + "/nats.conf"
with open(path, "w") as file:
    json.dump(config, file)
server = subprocess.Popen(["nats-server", "-c", path])

STREAM = dict(name="KV", subjects=["kv.>"], num_replicas=3, storage="file", max_msgs_per_subject=1, discard="new")
waiting, inboxes, nats = dict(), iter(range(1 << 60)), None


async def connect():
    """Connects to the server, and once more whenever the connection ends."""
    global nats
    while server.poll() is None:
        try:
            reader, writer = await asyncio.open_connection(ip, 4222)
            await reader.readline()
            options = dict(verbose=False, headers=True, no_responders=True, lang="py", version="0", protocol=1)
            writer.write(b"CONNECT " + json.dumps(options).encode() + b"\r\nSUB inbox.* 1\r\nPING\r\n")
            nats = writer
            while line := await reader.readline():
                words = line.decode().split()
                if words[0] == "PING":
                    writer.write(b"PONG\r\n")
                elif words[0] in ("MSG", "HMSG"):
                    body = (await reader.readexactly(int(words[-1]) + 2))[:-2]
                    # The server sends a message with headers where there is no responder.
                    answer = None if words[0] == "HMSG" else json.loads(body)
                    future = waiting.pop(words[1], None)
                    if future and not future.done():
                        future.set_result(answer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        nats = None
        await asyncio.sleep(0.02)
    os._exit(1)


async def ask(subject, body, expected=None):
    """What is answered to a message, or None. With `expected` it is taken only if this was the last on its subject."""
    if nats is None:
        return None
    inbox = "inbox.%s-%d-%d" % (name, os.getpid(), next(inboxes))
    waiting[inbox] = asyncio.get_running_loop().create_future()
    to = b"%s %s" % (subject.encode(), inbox.encode())
    if expected is None:
        nats.write(b"PUB %s %d\r\n%s\r\n" % (to, len(body), body))
    else:
        head = b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: %d\r\n\r\n" % expected
        nats.write(b"HPUB %s %d %d\r\n%s%s\r\n" % (to, len(head), len(head) + len(body), head, body))
    try:
        return await asyncio.wait_for(waiting[inbox], 0.8)
    except asyncio.TimeoutError:
        return None
    finally:
        waiting.pop(inbox, None)


async def made():
    """Makes the stream, once a leader of the cluster answers."""
    while True:
        answer = await ask("$JS.API.STREAM.CREATE.KV", json.dumps(STREAM).encode())
        if answer and "error" not in answer:
            return
        await asyncio.sleep(0.1)


def taken(answer):
    """Whether a message is acknowledged; a refusal has a sequence number too, 0."""
    return bool(answer) and "error" not in answer and answer.get("seq", 0) > 0


UNKNOWN = 504, dict(error="no answer")


async def read(key):
    """The value of a key and its sequence number; None where nothing is known of it."""
    # What the stream's leader has is current once a majority has taken a message after the read began.
    if not taken(await ask("kv.barrier", b"")):
        return None
    answer = await ask("$JS.API.STREAM.MSG.GET.KV", json.dumps(dict(last_by_subj="kv." + key)).encode())
    if answer and "message" in answer:
        return base64.b64decode(answer["message"].get("data", "")).decode(), answer["message"]["seq"]
    return (None, 0) if answer and answer.get("error", dict()).get("err_code") == 10037 else None


async def kv(method, key, body):
    if method == "GET":
        found = await read(key)
        if not found:
            return UNKNOWN
        return 200 if found[1] else 404, dict(value=found[0])
    if method == "PUT":
        return (200, dict(applied=True)) if taken(await ask("kv." + key, body)) else UNKNOWN
    wanted = json.loads(body)
    while found := await read(key):
        if found[0] != wanted["from"]:
            return 409, dict(actual=found[0])
        answer = await ask("kv." + key, wanted["to"].encode(), found[1])
        if taken(answer):
            return 200, dict(applied=True)
        # It is refused where another message came first.
        if not answer or answer.get("error", dict()).get("err_code") != 10071:
            break
    return UNKNOWN


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split()
            length = 0
            while (line := await reader.readline()).strip():
                header, value = line.decode().split(":", 1)
                length = int(value) if header.lower() == "content-length" else length
            body = await reader.readexactly(length)
            key = path.removeprefix("/kv/").removesuffix("/cas")
            known = path.startswith("/kv/") and method in ("GET", "PUT", "POST")
            status, answer = await kv(method, key, body) if known else (404, dict(error="not here"))
            text = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n%s" % (status, len(text), text))
            await writer.drain()
    except (OSError, ValueError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    front = await asyncio.start_server(serve, ip, int(port))
    await asyncio.gather(connect(), made(), front.serve_forever())


asyncio.run(main())
