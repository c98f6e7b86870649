# SPDX-License-Identifier: Apache-2.0
# Are servers equal, table by table? All are brought to one GTID first; the checksum of a table does not
# depend on the order of its rows. Definitions are compared as well.
import re

from servers import Session, together

SUM = "SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CRC32(x)), 0), ':', BIT_XOR(CRC32(x))) FROM (SELECT CONCAT_WS('|', %s) AS x FROM %s) AS t"


def name(text):
    return "`" + text.replace("`", "``") + "`"


def columns(session, database, table):
    rows = session.rows("SELECT column_name FROM information_schema.columns WHERE table_schema = '%s' AND table_name = '%s' "
                        "ORDER BY ordinal_position" % (database, table))
    return [row[0] for row in rows]


def tables(session, database):
    return [row[0] for row in session.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = '%s' AND "
                                           "table_type = 'BASE TABLE' ORDER BY table_name" % database)]


def checksum(session, database, table):
    parts = ["COALESCE(HEX(CAST(%s AS BINARY)), 'N')" % name(c) for c in columns(session, database, table)]
    return session.value(SUM % (", ".join(parts), name(database) + "." + name(table)))


def definition(session, database, table):
    text = session.rows("SHOW CREATE TABLE %s.%s" % (name(database), name(table)))[0][1]
    # A collation names its character set; whether both are written depends in MySQL on the statement that made the table.
    return re.sub(r" AUTO_INCREMENT=\d+| CHARACTER SET \w+(?= COLLATE )", "", text)


def picture(server, socket, databases):
    """{"database.table": (definition, checksum)} of one server as it stands."""
    session = Session(server, socket)
    session.query("SET SESSION time_zone = '+00:00'")
    result = {}
    for database in databases:
        for table in tables(session, database):
            result["%s.%s" % (database, table)] = (definition(session, database, table), checksum(session, database, table))
    session.close()
    return result


def wait_for(server, socket, gtid, seconds=300):
    """Waits until a replica has applied `gtid`; False if it has not in time."""
    session = Session(server, socket, timeout=seconds + 10)
    reached = session.value("SELECT %s('%s', %d)" % (session.flavor.wait, gtid, seconds)) == "0"
    session.close()
    return reached


def position(socket):
    session = Session("db0", socket)
    gtid = session.value("SELECT " + session.flavor.written)
    session.close()
    return gtid


def differences(reference, other):
    """Names of tables that are not equal, each with how."""
    wrong = []
    for table in sorted(set(reference) | set(other)):
        if table not in other:
            wrong.append(table + " is missing")
        elif table not in reference:
            wrong.append(table + " is one too many")
        elif reference[table][0] != other[table][0]:
            wrong.append(table + " is defined otherwise")
        elif reference[table][1] != other[table][1]:
            wrong.append("%s differs (%s, %s)" % (table, reference[table][1], other[table][1]))
    return wrong


def equal_servers(primary, others, databases):
    """Compares {name: socket} with the primary, which nobody writes to. Returns (gtid, tables, rows, {name: differences})."""
    for _ in range(5):
        gtid = position(primary)
        reached = together([lambda s=s, p=p: wait_for(s, p, gtid) for s, p in others.items()])
        late = [server for server, ok in zip(others, reached) if not ok]
        if late:
            return gtid, 0, 0, {server: ["does not reach " + gtid] for server in late}
        pictures = together([lambda: picture("db0", primary, databases)] +
                            [lambda s=s, p=p: picture(s, p, databases) for s, p in others.items()])
        wrong = {server: differences(pictures[0], p) for server, p in zip(others, pictures[1:])}
        if position(primary) == gtid:
            break  # nothing was written while we looked
    rows = sum(int(checksum_text.split(":")[0]) for _, checksum_text in pictures[0].values())
    return gtid, len(pictures[0]), rows, wrong
