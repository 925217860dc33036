# SPDX-License-Identifier: Apache-2.0
"""The systems that are measured: Warren, BullMQ, Celery. Each has

    name          as shown
    missing()     what this machine lacks: [(what, how to get it)]
    prepare()     installs or starts what stays for all rounds; only when nothing is missing. Raises
                  Unavailable
    version()     its own and of what it stands on; after prepare()
    settings()    what makes a job durable, and how much runs at once; after prepare()
    measure()     seconds from the first submission until every job has run
    pids()        of its processes that measure() neither starts nor ends
    end()         ends what prepare() started, also after a failure
"""
import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from bench.peers.children import begin, program, read_until, wait_word
from bench.pipeline import Pipeline, broker_pid

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[1]
CORES = os.cpu_count() or 1
BULLMQ_CONCURRENCY = 64
START_SECONDS, RUN_SECONDS = 60, 1800


class Unavailable(Exception):
    """A system cannot be measured here; the text says why."""


def absent(**programs):
    """program=Debian package: those that are not there, as missing() gives them."""
    return [(name, f"package {package}") for name, package in
            ((name.replace("_", "-"), package) for name, package in programs.items())
            if shutil.which(name) is None]


class Broker:
    """A private broker for Warren and Celery, started when one of them first needs it."""

    def __init__(self, folder):
        self._folder = folder
        self._started = False

    @functools.cached_property
    def node(self):
        from harness.broker import Broker as Node
        self._started = True
        return Node(self._folder)

    def version(self):
        return "RabbitMQ " + ".".join(map(str, self.node.version))

    def end(self):
        if self._started:
            self.node.kill()


class Warren:
    name = "Warren"

    def __init__(self, options, folder, broker):
        self.options, self.folder, self.broker = options, folder, broker
        self.pipeline = None

    def missing(self):
        folder = pathlib.Path(self.options.bin)
        needed = ("warren-gateway", "warren-bench-submit")
        if all((folder / name).exists() for name in needed):
            return []
        return [(f"{' or '.join(needed)} in {folder}",
                 "cmake --preset release -DBUILD_TESTING=ON && cmake --build --preset release")]

    def prepare(self):
        self.pipeline = Pipeline(self.broker.node, self.folder, self.options)
        self.pipeline.start()

    def version(self):
        told = subprocess.run([self.pipeline.bin / "warren-gateway", "--version"], check=True,
                              text=True, stdout=subprocess.PIPE).stdout.split()[-1]
        return f"{told}, {self.broker.version()}"

    def settings(self):
        return ("quorum queue and stream, publisher confirms, ack after the run, each job's status "
                f"kept; {self.options.connections} connections, {self.options.concurrency} jobs at once")

    def measure(self):
        seconds, submitted = self.pipeline.submit_and_run(self.options.jobs)
        if submitted["status"] != {"202": self.options.jobs}:
            raise SystemExit(f"not every submission was accepted: {submitted['status']}")
        return seconds

    def pids(self):
        return [pid for group in self.pipeline.pids().values() for pid in group]

    def end(self):
        if self.pipeline is not None:
            self.pipeline.end()


