# SPDX-License-Identifier: Apache-2.0
# Turns the machine's own package index (apt-cache dumpavail) into the tables of catalogue.sql, one
# TSV file a table in the form LOAD DATA reads by default. Where apt has nothing, the sample kept
# beside this file takes its place.
import email.utils
import functools
import gzip
import os
import re
import subprocess

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sample.txt.gz")
LINK_KINDS = {"Pre-Depends": "depends", "Depends": "depends", "Recommends": "recommends", "Suggests": "suggests"}
FEWEST = 1000  # records: fewer than this in apt is an index that was never fetched
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0", "\r": "\\r"})
ESCAPED = re.compile(r"[\\\t\n\0\r]")
TOLD = ("Source", "Provides", "Enhances")  # told in the description, as a reader of the record sees them
WANTED = ("Package", "Version", "Section", "Maintainer", "Uploaders", "Description", "Homepage", "Size", "Tag", *LINK_KINDS, *TOLD)
FIELD = re.compile(r"^(%s): *(.*(?:\n .*)*)" % "|".join(WANTED), re.M)
TAG = re.compile(r"([^\s,{]+)(?:\{([^}]*)\})?")
LINKED = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9]+)?(?: *\(([^)]*)\))?[^,|]*(?:[,|] *|$)")


def stanzas(text):
    """Yields each record as a dict of the fields read here; a continuation line follows after a newline."""
    for block in text.split("\n\n"):
        fields = {key: value.rstrip().replace("\n ", "\n") for key, value in FIELD.findall(block)}
        if "Package" in fields and "Description" in fields:
            yield fields


def read_apt():
    try:
        text = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.CalledProcessError):
        return []
    return list(stanzas(text))


def read_sample():
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as f:
        return list(stanzas(f.read()))


def spread(records, limit):
    """At most `limit` records, taken evenly from the whole."""
    if not limit or limit >= len(records):
        return records
    return [records[i * len(records) // limit] for i in range(limit)]


@functools.lru_cache(maxsize=None)
def people(text):
    return [(name or address, address) for name, address in email.utils.getaddresses([text]) if name or address]


def keywords(fields):
    """The section and the tags; "x::{y,z}" is x::y and x::z."""
    words = {fields.get("Section", "misc").split("/")[-1]}
    for stem, inner in TAG.findall(fields.get("Tag", "")):
        words.update(stem + part for part in inner.split(","))
    return sorted(words)


def links(fields, ids):
    """(kind, target id) → rule; names that are no record here (virtual packages) are left out."""
    found = {}
    for field, kind in LINK_KINDS.items():
        for name, rule in LINKED.findall(fields.get(field, "")):
            if name in ids:
                found.setdefault((kind, ids[name]), []).append(rule)
    return found


def description(fields, long_text):
    told = ["%s: %s" % (key, fields[key]) for key in TOLD if key in fields]
    return "\n".join(([long_text] if long_text else []) + told)[:16000] or None


def tsv(value):
    if value is None:
        return "\\N"
    return value.translate(ESCAPES) if ESCAPED.search(value) else value


class Table:
    def __init__(self, folder, name, columns):
        self.name, self.columns, self.rows = name, columns, 0
        self.path = os.path.join(folder, name + ".tsv")
        self.file = open(self.path, "w", encoding="utf-8", newline="\n")

    def add(self, *values):
        """Numbers are written as they are, texts escaped."""
        self.rows += 1
        self.file.write("\t".join([str(v) if type(v) is int else tsv(v) for v in values]) + "\n")


class Ids:
    """Numbers for distinct values, in the order of their first sight; a new one is written to its table."""

    def __init__(self, table):
        self.table, self.ids = table, {}

    def get(self, *value):
        value = tuple(v[:190] for v in value)
        if value not in self.ids:
            self.ids[value] = len(self.ids) + 1
            self.table.add(self.ids[value], *value)
        return self.ids[value]


def write(folder, limit=0, sample=False):
    """Writes the TSV files; returns (where from, {table: (path, columns, rows)})."""
    records = [] if sample else read_apt()
    source = "apt-cache dumpavail"
    if len(records) < FEWEST:
        records, source = read_sample(), "the sample in the repository (apt has no package index here)"
    records = spread(records, limit)
    tables = {name: Table(folder, name, columns) for name, columns in {
        "record": "id, name, version, section, summary, description, homepage, size",
        "person": "id, name, email", "record_person": "record_id, person_id, role",
        "keyword": "id, word", "record_keyword": "record_id, keyword_id",
        "link": "record_id, kind, target_id, rule"}.items()}
    ids = {s["Package"]: i for i, s in enumerate(records, 1)}
    person, keyword = Ids(tables["person"]), Ids(tables["keyword"])
    for i, s in enumerate(records, 1):
        add_record(tables, i, s, ids, person, keyword)
    for table in tables.values():
        table.file.close()
    return source, {t.name: (t.path, t.columns, t.rows) for t in tables.values()}


def add_record(tables, i, s, ids, person, keyword):
    summary, _, long_text = s.get("Description", "").partition("\n")
    tables["record"].add(i, s["Package"][:190], s.get("Version", "")[:190], s.get("Section", "misc")[:60], summary[:500],
                         description(s, long_text), s.get("Homepage", "")[:500] or None, s.get("Size"))
    roles = {(person.get(*who), role) for field, role in (("Maintainer", "maintainer"), ("Uploaders", "uploader"))
             for who in people(s.get(field, ""))}
    for who, role in sorted(roles):
        tables["record_person"].add(i, who, role)
    for number in sorted({keyword.get(word) for word in keywords(s)}):
        tables["record_keyword"].add(i, number)
    for (kind, target), rules in links(s, ids).items():
        tables["link"].add(i, kind, target, ", ".join(filter(None, rules))[:190] or None)


def make_sample(count, path=SAMPLE):
    """Writes the sample from this machine's index: only the fields that are read here."""
    with gzip.GzipFile(path, "wb", 9, mtime=0) as f:
        for s in spread(read_apt(), count):
            text = "".join("%s: %s\n" % (k, s[k].replace("\n", "\n ")) for k in WANTED if k in s)
            f.write((text + "\n").encode())


if __name__ == "__main__":
    import sys
    if len(sys.argv) == 3 and sys.argv[1] == "make-sample":
        make_sample(int(sys.argv[2]))
    elif len(sys.argv) == 2 and os.path.isdir(sys.argv[1]):
        print(write(sys.argv[1]))
    else:
        sys.exit("usage: catalogue.py FOLDER (writes the TSV files) | make-sample RECORDS")
