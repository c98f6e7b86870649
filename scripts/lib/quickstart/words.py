# SPDX-License-Identifier: Apache-2.0
# The index checked against the texts themselves. For a sample of words at the frozen GTID the server counts
# by regular expression where they stand; for the records changed during the run, this file cuts their texts
# anew. Word borders are those of Unicode's UAX #29: letters, digits and "_" hang together, so do "." and an
# apostrophe between letters, and "." "," ";" and an apostrophe between digits. Case and accents do not matter.
import gzip
import os
import random
import re
import unicodedata
from collections import Counter

from servers import Session, quote, together

FIELDS = (  # in the order of the job file
    ("name", "SELECT id, name AS text FROM catalogue.record"),
    ("summary", "SELECT id, summary AS text FROM catalogue.record"),
    ("description", "SELECT id, description AS text FROM catalogue.record WHERE description IS NOT NULL"),
    ("people", "SELECT rp.record_id AS id, p.name AS text FROM catalogue.record_person rp "
               "JOIN catalogue.person p ON p.id = rp.person_id"),
    ("keywords", "SELECT rk.record_id AS id, k.word AS text FROM catalogue.record_keyword rk "
                 "JOIN catalogue.keyword k ON k.id = rk.keyword_id"))
PLAIN = {"æ": "ae", "ð": "d", "đ": "d", "ø": "o", "þ": "th", "ħ": "h", "ı": "i", "ł": "l", "œ": "oe", "ŧ": "t"}
LETTER, DIGIT = r"[\p{Latin}\p{Greek}\p{Cyrillic}]", r"\p{Nd}"
INSIDE = r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Nd}\p{M}_]"
TERM_MAX = 64
TOKEN = re.compile(r"[A-Za-z0-9_]+(?:(?:(?<=[A-Za-z])[.'](?=[A-Za-z])|(?<=[0-9])[.,;'](?=[0-9]))[A-Za-z0-9_]+)*")


def variants():
    """{plain text: other ways to write it}: accents, ligatures, full-width letters, from Python's own tables."""
    found = {}
    for point in [*range(0x80, 0x250), *range(0x1E00, 0x1F00), *range(0x2100, 0x2140), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F)]:
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", chr(point)).casefold())
        plain = "".join(PLAIN.get(c, c) for c in folded if not unicodedata.combining(c))
        if re.fullmatch("[a-z0-9]{1,3}", plain):
            found.setdefault(plain, []).append(chr(point))
    return found


VARIANTS = variants()


def letter(char):
    if not char.isalnum():
        return re.escape(char)
    return r"[%s]\p{M}*" % (char + "".join(VARIANTS.get(char, [])))


def pattern(word):
    """A regular expression (PCRE, ICU) that matches each occurrence of an ASCII word as its group 1."""
    out, i = "", 0
    while i < len(word):
        part = next((word[i:i + n] for n in (3, 2) if len(word[i:i + n]) == n and word[i:i + n] in VARIANTS), word[i])
        single = "".join(letter(c) for c in part)
        out += single if len(part) == 1 else "(?:%s|[%s])" % (single, "".join(VARIANTS[part]))
        i += len(part)
    before = r"(?<!%s[.'’·])" % LETTER if word[0].isalpha() else r"(?<!%s[.,;'’])" % DIGIT if word[0].isdigit() else ""
    after = r"(?![.'’·]%s)" % LETTER if word[-1].isalpha() else r"(?![.,;'’]%s)" % DIGIT if word[-1].isdigit() else ""
    return "(?i)(?<!%s)%s(%s)(?!%s)%s" % (INSIDE, before, out, INSIDE, after)


# ---- a sample of words at the frozen GTID ---------------------------------------------------------------


def collect_texts(scratch):
    """All indexed texts of the scratch server in one table of its own; those in plain ASCII in lower case."""
    session = Session("scratch", scratch.socket)
    session.query("DROP DATABASE IF EXISTS words")
    session.query("CREATE DATABASE words CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    session.query("CREATE TABLE words.texts (record INT UNSIGNED NOT NULL, field TINYINT NOT NULL, odd BOOL NOT NULL, "
                  "text TEXT COLLATE utf8mb4_bin NOT NULL) ENGINE=" + session.flavor.scanned)
    for i, (_, query) in enumerate(FIELDS, 1):
        session.query("INSERT INTO words.texts SELECT id, %d, LENGTH(text) <> CHAR_LENGTH(text), "
                      "IF(LENGTH(text) <> CHAR_LENGTH(text), text, LOWER(text)) FROM (%s) AS q" % (i, query))
    session.close()


def read_index(folder, terms=None):
    """Yields (term, record, field, frequency) of the sealed result files: all, or those of some terms."""
    wanted = None if terms is None else {t.encode() for t in terms}
    for name in result_files(folder):
        with gzip.open(os.path.join(folder, name), "rb") as f:
            for line in f:
                term, rest = line.split(b"\t", 1)
                if wanted is None or term in wanted:
                    record, field, frequency = rest.split(b"\t")
                    yield term.decode(), int(record), int(field), int(frequency)


def result_files(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".tsv.gz"))


