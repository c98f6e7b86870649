# SPDX-License-Identifier: Apache-2.0
"""The calls of all functions of the tree, from gcc's call graph of each file. A call through a pointer is resolved by
following the functions that reach it: as an argument, a member of a struct or a row of a table. A function handed to
a call that runs it at once counts as called by the one that hands it over; one that is stored until the loop or a
thread runs it does not, so a timer may arm itself."""
import concurrent.futures
import glob
import json
import os
import re
import shlex
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOPS = ("common/", "orchestrator/", "replica-agent/")

# Functions outside the tree that run what they are given before they return.
AT_ONCE = {"qsort", "qsort_r", "bsearch", "bsearch_r", "tsearch", "tfind", "twalk", "nftw", "ftw", "scandir",
           "pthread_once", "lfind", "lsearch"}


# ---- what the compiler says ----------------------------------------------------------------------------------


def stale(target, depfile):
    if not os.path.exists(target) or not os.path.exists(depfile):
        return True
    with open(depfile, encoding="utf-8") as deps:
        names = deps.read().replace("\\\n", " ").split(":", 1)[1].split()
    made = os.path.getmtime(target)
    return any(not os.path.exists(n) or os.path.getmtime(n) > made for n in names if not n.startswith("/usr/"))


def compile_one(source, command, build, out):
    """Leaves source's call graph, its gimple and its assembly in the folder out."""
    base = os.path.join(out, source.replace("/", "__")[:-2])
    if not stale(base + ".s", base + ".d"):
        return base
    for old in glob.glob(base + ".*"):
        os.unlink(old)
    words = shlex.split(command)
    keep = [w for w in words if w.startswith(("-D", "-std", "-f", "-p")) and "diagnostics" not in w and "sanitize" not in w]
    keep += [w if os.path.isabs(w[2:]) else "-I" + ROOT + "/" + os.path.relpath(os.path.join(build, w[2:]), ROOT)
             for w in words if w.startswith("-I")]
    subprocess.run(["gcc", "-O0", "-w", "-S", "-MMD", "-MF", base + ".d", "-fcallgraph-info", "-fdump-tree-gimple=" +
                    base + ".gimple"] + keep + ["-o", base + ".s", source], cwd=ROOT, check=True)
    return base


