# A client of RabbitMQ for the bench: puts elements into durable queues, with confirms, and takes them out.
#   rabbitmq-client.py persistent|transient          needs pika, in PYTHONPATH
import json, sys
try:
    import pika
except ImportError:
    sys.exit("the package pika is missing: pip install --target FOLDER pika, and PYTHONPATH=FOLDER")

mode = {"persistent": 2, "transient": 1}[sys.argv[1]]
channels = {}

def channel(request):
    """The channel to the node; sends nothing of the operation."""
    address = request["address"]
    if address not in channels:
        host, port = address.split(":")
        patience = request["deadline_ms"] / 1000
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            host, int(port), socket_timeout=patience, blocked_connection_timeout=patience, stack_timeout=patience))
        new = connection.channel()
        new.confirm_delivery()
        channels[address] = new, set()
    new, declared = channels[address]
    if request["key"] not in declared:
        new.queue_declare(request["key"], durable=True)
        declared.add(request["key"])
    return new

def perform(request, open_channel):
    key, value = request["key"], request["value"]
    if request["f"] == "enqueue":
        # Returns when the broker has confirmed; raises where it refuses or the connection ends.
        open_channel.basic_publish("", key, str(value), pika.BasicProperties(delivery_mode=mode), mandatory=True)
        return None
    method, _, body = open_channel.basic_get(key)
    if method is None:
        return None
    open_channel.basic_ack(method.delivery_tag)
    return int(body)

for line in sys.stdin:
    request, sent = json.loads(line), False
    try:
        ready, sent = channel(request), True
        answer = {"type": "ok", "value": perform(request, ready)}
    except Exception as error:  # of the library, of the socket: what counts is whether the operation was sent
        answer = {"type": "info" if sent else "fail", "error": type(error).__name__}
        channels.pop(request["address"], None)
    print(json.dumps({"id": request["id"], **answer}), flush=True)
