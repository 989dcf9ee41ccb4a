# A client of PostgreSQL for the bench: reads, writes and lists, each a transaction of its own at the given isolation level.
#   postgres-client.py [ISOLATION LEVEL [mixed]]          needs pg8000, in PYTHONPATH
# mixed: every second transaction does not wait for a standby.
import json, sys
try:
    import pg8000.dbapi as postgres
except ImportError:
    sys.exit("the package pg8000 is missing: pip install --target FOLDER pg8000, and PYTHONPATH=FOLDER")

level = sys.argv[1] if len(sys.argv) > 1 else "serializable"
mixed = sys.argv[2:] == ["mixed"]
connections = {}

def connection(request):
    """The connection to the node; sends nothing of the operation."""
    address = request["address"]
    if address not in connections:
        host, port = address.split(":")
        new = postgres.connect("postgres", host=host, port=int(port), timeout=request["deadline_ms"] / 1000)
        cursor = new.cursor()
        cursor.execute("select pg_is_in_recovery()")
        if not cursor.fetchone()[0]:  # a standby has the table from its primary
            cursor.execute("create table if not exists items (k text primary key, v text not null)")
        new.commit()
        connections[address] = new
    return connections[address]

def give_up(request, answered):
    """Ends the transaction, which holds locks; where the server did not answer, the connection too."""
    session = connections.pop(request["address"], None)
    try:
        if answered:
            session.rollback()
            connections[request["address"]] = session
        elif session:
            session.close()
    except Exception:  # it is gone anyway
        pass

def value(text):
    return None if text is None else int(text)

def step(cursor, kind, key, written):
    """One step of a transaction, with what it read."""
    if kind == "r":
        cursor.execute("select v from items where k = %s", (key,))
        row = cursor.fetchone()
        return [kind, key, row and [int(item) for item in row[0].split(",")]]
    cursor.execute("insert into items values (%s, %s) on conflict (k) do update set v = items.v || ',' || excluded.v",
                   (key, str(written)))
    return [kind, key, written]

def perform(request, cursor):
    key, given = request.get("key"), request["value"]
    if request["f"] == "read":
        cursor.execute("select v from items where k = %s", (key,))
        row = cursor.fetchone()
        return value(row and row[0])
    if request["f"] == "write":
        cursor.execute("insert into items values (%s, %s) on conflict (k) do update set v = excluded.v", (key, str(given)))
        return None
    return [step(cursor, *one) for one in given]

for line in sys.stdin:
    request, phase = json.loads(line), "connect"
    try:
        session = connection(request)
        phase, cursor = "work", session.cursor()
        cursor.execute("set transaction isolation level " + level)
        if mixed and request["id"] % 2:
            cursor.execute("set local synchronous_commit = local")
        result = perform(request, cursor)
        phase = "commit"
        session.commit()
        answer = {"type": "ok", "value": result}
    except Exception as error:  # of the driver, of the socket: what counts is whether the commit was sent
        answered = bool(error.args) and isinstance(error.args[0], dict)
        code = error.args[0].get("C", "") if answered else type(error).__name__
        # A transaction that was not committed never happens; nor does one that the server refused with a code.
        certain = phase != "commit" or code in ("40001", "40P01")
        answer = {"type": "fail" if certain else "info", "error": code}
        give_up(request, answered and phase == "work")
    print(json.dumps({"id": request["id"], **answer}), flush=True)
