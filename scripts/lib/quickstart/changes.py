# SPDX-License-Identifier: Apache-2.0
# What quickstart itself changes on the primary while the index is being built: one record gets a new title and
# text, one is deleted. The live writers leave the first ten records alone.
from servers import Session, quote

CHANGED, DELETED = 3, 4
WORD = "gleiswechsel"  # German for a change of track; stands in no package


def make(socket):
    session = Session("db0", socket, "catalogue")
    session.query("UPDATE record SET summary = %s WHERE id = %d" % (quote("Changed during the run: " + WORD), CHANGED))
    session.query("BEGIN")
    for table, column in (("link", "record_id"), ("link", "target_id"), ("record_keyword", "record_id"),
                          ("record_person", "record_id"), ("record", "id")):
        session.query("DELETE FROM %s WHERE %s = %d" % (table, column, DELETED))
    session.query("COMMIT")
    session.close()


def check(socket, posted):
    """`posted`: {record: rows in the sealed files}, the index as it was frozen. Returns what is wrong."""
    session, wrong = Session("db0", socket, "catalogue"), []
    found = [int(r[0]) for r in session.rows("SELECT record FROM word_index WHERE term = '%s'" % WORD)]
    if found != [CHANGED]:
        wrong.append("the word of the changed record is found in %s, not in record %d" % (found, CHANGED))
    if not posted.get(DELETED):
        wrong.append("record %d was not in the frozen data: it proves nothing" % DELETED)
    if session.value("SELECT COUNT(*) FROM word_index WHERE record = %d" % DELETED) != "0":
        wrong.append("record %d is deleted and still found" % DELETED)
    session.close()
    return wrong


def search(socket, words):
    """(records found, the three best titles) by the index."""
    session = Session("db0", socket, "catalogue")
    rows = session.rows(
        "SELECT r.name, r.summary, COUNT(*) OVER () AS hits FROM (SELECT record, SUM(frequency * ELT(field, 8, 4, 1, 2, 2)) AS weight "
        "FROM word_index WHERE term IN (%s) GROUP BY record HAVING COUNT(DISTINCT term) = %d) AS w JOIN record AS r ON r.id = w.record "
        "ORDER BY w.weight DESC, r.name LIMIT 3" % (", ".join(quote(w) for w in words), len(words)))
    session.close()
    return int(rows[0][2]) if rows else 0, [(r[0], r[1]) for r in rows]
