# SPDX-License-Identifier: Apache-2.0
"""From a seed to a schedule: which jobs, which faults, when and on whom. Pure: no clock, no files, no servers, so
that a seed means the same everywhere and a schedule can be replayed, printed and tested."""
import dataclasses
import random

# Phases of the first job. "before": the fault is there when it is submitted.
PHASES = ("before", "pausing", "running", "sealing", "resuming", "catching_up", "uploading")
PAUSED = PHASES[1:4]
NODES = ("db1", "db2")
BUSY = "busy"  # the node where the job of a phase is at work, found out when the fault strikes
BOTH = "both"  # both replicas

OPERATIONS = ("index", "dump", "totals", "pair", "quick", "expire", "manual")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of fault. `lasts`: shortest and longest time in seconds until it is undone (a killed process is started
    again, a disk is free again). `harmless`: no job may fail by it. `heavy`: needs tens of seconds, so it is rarer.
    `options`: values one of which is drawn. `phases`: those in which it makes sense: there is something to strike.
    `spoils`: the servers are not equal afterwards, and the cluster is used no more. `besides`: drawn by dice of its own
    and struck besides the others, so that a seed kept its jobs and faults when this kind came."""
    name: str
    targets: tuple
    lasts: tuple
    harmless: bool = False
    heavy: bool = False
    options: tuple = ("",)
    phases: tuple = PHASES
    spoils: bool = False
    besides: bool = False


WORKING = ("running", "sealing", "uploading")  # programs of a job are there
ON_REPLICA = PHASES[:-1]  # an upload does not need the replica

KINDS = (
    Kind("kill_agent", (BUSY, *NODES, "db0"), (0.2, 3), harmless=True),
    Kind("kill_coordinator", ("coordinator",), (0.2, 4), harmless=True),
    Kind("kill_job", (BUSY,), (0, 0), phases=WORKING),
    Kind("kill_supervisor", (BUSY,), (0, 0), phases=WORKING),
    Kind("kill_server", (BUSY, *NODES), (0.2, 3)),
    Kind("kill_host", (BUSY, *NODES), (0.5, 4)),
    Kind("reboot_host", (BUSY, *NODES), (0.5, 4)),
    Kind("restart_host", (BUSY, *NODES), (0.5, 4)),
    Kind("restore_state", NODES, (1, 6)),
    Kind("large_row", ("db0",), (0, 0), harmless=True),
    Kind("foreign_lock", (BUSY, *NODES), (0.5, 4)),
    Kind("option_file", (BUSY, *NODES), (1, 6), options=("--sync-binlog=7", "--innodb-flush-log-at-trx-commit=2",
                                                         "--max-allowed-packet=1M", "--sync-relay-log=1")),
    Kind("errant", (BUSY, *NODES), (0, 0), heavy=True, spoils=True),
    Kind("kill_primary_host", ("db0",), (0.5, 4)),
    Kind("stop_agent", (BUSY, *NODES, "db0"), (0.5, 4), harmless=True),
    Kind("stop_coordinator", ("coordinator",), (0.5, 6), harmless=True),
    Kind("stop_server", (BUSY, *NODES), (0.5, 4)),
    Kind("stop_primary", ("db0",), (0.5, 3)),
    Kind("stop_job", (BUSY,), (0.5, 3), harmless=True, phases=WORKING),
    Kind("cut_coordinator", ("all", *NODES, "db0"), (1, 4), harmless=True, options=("drop", "refuse")),
    Kind("lose_coordinator", ("all",), (8, 14), harmless=True, options=("drop", "refuse")),
    Kind("spool_full", (BUSY, *NODES, BOTH, "db0"), (1, 4)),
    Kind("state_full", (BUSY, *NODES, BOTH, "db0"), (1, 4)),
    Kind("tmp_full", (BUSY, *NODES, BOTH, "db0"), (1, 4)),
    Kind("relay_full", (BUSY, *NODES), (1, 4), heavy=True, phases=ON_REPLICA),
    Kind("vault_full", (BUSY, *NODES), (1, 4), heavy=True, phases=ON_REPLICA),
    Kind("restart_primary", ("db0",), (0.2, 3)),
    Kind("kill_primary", ("db0",), (0.2, 3)),
    Kind("lose_primary", (BUSY, *NODES), (0.5, 3), heavy=True, options=("once", "twice")),
    Kind("purge_primary", ("db0",), (0, 0), harmless=True),
    Kind("clock", ("all", "coordinator", BUSY, *NODES, "db0"), (0.5, 6), harmless=True, options=("+3600", "-3600")),
    Kind("operator_start_sql", (BUSY,), (0, 0), phases=PHASES[1:-1]),
    Kind("operator_stop_sql", (BUSY, *NODES), (0.5, 3)),
    Kind("operator_stop_io", (BUSY, *NODES), (0.5, 3)),
    Kind("operator_delay", NODES, (1, 5)),
    Kind("operator_repoint", (BUSY, *NODES), (1, 4)),
    Kind("encrypt", (BUSY, *NODES), (1, 6), options=("shut down", "killed"), besides=True),
    Kind("named", NODES, (1, 6), besides=True),
)
DRAWN = tuple(k for k in KINDS if not k.besides)
BESIDES = tuple(k for k in KINDS if k.besides)
BESIDES_IN = 6  # of so many schedules one has a fault of BESIDES
BY_NAME = {k.name: k for k in KINDS}


@dataclasses.dataclass(frozen=True)
class Fault:
    """Strikes `delay` s after the first job was seen in `phase` (or a later one), or, without a phase, after the
    begin. Is undone `lasts` s later."""
    kind: str
    target: str
    phase: str
    delay: float
    lasts: float
    option: str

    def __str__(self):
        when = "%s+%.2f" % (self.phase, self.delay) if self.phase else "%.2f s" % self.delay
        return "%s%s on %s at %s%s" % (self.kind, "(%s)" % self.option if self.option else "", self.target, when,
                                       " for %.1f s" % self.lasts if self.lasts else "")


@dataclasses.dataclass(frozen=True)
class Schedule:
    name: str
    operations: tuple  # ((seconds after the begin, operation), …); phases are those of the first
    faults: tuple

    @property
    def harmless(self):
        """Every job must end well."""
        return all(BY_NAME[f.kind].harmless for f in self.faults)

    @property
    def spoils(self):
        return any(BY_NAME[f.kind].spoils for f in self.faults)

    def as_json(self):
        return {"name": self.name, "operations": [list(o) for o in self.operations],
                "faults": [dataclasses.asdict(f) for f in self.faults]}


def draw_fault(dice, kinds=DRAWN):
    kind = dice.choice(kinds)
    if kind.heavy and dice.random() < 0.5:
        kind = dice.choice([k for k in kinds if not k.heavy])
    phase = dice.choice(kind.phases) if dice.random() < 0.6 else ""
    return Fault(kind.name, dice.choice(kind.targets), phase, round(dice.uniform(0, 0.4 if phase else 4), 2),
                 round(dice.uniform(*kind.lasts), 1), dice.choice(kind.options))


def draw_operations(dice):
    """One to four jobs; the first is one with a result."""
    first = dice.choice(("index", "dump", "totals", "index", "pair"))
    others = [dice.choice(OPERATIONS) for _ in range(dice.choice((0, 1, 1, 2, 3)))]
    return ((0, first), *((round(dice.uniform(0, 3), 2), o) for o in others))


def random_schedule(seed):
    """One to four faults, at random moments and in random phases, and sometimes one besides; several may be there at once."""
    dice = random.Random("siding %d" % seed)
    operations = draw_operations(dice)
    count = dice.choice((1, 1, 2, 2, 3, 4))
    faults = tuple(draw_fault(dice) for _ in range(count))
    besides = random.Random("siding besides %d" % seed)
    if besides.randrange(BESIDES_IN) == 0:
        faults += (draw_fault(besides, BESIDES),)
    return Schedule(str(seed), operations, faults)


def matrix_target(row, phase):
    if phase == "before" and BUSY in row.targets:  # nobody is busy yet
        return BOTH if BOTH in row.targets else "db1"
    if phase == "uploading" and "db0" in row.targets and "all" not in row.targets:
        return "db0"
    return BUSY if BUSY in row.targets else row.targets[0]


def matrix_fault(dice, kind, phase, delay):
    row = BY_NAME[kind]
    return Fault(kind, matrix_target(row, phase), phase, delay, round(dice.uniform(*row.lasts), 1), dice.choice(row.options))


def matrix_schedule(kinds, phase, operation=""):
    """One fault in one phase of one job, or several ("purge_primary+kill_server") shortly after each other; the job is
    by default an append, whose program takes a while, or for its upload a reindex."""
    operation = operation or ("index" if phase == "uploading" else "totals")
    dice = random.Random("siding %s %s %s" % (kinds, phase, operation))
    faults = tuple(matrix_fault(dice, kind, phase, round(0.3 * i, 1)) for i, kind in enumerate(kinds.split("+")))
    return Schedule("%s:%s:%s" % (kinds, phase, operation), ((0, operation),), faults)


def matrix(operation="", kinds=None):
    return [matrix_schedule(k.name, phase, operation) for k in KINDS if not kinds or k.name in kinds for phase in k.phases]


def schedule_named(name):
    """A seed ("17"), a cell of the matrix ("kill_agent:running", "kill_agent:running:dump", "kill_primary+kill_host:running"),
    or "none"."""
    if name.isdigit():
        return random_schedule(int(name))
    if name == "none":
        return Schedule("none", tuple((0.3 * i, o) for i, o in enumerate(OPERATIONS)), ())
    words = name.split(":")
    if set(words[0].split("+")) <= set(BY_NAME) and 2 <= len(words) <= 3 and words[1] in PHASES and (words + ["index"])[2] in OPERATIONS:
        return matrix_schedule(*words)
    raise ValueError("no such schedule: %s; a number, KIND[+KIND…]:PHASE[:JOB], or none; kinds: %s; phases: %s"
                     % (name, " ".join(BY_NAME), " ".join(PHASES)))


def schedules_named(text):
    """"1-20,40,kill_agent:running,matrix": a list of schedules."""
    found = []
    for word in text.split(","):
        first, dash, last = word.partition("-")
        if word.split(":")[0] == "matrix":
            found += matrix(*word.split(":")[1:2])
        elif dash and first.isdigit() and last.isdigit():
            found += [random_schedule(n) for n in range(int(first), int(last) + 1)]
        elif word.endswith(":*") and word[:-2] in BY_NAME:
            found += matrix(kinds=[word[:-2]])
        else:
            found.append(schedule_named(word))
    return found