class BullMQ:
    """A process that adds and one that works, on an empty Redis each time."""
    name = "BullMQ"

    def __init__(self, options, folder, _broker):
        self.options, self.folder = options, folder
        self.socket = folder / "redis/socket"

    def missing(self):
        return absent(redis_server="redis-server", node="nodejs", npm="npm")

    def prepare(self):
        self.folder.mkdir()
        for name in ("package.json", "package-lock.json", "load.mjs"):
            shutil.copy(HERE / "bullmq" / name, self.folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                              check=False, cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Unavailable(f"npm ci failed\n{done.stdout.strip()}")

    def _installed(self, name):
        text = (self.folder / "node_modules" / name / "package.json").read_text(encoding="utf-8")
        return f"{name} {json.loads(text)['version']}"

    def version(self):
        def told(command):
            return subprocess.run([command, "--version"], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout.strip()

        redis = told("redis-server").split("v=")[1].split()[0]
        return (f"{self._installed('bullmq').split()[1]}, {self._installed('ioredis')}, "
                f"Node.js {told('node').lstrip('v')}, Redis {redis}")

    def settings(self):
        return ("appendonly yes, appendfsync always, completed jobs kept; "
                f"{self.options.connections} adders, {BULLMQ_CONCURRENCY} jobs at once")

    @contextlib.contextmanager
    def _redis(self):
        """Listens on a unix socket only; its data goes on leaving."""
        self.socket.parent.mkdir()
        command = ["redis-server", "--port", "0", "--unixsocket", self.socket,
                   "--dir", self.socket.parent, "--logfile", "log", "--save", "",
                   "--appendonly", "yes", "--appendfsync", "always"]
        try:
            with program(command) as process:
                self._wait_redis(process)
                yield
        finally:
            shutil.rmtree(self.socket.parent)

    def _wait_redis(self, process):
        deadline = time.monotonic() + START_SECONDS
        while not self._redis_answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("redis-server did not start")
            time.sleep(0.05)

    def _redis_answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def _load(self, *arguments):
        command = ["node", self.folder / "load.mjs", *map(str, arguments)]
        return program(command, stdout=subprocess.PIPE)

    def measure(self):
        o = self.options
        with (self._redis(),
              self._load("work", self.socket, o.jobs, BULLMQ_CONCURRENCY) as worker,
              self._load("add", self.socket, o.jobs, o.connections, o.payload) as adder):
            for process in (worker, adder):
                wait_word(process, b"ready", START_SECONDS)
            started = begin([adder])
            wait_word(worker, b"done", RUN_SECONDS, [adder])
            return time.monotonic() - started

    def pids(self):
        return []

    def end(self):
        pass


class Celery:
    """A worker with a process for each core, and as many that add, on a vhost of the broker."""
    name = "Celery"

    def __init__(self, options, folder, broker):
        self.options, self.folder, self.broker = options, folder, broker

    def missing(self):
        return [] if importlib.util.find_spec("celery") else [("celery", "package python3-celery")]

    def prepare(self):
        self.folder.mkdir()

    def version(self):
        installed = importlib.metadata.version
        return (f"{installed('celery')}, kombu {installed('kombu')}, py-amqp {installed('amqp')}, "
                f"{self.broker.version()}")

    def settings(self):
        from bench.peers.celery_load import HAS_QUORUM
        queue = "quorum queue" if HAS_QUORUM else "durable classic queue (quorum from Celery 5.5 on)"
        return (f"{queue}, persistent messages, publisher confirms, ack after the run, no results "
                f"kept; {self.options.connections} adders, {CORES} jobs at once, prefetch {CORES * 4}")

    @contextlib.contextmanager
    def _vhost(self):
        node, name = self.broker.node, "celery"
        node.management("PUT", f"/api/vhosts/{name}")
        try:
            node.management("PUT", f"/api/permissions/{name}/warren-admin",
                            {"configure": ".*", "write": ".*", "read": ".*"})
            yield f"amqp://warren-admin:{node.password}@127.0.0.1:{node.port}/{name}"
        finally:
            node.management("DELETE", f"/api/vhosts/{name}")

    @contextlib.contextmanager
    def _worker(self, env):
        """Yields the pipe that the worker writes to, and its process. Its log is shown if it failed."""
        ours, its = os.pipe()
        log = self.folder / "worker.log"
        command = [sys.executable, "-m", "celery", "-A", "bench.peers.celery_load", "worker",
                   "--concurrency", str(CORES), "--loglevel", "error"]
        try:
            with (open(log, "wb") as output,
                  program(command, env={**env, "CELERY_LOAD_PIPE": str(its)}, pass_fds=[its],
                          stdout=output, stderr=output) as process):
                yield ours, process
        except SystemExit:
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
            raise
        finally:
            os.close(ours)
            os.close(its)

    def _adders(self, stack, env):
        """The adders, spread over as many processes as there are cores."""
        o, module = self.options, "bench.peers.celery_load"
        adders = []
        for i in range(CORES):
            jobs, threads = (n // CORES + (i < n % CORES) for n in (o.jobs, o.connections))
            adders.append(stack.enter_context(program(
                [sys.executable, "-m", module, str(jobs), str(threads), str(o.payload)],
                env=env, stdout=subprocess.PIPE)))
        return adders

    def measure(self):
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(self._vhost())
            env = {**os.environ, "PYTHONPATH": str(TESTS), "CELERY_LOAD_BROKER": url}
            pipe, worker = stack.enter_context(self._worker(env))
            read_until(pipe, lambda found: b"R" in found, START_SECONDS, [worker])
            adders = self._adders(stack, env)
            for adder in adders:
                wait_word(adder, b"ready", START_SECONDS)
            started = begin(adders)
            read_until(pipe, lambda found: len(found) >= self.options.jobs, RUN_SECONDS,
                       [worker, *adders])
            return time.monotonic() - started

    def pids(self):
        return [broker_pid(self.broker.node)]

    def end(self):
        pass


SYSTEMS = (Warren, BullMQ, Celery)
