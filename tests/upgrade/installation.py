# SPDX-License-Identifier: Apache-2.0
"""An installation that is upgraded in place: two of each program that may run twice."""
import collections
import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time

from harness.events import Events
from harness.until import until
from harness.warren import Warren
from steady_load import SteadyLoad

BEFORE = pathlib.Path(os.environ.get("WARREN_BEFORE_BIN", ""))


class Installation:
    """`gateways`: the first asks the primary status-store, the second the replica."""

    def __init__(self, broker, folder):
        self.bin = folder / "bin"
        self.install(BEFORE)
        self.warren = Warren(broker, folder, bin=self.bin)
        self.broker = broker
        self.primary = self.warren.status_store
        self.replica = self.warren.add_status_store()
        self.gateways = [self.warren.gateway, self.warren.add_gateway(
            status_store_url=f"http://127.0.0.1:{self.replica.port}")]
        self.consumers = [self.warren.consumer, self.warren.add_consumer()]
        self.tenant = self.warren.tenant("acme", amqp_login=True)
        until(lambda: self.warren.api_at(self.gateways[1]).request("GET", "/jobs").status_code == 200, 30,
              "the key known to the second gateway")
        self.load = None

    def install(self, bin):
        """Replaces the files of all programs; those that run go on with theirs."""
        plugin = "handlers/basic.so"
        for file in (*bin.glob("*warren*"), bin / "topology_driver", bin.parent / plugin):
            target = self.bin.parent / file.relative_to(bin.parent)
            target.parent.mkdir(exist_ok=True)
            os.replace(shutil.copy(file, f"{target}.new"), target)

    def put(self, program, while_stopped=lambda program: None):
        """Restarts the program, with the file that is installed now."""
        if program.is_running():
            assert program.stop() == 0, program.log()[-3000:]
        while_stopped(program)
        program.start()

    def apply_topology(self):
        self.broker.apply(self.warren.vhost, self.bin)

    def know_operator(self):
        """What the newer primary's configuration has, and an older one refuses."""
        self.primary.settings["operator_password_file"] = self.broker.secrets / "warren-operator.password"

    def forget_operator(self):
        del self.primary.settings["operator_password_file"]

    def check_topology(self):
        """`warren topology check`, as the administrator runs it: what it prints when it finds nothing."""
        login = f"warren-admin:{self.broker.password}"
        env = {"PATH": os.environ["PATH"], "HOME": str(self.warren.folder),
               "WARREN_URL": self.warren.url, "WARREN_ADMIN_KEY": self.warren.admin_key,
               "WARREN_ADMIN_AMQP_URL": f"amqp://{login}@127.0.0.1:{self.broker.port}/{self.warren.vhost}",
               "WARREN_MANAGEMENT_URL": f"http://{login}@127.0.0.1:{self.broker.management_port}"}
        done = subprocess.run([self.bin / "warren", "topology", "check"], env=env, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert "not checked" not in done.stdout, done.stdout
        return done.returncode == 0

    def start_load(self):
        self.load = SteadyLoad(self.tenant, self.gateways)

    def rows(self, gateway):
        """Job id → (status, attempt, reason), as that gateway's status-store has them."""
        return {job["id"]: (job["status"], job["attempt"], job["reason"])
                for job in self.warren.api_at(gateway).list_all(limit=500)}

    def letters(self):
        """Job id → how many letters of it the archive has."""
        with contextlib.closing(sqlite3.connect(f"file:{self.warren.folder}/archive.db?mode=ro",
                                                uri=True)) as archive:
            return collections.Counter(id for id, in archive.execute("SELECT job_id FROM letters"))

    def starts(self, ids):
        """Job id → how often it was started."""
        events = Events(self.warren)
        events.await_ended(ids)
        starts = events.starts(set(ids))
        events.close()
        return starts

    def end(self):
        if self.load:
            self.load.stop()
        self.warren.end()


def remove(database):
    for part in database.parent.glob(f"{database.name}*"):
        part.unlink()


def remove_database(store):
    """Of a stopped status-store."""
    remove(pathlib.Path(store.settings["database"]))


def databases(store):
    """Its database, and the primary's registry."""
    return [pathlib.Path(store.settings[name]) for name in ("database", "registry") if store.settings.get(name)]


def backup_of(store):
    return store.folder / f"backup-{store.name}"


def back_up(store):
    """Copies a stopped status-store's databases."""
    backup_of(store).mkdir(exist_ok=True)
    for database in databases(store):
        shutil.copy(database, backup_of(store))


def restore(store):
    for database in databases(store):
        remove(database)
        shutil.copy(backup_of(store) / database.name, database)


class Steps:
    """Takes the jobs that were submitted in each step, and waits until they ended as they should: in both
    status-stores, with a letter for each dead one, and none that was refused."""

    def __init__(self, installation, tally):
        self.site = installation
        self.load = installation.load
        self.tally = tally
        self.waiting = set()  # jobs that are to end in a later step
        self.ended = set()  # those of the steps that were checked
        self._away = 0

    def hold(self, what, seconds=4):
        """Lets the load run on for a while, then checks the step."""
        time.sleep(seconds)
        self.check(what)

    def check(self, what):
        self._read(what)
        jobs = {id: end for id, end in self.load.wanted.copy().items()
                if id not in self.ended and id not in self.waiting}
        self.ended |= jobs.keys()
        for gateway in self.site.gateways:
            self._await(what, jobs, gateway)
        dead = {id for id, end in jobs.items() if end[0] == "dead"}
        until(lambda: dead <= self.site.letters().keys(), 60, f"{what}: the letters", every=0.5)
        again = [id for id, count in self.site.letters().items() if count > 1]
        assert not again, f"{what}: more than one letter of {again[:3]}"
        by = collections.Counter(self.load.taken_by[id] for id in jobs)
        away, self._away = self.load.away - self._away, self.load.away
        self.tally(what, jobs, jobs, note=f"{dict(sorted(by.items()))}, completed {len(jobs) - len(dead)}, "
                   f"dead {len(dead)}; sent to a gateway that restarts {away}")

    def _read(self, what):
        assert not self.load.wrong, (what, self.load.wrong)
        assert not self.load.refused, (what, self.load.refused.most_common(3))

    def _await(self, what, jobs, gateway):
        seen = {}

        def ended():
            seen.update(self.site.rows(gateway))
            return all(seen.get(id) == end for id, end in jobs.items())

        try:
            until(ended, 60, f"{what}: all jobs of the step as they should be", every=1)
        except AssertionError as late:
            odd = {id: (end, seen.get(id)) for id, end in jobs.items() if seen.get(id) != end}
            raise AssertionError(f"{what}, {gateway.name}: {len(odd)} of {len(jobs)} jobs: wanted, shown: "
                                 f"{list(odd.items())[:5]}") from late