def compile_all(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        rows = json.load(f)
    out = os.path.join(build, "callgraph")
    os.makedirs(out, exist_ok=True)
    commands = {}
    for row in rows:
        source = os.path.relpath(os.path.join(row["directory"], row["file"]), ROOT)
        if source.startswith(TOPS):
            commands.setdefault(source, row["command"])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bases = pool.map(lambda s: compile_one(s, commands[s], build, out), sorted(commands))
        return dict(zip(sorted(commands), bases))


# ---- reading it ----------------------------------------------------------------------------------------------


class Graph:
    """Functions are "name" where extern, "file:name" where static. calls: {caller: {callee: place}}, of them `direct`
    without those through pointers; outside: the same for callees that are not ours."""

    def __init__(self):
        self.file, self.direct, self.calls, self.outside = {}, {}, {}, {}
        self.bodies, self.tables, self.returns = [], [], {}

    def own(self, source, name):
        """The function that `name` means in source, None if it is not ours."""
        static = source + ":" + name
        return static if static in self.file else name if name in self.file else None


def read_calls(g, source, path):
    edges = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            match = re.match(r'node: \{ title: "([^"]+)" label: "[^"\\]*\\n(?:\./)?([^":]*):', line)
            if match and "shape" not in line and match[1].endswith(".c:" + match[1].split(":")[-1]) or \
                    match and "shape" not in line and ":" not in match[1]:
                g.file[match[1]] = source
            match = re.match(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)" label: "([^"]+)"', line)
            if match:
                # an extern function that calls itself is called by a local alias
                callee = re.sub(r"^.*:(\w+)\.localalias$", r"\1", match[2])
                edges.append((match[1], callee, re.sub(r":\d+$", "", match[3]).removeprefix("./")))
    return edges


def read_bodies(g, source, path):
    """The bodies of source's functions: (source, function, {parameter or variable: type}, [parameter], lines)."""
    head, body = None, []
    if not os.path.exists(path):  # a file of tables alone
        return
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            line = line.rstrip("\n")
            if line == "}" and head:
                name = g.own(source, head[2])
                if name:
                    g.returns[name] = head[1]
                    given = [declared(p) for p in split(head[3])]
                    types = dict(given)
                    types.update(declared(b[:-1]) for b in body if DECLARATION.match(b))
                    g.bodies.append((source, name, types, [n for n, _ in given], body))
                head = None
            elif line and line[0] not in " {}<":
                head, body = re.match(r"^.*?(\w+) (\w+) \((.*)\)$", line.replace("* ", "")) or \
                    re.match(r"^()(\w+) \((.*)\)$", line), []
            elif head and line.strip():
                body.append(line.strip())


DECLARATION = re.compile(r"^(?:const |static |struct |union |enum )*\w+(?: \w+)?(?: const)?(?: \*)* (?:const )?[\w.]+(?: ?\[.*\])?;$"
                         r"|^[\w ]+ \(\*<\w+>\) \(.*\) \w+;$")


def declared(text):
    """("name", "Type") of a declaration as gcc prints it: "const struct Call * c" gives c, Call."""
    match = re.search(r"([\w.]+)\s*(?:\[.*\])?$", text)
    kind = re.search(r"(?:struct|union) (\w+)", text) or re.match(r"(?:const )?(\w+)", text)
    return (match[1] if match else "", kind[1] if kind else "")


def read_tables(g, source, path):
    """(source, table, function) for each function that static data of source holds."""
    label = None
    with open(path, encoding="utf-8") as f:
        for line in f:
            if re.match(r"[A-Za-z_][\w.]*:$", line):
                label = line.split(":")[0].split(".")[0]
            match = re.match(r"\t\.quad\t([A-Za-z_]\w*)$", line)
            fn = match and g.own(source, match[1])
            if fn:
                g.tables.append((source, label, fn))


def split(text):
    """At the commas outside brackets and strings."""
    parts, depth, last, quoted, skip = [], 0, "", False, False
    for c in text:
        if quoted:
            quoted, skip = skip or c != '"', c == "\\" and not skip
        elif c == '"':
            quoted = True
        else:
            depth += (c in "({[") - (c in ")}]")
        if c == "," and depth == 0 and not quoted:
            parts.append(last.strip())
            last = ""
        else:
            last += c
    return parts + [last.strip()] if last.strip() else parts


# ---- structs: which members hold functions --------------------------------------------------------------------


class Structs:
    """{struct: {member: type}}; the type is "*" where it is a pointer to a function. A struct is "file:Name" where a
    source file has it for itself, "top folder:Name" where a header has."""

    def __init__(self, sources):
        self.members, self.functions, self.text = {}, set(), {}
        for path in sources:
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                self.text[path] = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        for text in self.text.values():
            self.functions.update(re.findall(r"typedef [\w *]+\(\*?(\w+)\)\(", text))
            self.functions.update(re.findall(r"typedef [\w ]+[ *](\w+)\([^;]*\);", text))
        for path, text in self.text.items():
            scope = path if path.endswith(".c") else path.split("/")[0]
            for match in re.finditer(r"\bstruct (\w*)\s*\{", text):
                body = text[match.end():self.end(text, match.end())]
                after = re.match(r"\}\s*(\w+)?", text[match.end() + len(body):])
                for name in {match[1], after and after[1]} - {"", None}:
                    self.members.setdefault(scope + ":" + name, {}).update(self.read(body))

    def find(self, scope, name):
        """The struct that name means in a source file (or in the headers of a top folder), "?" if it holds no functions
        that we can see: wire objects, structs of libraries."""
        for place in (scope, scope.split("/")[0], "common"):
            if place + ":" + name in self.members:
                return place + ":" + name
        return "?"

    def of_member(self, struct, member):
        if struct not in self.members:
            return struct
        kind = self.members[struct].get(member, "")
        return kind if kind in ("", "*") else self.find(struct.split(":")[0], kind)

    @staticmethod
    def end(text, at):
        depth = 1
        while depth and at < len(text):
            depth += (text[at] == "{") - (text[at] == "}")
            at += 1
        return at - 1

    def read(self, body):
        members = {}
        while re.search(r"\{[^{}]*\}", body):
            inner = re.search(r"\{([^{}]*)\}", body)
            members.update(self.read(inner[1]))
            body = body[:inner.start()] + body[inner.end():]
        for line in body.split(";"):
            pointer = re.search(r"\(\*(?:const )?(\w+)(?:\[.*?\])?\)\(", line)
            words = re.match(r"\s*(?:const |struct |enum |union |volatile |_Atomic )*(\w+)[\s*]", line)
            if pointer:
                members[pointer[1]] = "*"
            elif words:
                kind = "*" if words[1] in self.functions else words[1]
                members.update((n, kind) for n in re.findall(r"(\w+)(?:\[[^\]]*\])?\s*(?:,|$)", line[words.end():].strip()))
        return members

    def holders(self, name):
        """The members called name that hold functions, in all structs."""
        return {(s, name) for s, m in self.members.items() if m.get(name) == "*"}

    def of_table(self, source, table):
        """The members that hold functions in the rows of a table."""
        text = self.text[source]
        match = re.search(r"(?:^|\n)[^\n;]*?(?:const )?(?:struct )?(\w+|\}) \*?(?:const )?%s(?:\[[^\n=]*?\])* = " % re.escape(table), text)
        if match and match[1] == "}":
            inner = text.rfind("{", 0, match.start())
            members = self.read(text[inner + 1:match.start()])
            return {("%s:%s" % (source, table), m) for m, k in members.items() if k == "*"}
        struct = self.find(source, match[1]) if match else ""
        return {(struct, m) for m, k in self.members.get(struct, {}).items() if k == "*"}


# ---- calls through pointers ------------------------------------------------------------------------------------

CALL = re.compile(r"^(?:([^=\"(]+?) = )?([A-Za-z_][\w.]*) \((.*)\);(?: \[.*\])?$")
MOVE = re.compile(r"^([^=\"(]+?) = (?:\([^()]*(?:\([^()]*\)[^()]*)*\) )?&?([\w.>\-\[\]&*]+);$")


class Pointers:
    """Which functions reach which variable, parameter or member. A node is one of these; moves join them."""

    def __init__(self, g, structs):
        self.g, self.structs = g, structs
        self.moves, self.called, self.handed = {}, [], []

    def read(self):
        for source, table, fn in self.g.tables:
            for holder in self.structs.of_table(source, table):
                self.move(("fn", fn), ("member",) + holder)
        for body in self.g.bodies:
            self.types = {name: self.structs.find(body[0], kind) for name, kind in body[2].items()}
            for line in body[4]:
                self.statement(body, line)

    def statement(self, body, line):
        source, fn, _, params, _ = body
        match = CALL.match(line)
        if match and match[2] not in ("if", "switch", "return", "goto"):
            target = self.g.own(source, match[2]) if match[2] not in self.types else None
            if match[1] and match[1] not in self.types:
                self.types[match[1]] = self.structs.find(source, self.g.returns.get(target, "")) if target else "?"
            if not target and (match[2] in self.types or match[2].startswith("_")):
                self.called += [(fn, n) for n in self.nodes(body, match[2])]
            for i, arg in enumerate(split(match[3])):
                self.hand(body, match[2], target, i, arg)
            return
        match = MOVE.match(line)
        if match:
            if match[1].startswith("_") or match[1] not in self.types:
                self.types[match[1]] = self.type_of(match[2])
            for frm in self.nodes(body, match[2]):
                for to in self.nodes(body, match[1]):
                    self.move(frm, to)

    def hand(self, body, callee, target, i, arg):
        for node in self.nodes(body, arg):
            if target:
                self.move(node, ("param", target, i))
                if node[0] == "fn":
                    self.handed.append((body[1], node[1], ("param", target, i)))
            elif callee in AT_ONCE:
                self.called.append((body[1], node))

    def move(self, frm, to):
        if to[0] != "fn":
            self.moves.setdefault(frm, set()).add(to)

    def type_of(self, text):
        """The struct of a variable or of what a chain of members names, "" if unknown."""
        parts = re.split(r"->|\.(?!\d)", re.sub(r"\[[^\]]*\]|[&*]", "", text))
        kind = self.types.get(parts[0], "")
        for part in parts[1:]:
            kind = self.structs.of_member(kind, part)
        return kind

    def nodes(self, body, text):
        """What an expression stands for in a function: itself, a parameter, a variable, or members of structs."""
        source, fn, _, params, _ = body
        text = text.lstrip("&")
        if text in params:
            return [("param", fn, params.index(text))]
        if re.fullmatch(r"[A-Za-z]\w*", text) and text not in self.types and self.g.own(source, text):
            return [("fn", self.g.own(source, text))]
        match = re.match(r"(.*)(?:->|\.(?!\d))(\w+)(?:\[.*\])?$", text)
        if not match:
            return [("local", fn, text)] if re.fullmatch(r"[\w.]+", text) else []
        kind = self.type_of(match[1])
        if kind == "?":
            return []
        if kind in self.structs.members:
            return [("member", kind, match[2])] if self.structs.of_member(kind, match[2]) == "*" else []
        table = re.match(r"(\w+)", match[1])[1] if re.match(r"\w", match[1]) else ""
        holders = self.structs.holders(match[2])
        return [("member",) + h for h in holders] + [("member", "%s:%s" % (source, table), match[2])]

    def edges(self):
        """(caller, callee) of every call through a pointer."""
        now = {node for _, node in self.called if node[0] != "member"}
        backwards = {}
        for frm, tos in self.moves.items():
            for to in tos:
                backwards.setdefault(to, set()).add(frm)
        todo = list(now)
        while todo:
            for frm in backwards.get(todo.pop(), ()):
                if frm[0] in ("param", "local") and frm not in now:
                    now.add(frm)
                    todo.append(frm)
        for fn, what, param in self.handed:
            if param in now:
                yield fn, what
        for fn, node in self.called:
            for what in self.reaching(node, backwards):
                yield fn, what

    @staticmethod
    def reaching(node, backwards):
        """The functions that reach a called variable, but for those that came as an argument of the caller."""
        seen, todo, found = {node}, [node], set()
        inside = True
        while todo:
            at = todo.pop()
            if at[0] == "fn":
                found.add(at[1])
            inside = at[0] != "param" or any(s[0] == "member" for s in seen)
            for frm in backwards.get(at, ()) if inside else ():
                if frm not in seen:
                    seen.add(frm)
                    todo.append(frm)
        return found


# ---- all of it -------------------------------------------------------------------------------------------------

def load(build):
    """Graph of the sources that a build folder compiles."""
    bases, direct, g = compile_all(os.path.abspath(build)), [], Graph()
    for source, base in bases.items():
        direct += read_calls(g, source, base + ".ci")
    for source, base in bases.items():
        read_bodies(g, source, base + ".gimple")
        read_tables(g, source, base + ".s")
    for caller, callee, place in direct:
        if caller in g.file:
            calls = g.direct if callee in g.file else g.outside
            calls.setdefault(caller, {}).setdefault(callee, place)
    g.calls = {f: dict(c) for f, c in g.direct.items()}
    pointers = Pointers(g, Structs(sorted(sources())))
    pointers.read()
    for caller, callee in set(pointers.edges()):
        if caller in g.file:
            g.calls.setdefault(caller, {}).setdefault(callee, g.file[caller] + ", through a pointer")
    return g


def sources():
    for top in TOPS:
        for where, _, names in os.walk(os.path.join(ROOT, top)):
            yield from (os.path.relpath(os.path.join(where, n), ROOT) for n in names if n.endswith((".c", ".h")))


def name_of(fn):
    return fn.split(":")[-1]
