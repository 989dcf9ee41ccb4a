# A client of MariaDB for transactions on lists: a list is a row, its elements are written with commas.
import json, sys
try:
    import pymysql
except ImportError:
    sys.exit("PyMySQL cannot be imported: the head of mariadb.toml says how to get it")

APPEND = "insert into lists values (%s, %s) on duplicate key update elements = concat(elements, ',', values(elements))"
connections = {}

def connect(address, seconds):
    ip, port = address.split(":")
    connection = pymysql.connect(host=ip, port=int(port), user="root", connect_timeout=seconds, read_timeout=seconds)
    connection.cursor().execute("create table if not exists bench.lists (k varchar(32) primary key, elements text)")
    connection.select_db("bench")
    return connection

def perform(connection, steps):
    connection.begin()
    cursor, done = connection.cursor(), []
    try:
        for kind, key, element in steps:
            if kind == "append":
                cursor.execute(APPEND, (key, str(element)))
                done.append([kind, key, element])
            else:
                cursor.execute("select elements from lists where k = %s", (key,))
                row = cursor.fetchone()
                done.append([kind, key, [int(element) for element in row[0].split(",")] if row else []])
    except pymysql.err.OperationalError as error:
        if error.args[0] not in (1205, 1213):  # a lock took too long, a deadlock
            raise
        connection.rollback()
        return {"type": "fail", "error": "deadlock"}
    connection.commit()
    return {"type": "ok", "value": done}

for line in sys.stdin:
    request = json.loads(line)
    address = request["address"]
    try:
        if address not in connections:
            connections[address] = connect(address, max(1, request["deadline_ms"] // 1000))
        answer = perform(connections[address], request["value"])
    except (pymysql.err.Error, OSError) as error:
        connections.pop(address, None)
        answer = {"type": "info", "error": type(error).__name__}  # it may have happened
    print(json.dumps({"id": request["id"], **answer}), flush=True)
