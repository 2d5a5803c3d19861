# SPDX-License-Identifier: MIT
"""Builds and runs every test, and counts: the last line is `N passed, N failed, N skipped`.

usage: test.py REPOSITORY BUILD [FILTER...]

Stages, in this order:
  format  clang-format finds nothing to change
  plain   every test of the build that people run
  asan    suites `unit` and `sanitize` under AddressSanitizer and UndefinedBehaviorSanitizer
  tsan    suite `thread` under ThreadSanitizer
  fuzz    every fuzz target for a few seconds, from its corpus
  vm      the city from power on, in a virtual machine
A filter that is a stage's name runs that stage; any other runs the tests of stage plain whose suite
or name holds it. A test that prints TAP counts with each of its own tests.

Many tests of stage plain wait: for a deadline, for another process. So there are more of them at a time
than processors, and what the later stages need is compiled beside them, for what they leave of the
processors. Of a sanitizer's build only that is compiled which its tests run. Beside the machine, which is
emulated and has to melt a tile in some seconds, only the fuzz targets run, behind it.

The cities of all tests share a cache, which is filled beside the first ones: what their forges compile of
the tiles that every city has, and the shaders.
"""

import concurrent.futures
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

STAGES = ["format", "plain", "asan", "tsan", "fuzz", "vm"]
FUZZ_SECONDS = int(os.environ.get("SOURCE_CITY_FUZZ_SECONDS", "4"))
CLANG_FORMAT = 21
BEHIND = ["nice", "-n", "10"]
BEHIND_ALL = ["nice", "-n", "19"]
AT_A_TIME = max(2, len(os.sched_getaffinity(0)) * 3 // 2)  # tests

TAP = re.compile(r"^\s*(not )?ok\b[ \t]*\d*[ \t]*(?:- )?(.*)$", re.M)
SKIP = re.compile(r"#\s*skip\b", re.I)
TODO = re.compile(r"#\s*todo\b", re.I)


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.reasons = []

    def fail(self, name, text=""):
        self.failed += 1
        self.failures.append((name, text))

    def skip(self, name, reason):
        self.skipped += 1
        self.reasons.append((name, reason))

    def meson_test(self, stage, test):
        """One line of meson's testlog.json, with the tests inside it if it printed TAP."""
        name = f"{stage}: {test_name(test['name'])}"
        result = test["result"]
        output = test.get("stdout") or ""
        inner = TAP.findall(output)
        log = output + (test.get("stderr") or "")
        if not inner:
            if result in ("OK", "EXPECTEDFAIL"):
                self.passed += 1
            elif result == "SKIP":
                self.skip(name, last_line(log))
            else:
                self.fail(f"{name} ({result.lower()})", log)
            return
        failed = 0
        for bad, what in inner:
            if SKIP.search(what):
                self.skip(f"{name}: {what}", "")
            elif bad and not TODO.search(what):
                failed += 1
                self.fail(f"{name}: {what}", log if failed == 1 else "")
            else:
                self.passed += 1
        if result not in ("OK", "SKIP", "EXPECTEDFAIL") and not failed:
            self.fail(f"{name} ({result.lower()})", log)


def test_name(name):
    """The log says `suite - project:name`; tests are named without colons."""
    return name.split(":")[-1]


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def say(text):
    print(f"== {text}", flush=True)


# Where the kernel shares processors between sessions first, niceness counts within one of them only.
SESSION = "/proc/self/autogroup"


def session_nice():
    try:
        with open(SESSION) as file:
            return int(file.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


def stand_back(nice):
    try:
        with open(SESSION, "w") as file:
            file.write(str(nice))
    except OSError:
        pass


def run(args, **options):
    return subprocess.run(args, stdout=sys.stderr, **options).returncode


class Tests:
    def __init__(self, here, build, filters):
        self.here = here
        self.build = build
        self.filters = [f for f in filters if f not in STAGES]
        self.stages = [s for s in STAGES if s in filters]
        if self.filters and "plain" not in self.stages:
            self.stages.append("plain")
        if not self.stages:
            self.stages = STAGES
        self.count = Count()
        self.beside = {}  # future results by stage
        self.builder = concurrent.futures.ThreadPoolExecutor(1)
        self.fuzzers = concurrent.futures.ThreadPoolExecutor(1)
        self.fuzzing = []  # future outcomes, each of one target

    def everything(self):
        share = session_nice()
        try:
            for stage in self.stages:
                start = time.monotonic()
                say(stage)
                if stage not in ("format", "plain"):
                    self.begin_builds()
                if stage == "vm":
                    stand_back(share)
                getattr(self, stage)()
                say(f"{stage}: {time.monotonic() - start:.0f} s")
        finally:
            stand_back(share)
        return self.report()

    def begin(self, stage, where, work):
        """What a stage needs, beside what runs before it; once, and only if that stage runs at all."""
        if stage in self.stages and stage not in self.beside:
            self.beside[stage] = where.submit(work)

    def begin_builds(self):
        # Each test has a session of its own; in this one there is nobody but the compilers.
        stand_back(10)
        for stage, (options, environment, targets) in CONFIGURATIONS.items():
            self.begin(stage, self.builder, functools.partial(
                make_beside, self.here, self.build + "-" + stage, options, environment, targets))
        # Its disk. What goes wrong is said by the stage itself, which tries again.
        self.begin("vm", self.builder, functools.partial(
            subprocess.run, [*BEHIND_ALL, f"{self.here}/dev", "vm", "--prepare"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def built(self, stage):
        """Whether a configuration's build is there; waits for it."""
        said, failure = self.beside[stage].result()
        sys.stderr.write(said)
        sys.stderr.flush()
        if failure:
            self.count.fail(*failure)
        return not failure

    def report(self):
        count = self.count
        for name, reason in count.reasons:
            print(f"skipped: {name}" + (f" ({reason})" if reason else ""))
        for name, text in count.failures:
            print(f"failed: {name}")
            for line in text.strip().splitlines()[-40:]:
                print(f"    {line}")
        if self.filters and not count.passed + count.failed + count.skipped:
            count.fail(f"no test matches {' '.join(self.filters)}")
            print(f"failed: {count.failures[-1][0]}")
        print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped", flush=True)
        return 1 if count.failed else 0

    # stages

    def format(self):
        version = tool_version("clang-format")
        if version != CLANG_FORMAT:
            self.count.skip("format", f"clang-format {CLANG_FORMAT} decides; here is {version}")
            return
        files = git_files(self.here, "*.c", "*.h")
        result = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=self.here,
                                capture_output=True, text=True)
        if result.returncode == 0:
            self.count.passed += 1
        else:
            wrong = sorted({line.split(":")[0] for line in result.stderr.splitlines()
                            if ": error:" in line})
            self.count.fail("format: ./dev format mends it", "\n".join(wrong) or result.stderr)

    def plain(self):
        failure = make(self.here, self.build, sys.stderr)
        self.begin_builds()
        if failure:
            self.count.fail(*failure)
            return
        with tempfile.TemporaryDirectory(prefix="city-cache-", ignore_cleanup_errors=True) as cache:
            shared = {"SOURCE_CITY_TEST_CACHE": cache}
            filler = None
            if not self.filters:
                # Whether it comes to its end or not: each city can do that itself.
                env = dict(self.environment(self.build), **shared)
                filler = subprocess.Popen(
                    [*BEHIND, sys.executable, "-B", f"{self.here}/tests/lib/fill_cache.py"], env=env,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.meson(self.build, "plain", self.matches, environment=shared)
            if filler:
                filler.wait()

    def asan(self):
        if self.built("asan"):
            self.meson(self.build + "-asan", "asan", IN_ASAN, multiplier=4)

    def tsan(self):
        if self.built("tsan"):
            self.meson(self.build + "-tsan", "tsan", IN_TSAN, multiplier=4)

    def fuzz(self):
        """The machine leaves some of the processors to it: then its end is waited for there."""
        if not shutil.which("clang"):
            self.count.skip("fuzz", "no clang here")
        elif self.built("fuzz"):
            self.fuzzing = [self.fuzzers.submit(self.fuzz_one, name, program)
                            for name, program in fuzz_programs(self.build + "-fuzz")]
            if "vm" not in self.stages:
                self.end_fuzz()

    def end_fuzz(self):
        for done in self.fuzzing:
            said, failure = done.result()
            print(said, flush=True)
            if failure:
                self.count.fail(*failure)
            else:
                self.count.passed += 1

    def fuzz_one(self, name, program):
        """What to say, and a failure or None."""
        corpus = os.path.join(self.here, "tests", "fuzz", "corpus", name)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            found = os.path.join(scratch, "found")
            os.mkdir(found)
            seeds = [corpus] if os.path.isdir(corpus) else []
            result = subprocess.run(
                [*BEHIND_ALL, program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=60", "-rss_limit_mb=2048",
                 "-print_final_stats=1", f"-artifact_prefix={scratch}/", found, *seeds],
                capture_output=True, text=True, errors="replace")
            runs = re.search(r"number_of_executed_units:\s*(\d+)", result.stderr)
            said = f"fuzz {name}: {runs.group(1) if runs else '?'} runs"
            if result.returncode == 0:
                return said, None
            kept = os.path.join(self.build + "-fuzz", "crashes")
            os.makedirs(kept, exist_ok=True)
            for file in os.listdir(scratch):
                if file != "found":
                    shutil.copy(os.path.join(scratch, file), os.path.join(kept, f"{name}-{file}"))
            return said, (f"fuzz: {name} (the input is in {kept})", result.stderr)

    def vm(self):
        """With nothing beside it that does not stand back: what it shows is looked at while it moves."""
        self.beside["vm"].result()
        done = subprocess.run([f"{self.here}/dev", "vm"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout, end="", flush=True)
        result = {0: "OK", 77: "SKIP"}.get(done.returncode, "FAIL")
        self.count.meson_test("vm", {"name": "vm", "result": result, "stdout": done.stdout})
        self.end_fuzz()

    # parts

    def matches(self, test):
        where = " ".join([*test["suite"], test["name"]])
        return not self.filters or any(f in where for f in self.filters)

    def environment(self, build):
        """With the programs of that build."""
        env = dict(os.environ, SOURCE_CITY_BUILD=build)
        path = [p for p in env["PATH"].split(":") if p != self.build + "/prefix/bin"]
        env["PATH"] = ":".join([build + "/prefix/bin", *path])
        return env

    def meson(self, build, stage, wanted, multiplier=1, environment=None):
        tests = [t for t in introspect(build) if wanted(t)]
        if not tests:
            return
        log = os.path.join(build, "meson-logs", "testlog.json")
        if os.path.exists(log):
            os.unlink(log)
        env = dict(self.environment(build), **(environment or {}))
        project = tests[0]["suite"][0].split(":")[0]
        run(["meson", "test", "-C", build, "--no-rebuild", "-t", str(multiplier),
             "--num-processes", str(AT_A_TIME), "--max-lines", "20", *sorted({f"{project}:{t['name']}" for t in tests})], env=env)
        seen = set()
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    test = json.loads(line)
                    seen.add(test_name(test["name"]))
                    self.count.meson_test(stage, test)
        for test in tests:
            if test["name"] not in seen:
                self.count.fail(f"{stage}: {test['name']} did not run")


def in_suites(*names):
    return lambda test: any(s.split(":")[-1] in names for s in test["suite"])


def introspect(build, what="tests"):
    out = subprocess.run(["meson", "introspect", f"--{what}", build], capture_output=True, check=True)
    return json.loads(out.stdout)


def targets_of(wanted):
    """What the wanted tests run, as they say themselves in `depends`."""
    def targets(build):
        needed = {target for test in introspect(build) if wanted(test) for target in test["depends"]}
        return [os.path.relpath(path, build) for target in introspect(build, "targets")
                if target["id"] in needed for path in target["filename"]]
    return targets


def fuzz_targets(build):
    return [os.path.relpath(t["filename"][0], build) for t in introspect(build, "targets")
            if t["name"].startswith("fuzz-") and t["type"] == "executable"]


IN_ASAN = in_suites("unit", "sanitize")
IN_TSAN = in_suites("thread")
# What they cost is compiling: it is kept short, and lines are all that their reports need.
FOR_SANITIZERS = ["-Dwerror=false", "-Db_lundef=false", "-Doptimization=g", "-Ddebug=true", "-Dc_args=-g1",
                  "-Dman-pages=disabled"]
# Options, environment, targets.
CONFIGURATIONS = {
    "asan": (["-Db_sanitize=address,undefined", *FOR_SANITIZERS], {}, targets_of(IN_ASAN)),
    "tsan": (["-Db_sanitize=thread", *FOR_SANITIZERS], {}, targets_of(IN_TSAN)),
    "fuzz": (["-Db_sanitize=address,undefined", "-Dfuzz=true", *FOR_SANITIZERS], {"CC": "clang"},
             fuzz_targets),
}


def make(here, build, log, options=(), environment=None, targets=None, prefix=()):
    """Configures and builds; without targets everything, and installs it. A failure is (name, text)."""
    env = dict(os.environ, **(environment or {}))
    name = os.path.basename(build)

    def quietly(*command):
        return subprocess.run([*prefix, *command], env=env, stdout=log, stderr=log).returncode

    if not os.path.exists(build + "/build.ninja"):
        shutil.rmtree(build + "/meson-private", ignore_errors=True)
        setup = subprocess.run(
            [*prefix, "meson", "setup", build, here, f"--prefix={build}/prefix", "--libdir=lib", *options],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if setup.returncode:
            return f"{name}: meson setup", setup.stdout
    elif targets:
        # The targets are those of now, not of when it was configured.
        quietly("ninja", "-C", build, "--quiet", "build.ninja")
    wanted = targets(build) if targets else []
    if targets and not wanted:
        return None
    if quietly("ninja", "-C", build, "--quiet", *wanted):
        return f"{name}: the build", ""
    if not targets and quietly("meson", "install", "-C", build, "--no-rebuild", "--quiet",
                               "--only-changed"):
        return f"{name}: the install", ""
    return None


def make_beside(here, build, options, environment, targets):
    """With what it said, which is for later. It takes only the time that the tests leave."""
    if environment.get("CC") and not shutil.which(environment["CC"]):
        return "", None
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        failure = make(here, build, log, options, environment, targets, BEHIND_ALL)
        log.seek(0)
        said = log.read()
    return said, failure and (failure[0], failure[1] or said)


def fuzz_programs(build):
    return [(os.path.basename(path)[len("fuzz-"):], os.path.join(build, path))
            for path in sorted(fuzz_targets(build))]


def git_files(here, *patterns):
    out = subprocess.run(["git", "-c", f"safe.directory={here}", "ls-files", "-z", "--", *patterns],
                         cwd=here, capture_output=True, check=True)
    return [f for f in out.stdout.decode().split("\0") if f and os.path.exists(f"{here}/{f}")]


def tool_version(tool):
    if not shutil.which(tool):
        return "none"
    out = subprocess.run([tool, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+)", out)
    return int(found.group(1)) if found else "unknown"


if __name__ == "__main__":
    sys.exit(Tests(sys.argv[1], sys.argv[2], sys.argv[3:]).everything())
