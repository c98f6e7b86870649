#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs that try: what a job can reach of the host that runs it, what it can make of its result, what it leaves behind,
and what becomes of it when the agent, its supervisor, its keeper or siding-jobd is killed."""
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from harness import BUILD, ClusterTest, main, run_key
from machine import Failed, call, command_lines, running, wait_until

ROOT_RUNS = os.geteuid() == 0
# Everything that a job must not have; what it does get stands in its log.
TRY = """#!/bin/bash
cat @/credentials/* @/db1/agent.conf @/db1/agent/journal.1 @/db1/spool/*/secret @/db1/data/ibdata1 @/open/*.token 2>/dev/null | grep -a . >/dev/null && echo READ
ls @/db1/data/mysql @/credentials/* @/db1/agent/lock 2>/dev/null
for p in /proc/[0-9]*; do readlink $p/exe; done 2>/dev/null | grep -E 'siding|maria|mysqld'
kill -0 $AGENT 2>/dev/null && echo KILLS
: >@/db1/agent/new && echo WROTE; : >@/db1/spool/new && echo WROTE
grep -q 'CapEff:.0000000000000000' /proc/self/status && grep -q 'NoNewPrivs:.1' /proc/self/status || echo CAPABLE
ls /proc/$$/fd >$SIDING_RESULT_DIR/fds # 255 is the script
grep -vxE '[0-3]|255' $SIDING_RESULT_DIR/fds
echo "SELECT CURRENT_USER()" | mariadb --defaults-file="$SIDING_DEFAULTS_FILE" -NB >$SIDING_RESULT_DIR/user || echo NO SERVER
id -u >$SIDING_RESULT_DIR/id
"""
DAEMONS = """#!/bin/bash
for i in 1 2 3 4 5 6 7 8; do (setsid bash -c 'exec -a left-@ sleep 300' </dev/null >/dev/null 2>&1 3>&- & disown) & done
wait
sleep 0.3
"""
# What would take all of the host, or of who reads it.
GREEDY = {
    "hungry.sh": "x=$(head -c 300000000 /dev/zero | tr '\\0' x)\necho ${#x} >size\n",
    "many.sh": "perl -e 'for (1..200) { $p = fork; if (defined $p) { if (!$p) { sleep 300; exit } $n++ } } print $n' >n\n",
    "rows.sh": "head -c 300000000 /dev/zero | tr '\\0' x | gzip >s.t.0.tsv.gz\n",
    "words.sh": "(printf '{\"files\":[],\"x\":['; yes 0, | tr -d '\\n' | head -c 20000000; printf '0]}') >files.json\n",
}
# Names that a result may have: whoever handles it takes them.
NAMES = ["a b", "-rf", "--help", "\u00fc\u00e9/\u4e16 \u754c", "100%25", "quote'\"", "$HOME", "`id`", ";id", ".hidden", "...", "*", "?x=1&y#z", "n" * 237,
         "/".join("abcdefghijklmno") + "/deep", "CON", "a:b", "{x}", "trailing ", " leading"]
# What no result holds, and what is said of it.
ODD = {
    "hole": ("truncate -s 2G big", '"big" has more than 1 GiB of holes'),
    "setuid": ("cp /bin/true su; chmod 4755 su", '"su" is setuid or setgid'),
    "setgid": ("mkdir in; cp /bin/true in/sg; chmod 2755 in/sg", '"in/sg" is setuid or setgid'),
    "second": ("echo x >a; ln a b", "has more than one name (hard links)"),
    "link": ("mkdir in; ln -s /etc/passwd in/link", '"in/link" is a symbolic link'),
    "fifo": ("mkfifo pipe", '"pipe" is neither a file nor a folder'),
    "device": ("mknod null c 1 3 && exit 0; exit 7", "status 7"),
    "newline": ("echo x >$'a\\nb'", "control character"),
    "no-utf8": ("echo x >$'a\\xff'", "UTF-8"),
    "long": ("echo x >$(printf %0241d 0)", "longer than 240 bytes"),
    "deep": ("mkdir -p 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17; echo x >1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/f", "too deep"),
    "paper": ("mkdir in; echo x >in/ok; echo x >SHA256SUMS", "reserved for the papers of a result"),
}
JOBS = {
    "tries": 'program = "@/try.sh";',
    "nobody": 'program = "@/try.sh"; user = "nobody";',
    "plain": 'program = "@/try.sh"; separation = "process";',
    "daemons": 'program = "@/daemons.sh";',
    "daemons-plain": 'program = "@/daemons.sh"; separation = "process";',
    "sleeps": 'program = "/bin/sleep"; args = [ "300" ];',
    "told-elsewhere": 'program = "/bin/bash"; args = [ "-c", "echo 1 >s.t.0.tsv; '
                      'echo \'{\\"files\\":[],\\"upload\\":{\\"mode\\":\\"append\\",\\"target\\":\\"s.users\\"}}\' >files.json" ]; '
                      'upload = "append"; target = "s.t";',
    "unmatched": 'program = "/bin/bash"; args = [ "-c", "echo 1 >rows.tsv" ]; upload = "append"; target = "s.t";',
    "both-names": 'program = "/bin/bash"; args = [ "-c", "echo a >a.txt; echo b | gzip >a.txt.gz" ];',
    "differs": 'program = "/bin/bash"; args = [ "-c", "echo 1 >s.t.0.tsv" ]; upload = "append"; target = "s.t";',
    "links": 'program = "/bin/bash"; args = [ "-c", "ln -s /etc x; echo {} >manifest.json; echo >@/linked; sleep 300" ];',
    "hungry": 'program = "@/hungry.sh"; memory_limit_bytes = 200000000;',
    "many": 'program = "@/many.sh"; tasks_limit = 20;' + (' user = "nobody";' if ROOT_RUNS else ""),  # nothing limits root's
    "rows": 'program = "@/rows.sh"; upload = "append"; target = "s.t";',
    "words": 'program = "@/words.sh";',
    "named": 'program = "@/named.sh"; destinations = [ "db0" ];',
    **{"odd-" + name: 'program = "@/odd-%s.sh";' % name for name in ODD},
}


class Jobs:
    replicas = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.sql("db0", "CREATE DATABASE s; CREATE TABLE s.t (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE s.users (id INT PRIMARY KEY) ENGINE=InnoDB")
        for name, text in (("try.sh", TRY), ("daemons.sh", DAEMONS)):
            cls.write(name, text.replace("left-@", "left-" + os.path.basename(c.folder)).replace("@", c.folder))
        os.makedirs(os.path.join(c.folder, "db1", "spool", "9999.1"))
        cls.write("db1/spool/9999.1/secret", "of another run")
        # The primary's host has job files of its own.
        own = os.path.join(c.folder, "jobs0")
        os.mkdir(own)
        cls.write("jobs0/differs.conf", 'name = "differs"; kind = "command"; program = "/bin/true"; upload = "append"; target = "s.users";\n')
        conf = os.path.join(c.folder, "db0", "agent.conf")
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        with open(conf, "w", encoding="utf-8") as f:
            f.write("".join(line if not line.strip().startswith("jobs_dir") else 'jobs_dir = "%s";\n' % own for line in text.splitlines(True)))
        cls.restart_agent("0")
        for name, (does, _) in ODD.items():
            cls.write("odd-%s.sh" % name, "#!/bin/bash\numask 022\ncd $SIDING_RESULT_DIR\n%s\n" % does)
        named = ["mkdir -p ./%s" % shlex.quote(os.path.dirname(n)) for n in NAMES if "/" in n] + ["echo x >./%s" % shlex.quote(n) for n in NAMES]
        for name, does in {**GREEDY, "named.sh": "\n".join(named) + "\n"}.items():
            cls.write(name, "#!/bin/bash\ncd $SIDING_RESULT_DIR\n" + does)
        # In a folder that everybody enters.
        os.mkdir(os.path.join(c.folder, "open"), 0o755)
        conf = os.path.join(c.folder, "db1", "agent.conf")
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        for token in ("coordinator.token", "peer.token", "admin.token"):
            path = os.path.join(c.folder, "open", token)
            shutil.copy(os.path.join(c.folder, "credentials", token), path)
            os.chmod(path, 0o600)
            text = text.replace(os.path.join(c.folder, "credentials", token), path)
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        cls.restart_agent("1")
        for name, text in JOBS.items():
            c.job(name, 'name = "%s"; kind = "command"; on = "replica"; %s\n' % (name, text.replace("@", c.folder)))
        wait_until(lambda: set(JOBS) <= cls.known("db1"), 20, "the coordinator knows the jobs")

    @classmethod
    def write(cls, name, text):
        path = os.path.join(cls.cluster.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o755)

    @classmethod
    def known(cls, node):
        nodes = cls.cluster.siding("cluster", "status")["nodes"]
        return {j["name"] for n in nodes if n["name"] == node for j in (n.get("agent") or {}).get("jobs") or []}

    @classmethod
    def restart_agent(cls, number):
        pid = cls.cluster.pid("agent" + number)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not running(pid), 20, "end of the agent")
        cls.cluster.start("db" + number)

    def submit(self, job):
        return self.cluster.submit("command", "--on", "replica", job)

    def ends(self, job, state, words=""):
        task = self.submit(job)
        self.cluster.expect_state(task, state, 60)
        run = self.cluster.last_run(task)
        self.assertIn(words, run["error"] or "")
        return task, run

    def kept_log(self, task):
        return call(os.path.join(BUILD, "siding"), "task", "log", task, env=self.cluster.env)[1]

    def finding(self):
        out = call(os.path.join(BUILD, "siding"), "check", "--json", env=self.cluster.env)[1]
        return [f for f in json.loads(out) if f["name"] == "separation" and f["node"] == "db1"][0]

    def results(self, task, *names):
        path = self.cluster.siding("result", "path", task)
        path = path if isinstance(path, str) else path["path"]
        out = []
        for name in names:
            out.append(subprocess.run(["zcat", os.path.join(path, name)], stdout=subprocess.PIPE, check=True, text=True).stdout.strip())
        return path, out

    def fetch(self, url, role, run, name):
        with open(os.path.join(self.cluster.folder, "credentials", role + ".token"), encoding="ascii") as f:
            shown = {"Authorization": "Bearer " + f.read()}
        return urllib.request.urlopen(urllib.request.Request("%s/v1/results/%s/%s" % (url, run, name), headers=shown), timeout=20)

    # -- what it reaches

    def test_a_job_reaches_nothing_but_its_own(self):
        task, _ = self.ends("tries", "done")
        self.assertEqual(self.kept_log(task).strip(), "")
        _, (user, uid) = self.results(task, "user.gz", "id.gz")
        self.assertTrue(user.startswith("siding_job@"), user)
        self.assertEqual(uid, str(os.geteuid()))

    def test_a_job_runs_as_the_user_that_it_names(self):
        if not ROOT_RUNS:
            self.ends("nobody", "error", "needs separation \"helper\"")
            return
        task, _ = self.ends("nobody", "done")
        self.assertEqual(self.kept_log(task).strip(), "")
        path, (user, uid) = self.results(task, "user.gz", "id.gz")
        self.assertEqual((user.split("@")[0], uid), ("siding_job", "65534"))
        for name in ("", "manifest.json", "id.gz"):
            self.assertEqual(os.stat(os.path.join(path, name)).st_uid, 0)
        self.assertEqual(self.cluster.siding("result", "verify", task)["ok"], True)

    def test_the_level_is_named(self):
        finding = self.finding()
        self.assertEqual(finding["level"], "ok", finding)
        self.assertTrue(finding["text"].startswith("helper:" if ROOT_RUNS else "namespace:"), finding)

    # -- what it leaves

    def test_nothing_that_a_job_leaves_goes_on(self):
        for job in ("daemons", "daemons-plain"):
            self.ends(job, "done")
            left = [words for words in command_lines().values() if words and words[0] == "left-" + os.path.basename(self.cluster.folder)]
            self.assertEqual(left, [])

    # -- what it makes of its result

    def test_a_job_does_not_say_where_its_rows_go(self):
        self.ends("told-elsewhere", "error", "a job does not say where its rows go")
        self.assertEqual(self.cluster.value("db0", "SELECT COUNT(*) FROM s.users"), "0")

    def test_rows_that_no_rule_loads_are_an_error(self):
        self.ends("unmatched", "error", "rows.tsv.gz would not be loaded")

    def test_what_is_sealed_is_taken_by_all(self):
        """By verify, by both doors through which files leave, by another agent that copies it."""
        c = self.cluster
        task, run = self.ends("named", "done")
        path, _ = self.results(task)
        expected = sorted([n + ".gz" for n in NAMES] + ["manifest.json", "SHA256SUMS"])

        def files(folder):
            self.assertEqual(subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode, 0)
            return sorted(os.path.relpath(os.path.join(where, n), folder) for where, _, names in os.walk(folder) for n in names
                          if not n.startswith(".siding"))
        self.assertEqual(files(path), expected)
        self.assertTrue(c.siding("result", "verify", task)["ok"])
        for url, role in ((c.env["AGENT1_URL"], "peer"), (c.env["SIDINGD_URL"], "admin")):
            for name in expected:
                with self.fetch(url, role, run_key(run), urllib.parse.quote(name)) as answer, open(os.path.join(path, name), "rb") as f:
                    self.assertEqual(answer.read(), f.read(), name)
        copied = os.path.join(c.folder, "db0", "spool", run_key(run))
        wait_until(lambda: os.path.exists(os.path.join(copied, "manifest.json")), 30, "the copy is there")
        self.assertEqual(files(copied), expected)

    def test_two_files_that_get_one_name_are_told(self):
        self.ends("both-names", "error", "one of them would be lost")

    def test_what_no_result_holds(self):
        c = self.cluster
        tasks = {name: self.submit("odd-" + name) for name in ODD}
        runs = {}
        for name, task in tasks.items():
            c.expect_state(task, "error", 90)
            runs[name] = c.last_run(task)
        self.assertEqual({name: runs[name]["error"] for name, (_, words) in ODD.items() if words not in (runs[name]["error"] or "")}, {})
        for run in runs.values():
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.fetch(c.env["AGENT1_URL"], "peer", run_key(run), "manifest.json")
            self.assertEqual(refused.exception.code, 404)
        spool = os.path.join(c.folder, "db1", "spool")
        left = subprocess.run(["find", spool, "-perm", "/6000", "-type", "f", "-o", "-type", "l", "-o", "-type", "p"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(left, "")
        c.expect_replicating("db1")

    def upload_is_refused(self, job):
        """The last run of the upload."""
        task, c = self.submit(job), self.cluster
        found = wait_until(lambda: [t for t in c.siding("task", "list") if str(t.get("parent_task")) == str(task) and t["state"] == "error"],
                           90, lambda: "the upload is refused: %s" % c.siding("task", "list"))
        self.assertEqual((c.value("db0", "SELECT COUNT(*) FROM s.users"), c.value("db0", "SELECT COUNT(*) FROM s.t")), ("0", "0"))
        upload = str(found[0]["id"])
        c.siding("task", "ack", upload)  # it holds what is to be loaded after it
        return c.last_run(upload)

    def test_the_primarys_job_file_must_agree(self):
        self.upload_is_refused("differs")

    # -- what it takes

    def test_a_job_takes_no_more_memory_and_processes_than_it_may(self):
        self.ends("hungry", "error", "status")
        if ROOT_RUNS:
            task, _ = self.ends("many", "done")
            _, (n,) = self.results(task, "n.gz")
            self.assertTrue(0 < int(n) < 20, n)
        self.cluster.expect_replicating("db1")

    def test_few_bytes_of_a_result_take_nobodys_memory(self):
        self.assertIn("row 1 is longer than", self.upload_is_refused("rows")["error"])
        self.ends("words", "error", "holds too many values")
        self.cluster.expect_replicating("db1")

    def test_nothing_is_served_of_a_run_that_is_not_sealed(self):
        c = self.cluster
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(c.folder, "linked"))
        task = self.submit("links")
        wait_until(lambda: os.path.exists(os.path.join(c.folder, "linked")), 30, "the job has made its link")
        run = run_key(c.last_run(task))
        # by one who may fetch: a stranger would be refused whatever is there
        doors = ((c.env["AGENT1_URL"], "peer"), (c.env["SIDINGD_URL"], "admin"))
        for url, role in doors:
            for name in ("x/shadow", "x/hostname", "manifest.json"):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    self.fetch(url, role, run, name)
                self.assertEqual(refused.exception.code, 404)
        c.siding("task", "kill", task)
        c.expect_state(task, "killed", 40)

    # -- who watches it is killed

    def processes(self, run):
        """Supervisor and job."""
        path = os.path.join(self.cluster.folder, "db1", "agent", "runs", run, "job", "supervisor.json")

        def there():
            with contextlib.suppress(OSError, ValueError):
                with open(path, encoding="utf-8") as f:
                    return json.load(f)
            return None
        return wait_until(there, 30, "the job's supervisor")

    def begun(self):
        task = self.submit("sleeps")
        self.cluster.expect_run_state(task, "running")
        run = run_key(self.cluster.last_run(task))
        return task, run, self.processes(run)

    def test_the_end_of_any_that_watches_ends_the_job_and_the_pause(self):
        def keeper(p):
            with open("/proc/%d/stat" % p["job_pid"], encoding="ascii") as f:
                init = int(f.read().rsplit(")", 1)[1].split()[1])
            with open("/proc/%d/stat" % init, encoding="ascii") as f:
                return int(f.read().rsplit(")", 1)[1].split()[1])
        for who, words in ((lambda p: p["pid"], "supervisor was killed"), (keeper, "keeper was killed"),
                           (lambda p: p["job_pid"], "signal 9")):
            task, run, p = self.begun()
            os.kill(who(p), signal.SIGKILL)
            self.cluster.expect_state(task, "error", 40)
            self.assertIn(words, self.cluster.last_run(task)["error"])
            self.assertFalse(running(p["job_pid"]))
            self.cluster.expect_replicating("db1")
            self.assertFalse(os.path.exists(os.path.join(self.cluster.folder, "db1", "spool", run)))

    # -- siding-jobd

    @contextlib.contextmanager
    def jobd(self):
        c = self.cluster
        conf, self.socket = os.path.join(c.folder, "jobd.conf"), os.path.join(c.folder, "jobd.sock")
        with open(conf, "w", encoding="utf-8") as f:
            f.write('agent_user = "root"; socket = "%s"; spool_dir = "%s/db1/spool"; users = [ "nobody" ]; programs = [ "/bin/sleep", "/bin/bash", "%s/try.sh" ]; '
                    'hide = [ "%s/db1/agent", "%s/db1/data", "%s/credentials" ]; show = [ "%s/db1/sock" ];\n'
                    % (self.socket, *[c.folder] * 6))
        agent = os.path.join(c.folder, "db1", "agent.conf")
        with open(agent, encoding="utf-8") as f:
            old = f.read()
        try:
            with open(agent, "w", encoding="utf-8") as f:
                f.write(old + 'jobd_socket = "%s";\n' % self.socket)
            self.program = self.start_jobd(conf)
            self.restart_agent("1")
            wait_until(lambda: "tries" in self.known("db1"), 20, "the agent is back")
            yield conf
        finally:
            self.program.kill()
            self.program.wait()
            with open(agent, "w", encoding="utf-8") as f:
                f.write(old)
            self.restart_agent("1")
            wait_until(lambda: "tries" in self.known("db1"), 20, "the agent is back")

    def start_jobd(self, conf):
        with open(os.path.join(self.cluster.folder, "jobd.log"), "a", encoding="utf-8") as log:
            program = subprocess.Popen([os.path.join(BUILD, "siding-jobd"), "--config", conf], stdout=log, stderr=log)
        wait_until(lambda: os.path.exists(self.socket) or program.poll() is not None, 10, "siding-jobd listens")
        if program.poll() is not None:
            with open(os.path.join(self.cluster.folder, "jobd.log"), encoding="utf-8") as log:
                raise Failed("siding-jobd: " + log.read())
        return program

    def test_siding_jobd_runs_jobs_and_outlives_its_kills(self):
        c = self.cluster
        if not ROOT_RUNS:  # it is root's
            return
        with self.jobd() as conf:
            task, _ = self.ends("tries", "done")
            self.assertEqual(self.kept_log(task).strip(), "")
            self.assertEqual(self.results(task, "id.gz")[1], ["65534"])
            self.ends("both-names", "error", "one of them would be lost")

            task, run, p = self.begun()
            self.program.kill()  # its keepers go on
            self.program.wait()
            time.sleep(0.5)
            self.assertTrue(running(p["job_pid"]))
            finding = self.finding()
            self.assertEqual((finding["level"], "does not answer" in finding["text"]), ("error", True), finding)
            os.unlink(self.socket)
            self.program = self.start_jobd(conf)
            c.siding("task", "stop", task)
            c.expect_state(task, "stopped", 40)
            self.assertFalse(os.path.exists(os.path.join(c.folder, "db1", "spool", run)))

            # What it does not name is not run, whoever asks.
            self.ends("daemons", "error", "siding-jobd does not run")


class MariaDB(Jobs, ClusterTest):
    flavor = "mariadb"


class MySQL(Jobs, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