def count_terms(folder):
    """{term (bytes): postings}"""
    count = Counter()
    for name in result_files(folder):
        with gzip.open(os.path.join(folder, name), "rb") as f:
            count.update(line.split(b"\t", 1)[0] for line in f)
    return count


def choose(folder, scratch, seed, count):
    """(words, postings in the index): a third rare, a third frequent, a third taken from texts, not from the index."""
    dice, records = random.Random(seed), count_terms(folder)
    usable = sorted(t for t in records if 3 <= len(t) < TERM_MAX and re.fullmatch(rb"[a-z0-9][a-z0-9_.]*[a-z0-9]", t))
    frequent = sorted(usable, key=lambda t: (-records[t], t))[20:2000]
    session = Session("scratch", scratch.socket)
    texts = session.rows("SELECT text FROM words.texts WHERE field IN (2, 3) AND CRC32(CONCAT(record, %s)) %% 500 = 7 LIMIT 200" %
                         quote(seed))
    session.close()
    seen = sorted({w.lower() for (t,) in texts for w in re.findall(r"(?<![\w.'])[A-Za-z]{4,20}(?![\w.'])", t, re.A) if t.isascii()})
    third = count // 3
    words = {t.decode() for some in (usable, frequent) for t in dice.sample(some, min(third, len(some)))}
    return sorted(words | set(dice.sample(seen, min(count - 2 * third, len(seen))))), sum(records.values())


def count_in_server(scratch, words):
    """{(term, record, field): frequency} computed in SQL on the texts."""
    session, found = Session("scratch", scratch.socket), {}
    for word in words:
        for record, field, n in session.rows(
                "SELECT record, field, SUM(CHAR_LENGTH(REGEXP_REPLACE(text, %s, %s)) - CHAR_LENGTH(text)) AS n FROM words.texts "
                "WHERE odd OR LOCATE(%s, text) GROUP BY record, field HAVING n > 0" % (
                    quote(pattern(word)), quote(session.flavor.first_group + "~"), quote(word))):
            found[(word, int(record), int(field))] = int(n)
    session.close()
    return found


def check_sample(scratch, folder, seed, count=18):
    """(words, rows compared, postings in the whole index, differences); after collect_texts."""
    words, total = choose(folder, scratch, seed, count)
    expected = {}
    for part in together([lambda k=k: count_in_server(scratch, words[k::2]) for k in range(2)]):
        expected.update(part)
    indexed = {(t, r, f): n for t, r, f, n in read_index(folder, words)}
    wrong = ["%s in record %d, %s: index %s, SQL %s" % (key[0], key[1], FIELDS[key[2] - 1][0], indexed.get(key, 0), expected.get(key, 0))
             for key in sorted(set(expected) | set(indexed)) if expected.get(key) != indexed.get(key)]
    return words, len(expected), total, wrong


# ---- records changed during the run ----------------------------------------------------------------------


def tokens(text):
    return [w.lower()[:TERM_MAX] for w in TOKEN.findall(text) if re.search("[A-Za-z0-9]", w)]


def check_changed(socket, since, until):
    """Records changed in that time and not since: are they in the index as they are now, and the deleted ones gone?
    Times are UTC. Returns (changed, deleted, left out for letters beyond ASCII, differences)."""
    session = Session("db0", socket)
    session.query("SET SESSION time_zone = '+00:00'")
    session.query("CREATE TEMPORARY TABLE catalogue.check_ids (PRIMARY KEY (id)) ENGINE=MEMORY SELECT id FROM catalogue.record "
                  "WHERE changed_at >= '%s' AND changed_at < '%s'" % (since, until))
    expected, odd = {}, set()
    changed = {int(r[0]) for r in session.rows("SELECT id FROM catalogue.check_ids")}
    for field, (_, query) in enumerate(FIELDS, 1):
        for record, text in session.rows("SELECT q.* FROM (%s) AS q JOIN catalogue.check_ids c ON c.id = q.id" % query):
            if not text.isascii():
                odd.add(int(record))
                continue
            for term, n in Counter(tokens(text)).items():
                key = (term, int(record), field)
                expected[key] = expected.get(key, 0) + n
    indexed = {(t, int(r), int(f)): int(n) for t, r, f, n in session.rows(
        "SELECT w.term, w.record, w.field, w.frequency FROM catalogue.word_index w JOIN catalogue.check_ids c ON c.id = w.record")}
    wrong = ["%s in record %d, %s: index %s, text %s" % (k[0], k[1], FIELDS[k[2] - 1][0], indexed.get(k, 0), expected.get(k, 0))
             for k in sorted(set(expected) | set(indexed)) if k[1] not in odd and expected.get(k) != indexed.get(k)]
    deleted = "SELECT id FROM catalogue.deleted_record WHERE deleted_at >= '%s' AND deleted_at < '%s'" % (since, until)
    gone = session.rows(deleted)
    wrong += ["record %s is deleted and still has %s rows in the index" % tuple(row) for row in session.rows(
        "SELECT record, COUNT(*) FROM catalogue.word_index WHERE record IN (%s) GROUP BY record" % deleted)]
    session.close()
    return len(changed) - len(odd), len(gone), len(odd), wrong
