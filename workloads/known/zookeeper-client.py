# A client of ZooKeeper: a key is the node /KEY.
#   zookeeper-client.py plain|sync: whether a `sync` comes before each read
import json, logging, sys
try:
    from kazoo.client import KazooClient
    from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
    from kazoo.handlers.threading import KazooTimeoutError
except ImportError:
    sys.exit("kazoo cannot be imported: the head of zookeeper.toml says how to get it")

logging.disable()
synced = sys.argv[1] == "sync"
connections = {}

def perform(request):
    address, path, seconds = request["address"], "/" + request["key"], request["deadline_ms"] / 1000
    if address not in connections:
        connections[address] = KazooClient(hosts=address, timeout=4)
        connections[address].start_async().wait(seconds)
    client = connections[address]  # it connects again by itself
    if not client.connected:
        return {"type": "fail", "error": "not-connected"}
    if request["f"] == "read":
        if synced:
            client.sync_async(path).get(timeout=seconds)
        try:
            return {"type": "ok", "value": int(client.get_async(path).get(timeout=seconds)[0])}
        except NoNodeError:
            return {"type": "ok", "value": None}
    value = str(request["value"]).encode()
    try:
        client.set_async(path, value).get(timeout=seconds)
    except NoNodeError:
        try:
            client.create_async(path, value).get(timeout=seconds)
        except NodeExistsError:
            client.set_async(path, value).get(timeout=seconds)
    return {"type": "ok"}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = perform(request)
    except (KazooException, KazooTimeoutError) as error:
        answer = {"type": "info", "error": type(error).__name__}  # it may have happened
    print(json.dumps({"id": request["id"], **answer}), flush=True)
