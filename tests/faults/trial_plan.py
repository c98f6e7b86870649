# SPDX-License-Identifier: Apache-2.0
"""From a seed to a failover trial: what becomes of the primary, what a replica is at meanwhile, whether the coordinator
dies, and who comes back when. Pure, as plan.py is."""
import dataclasses
import random
import zlib

# What becomes of the primary, in which variants.
# frozen: "server", or with its agent, as a host of which a virtual machine is paused. partitioned: whose packets are
# lost. "minority": the coordinator stays with one replica, the primary with the other one; "beside": it stays with the primary.
FAULTS = {"killed": ("",), "host": ("",), "frozen": ("server", "host"),
          "partitioned": ("full", "sends", "receives", "minority", "beside")}
# What there is besides. paused: a job runs on the replica that has received most. lost: its server is killed as well.
# coordinator: it is killed at a step of the failover, or some time after the fault.
STATES = ("none", "paused", "lost", "coordinator")
NO_FAILOVER = ("minority",)  # the coordinator has no majority of the agents
HEALS = ("minority", "beside")  # what was struck comes back after a time, whoever is the primary then

STEPS = ("receivers are stopped", "put to the voters", "applies all that was received", "followed by the others", "its members are put",
         "its members acknowledge", "opens", "commits a probe")
AFTER_S, FENCE_AFTER_S, CLOSE_S = 2.0, 2.0, 0.5  # the coordinator's settings


@dataclasses.dataclass(frozen=True)
class Trial:
    name: str
    fault: str
    variant: str
    state: str
    delay: float  # s under load (and with the job under way) before the fault
    ahead: float  # for so long before it the other replica gets nothing, so that the paused one alone has the newest; 0: no
    early: bool  # what was struck comes back while the failover may be under way, else when another is the primary
    back: float  # s until then
    order: tuple  # in which server, agent come back
    mend: str  # what was on the way when the network was lost: comes late ("resume"), or never ("abort")
    step: str  # at which the coordinator is killed; "": `step_after` s after the fault
    step_after: float
    away: float  # for so long it is
    lost_after: float  # the paused replica's server is killed so long after the primary (negative: before)
    lost_for: float  # and started again

    @property
    def replaced(self):
        """Whether there must be another primary; None: it depends on who is faster."""
        if self.variant in NO_FAILOVER:
            return False
        # Where the primary's commits have waited for long enough, it is replaced once the others can be asked.
        return None if self.early or self.variant in HEALS else True

    @property
    def bound_s(self):
        """From the fault to the first write taken, the drain and the time without a coordinator apart."""
        if self.fault == "killed":
            return AFTER_S + 1
        return AFTER_S + 1.01 * FENCE_AFTER_S + CLOSE_S + 2

    def __str__(self):
        words = ["primary %s%s" % (self.fault, " (%s)" % self.variant if self.variant else "")]
        if self.state in ("paused", "lost"):
            words.append("a paused replica%s%s" % (" alone has the newest" if self.ahead else "", ", its server is killed" if self.state == "lost" else ""))
        if self.state == "coordinator":
            words.append("the coordinator is killed %s" % ("at \"%s\"" % self.step if self.step else "after %.1f s" % self.step_after))
        words.append("back %s %.1f s" % ("once replaced, after" if self.replaced else "after", self.back))
        return ", ".join(words)

    def as_json(self):
        return dataclasses.asdict(self)


def draw(name, fault, state, dice, variant=None):
    variant = dice.choice(FAULTS[fault]) if variant is None else variant
    early = variant not in HEALS and dice.random() < 0.2
    order = ["server", "agent"]
    dice.shuffle(order)
    back = dice.uniform(0.3, 5) if early else dice.uniform(5, 10) if variant in HEALS else dice.uniform(0, 3)
    return Trial(name, fault, variant, state, round(dice.uniform(0.3, 1.5), 2),
                 round(dice.uniform(0.2, 0.8), 2) if state in ("paused", "lost") and dice.random() < 0.5 else 0.0,
                 early, round(back, 2), tuple(order), dice.choice(("resume", "abort")),
                 dice.choice(STEPS) if dice.random() < 0.7 else "", round(dice.uniform(0, 6), 2), round(dice.uniform(0.2, 2.5), 2),
                 round(dice.uniform(-0.3, 1), 2), round(dice.uniform(0.3, 3), 2))


def random_trial(seed):
    """Each sixteen seeds in a row have every fault with every state once."""
    faults = tuple(FAULTS)
    return draw(str(seed), faults[seed % 4], STATES[seed // 4 % 4], random.Random("siding trial %d" % seed))


def trial_named(name):
    """A seed ("17"), or FAULT[/VARIANT]:STATE[:NUMBER], of which each number is another ("partitioned/full:paused:3")."""
    if name.isdigit():
        return random_trial(int(name))
    words = name.split(":")
    fault, _, variant = words[0].partition("/")
    if 2 <= len(words) <= 3 and fault in FAULTS and words[1] in STATES and (not variant or variant in FAULTS[fault]):
        return draw(name, fault, words[1], random.Random(zlib.crc32(name.encode())), variant or None)
    raise ValueError("no such trial: %s; a number, or FAULT[/VARIANT]:STATE[:NUMBER]; faults: %s; states: %s"
                     % (name, " ".join(f + "".join("/" + v for v in vs if v) for f, vs in FAULTS.items()), " ".join(STATES)))


def trials_named(text):
    found = []
    for word in text.split(","):
        first, dash, last = word.partition("-")
        if dash and first.isdigit() and last.isdigit():
            found += [random_trial(n) for n in range(int(first), int(last) + 1)]
        else:
            found.append(trial_named(word))
    return found
