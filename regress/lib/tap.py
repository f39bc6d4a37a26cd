"""TAP for the system tests: test functions named test_*, one line each.

    from tap import main, check
    def test_something(): ...
    main(globals())

A test fails by raising; check(condition, text) raises with the text.
"""
import concurrent.futures
import sys
import time
import traceback


class Skip(Exception):
    """raised by a test that cannot run here; the reason is printed"""


def check(condition, text="check failed"):
    if not condition:
        raise AssertionError(text)


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


PATIENCE = 4        # a loaded machine has so much longer for what should be


def wait_for(fn, seconds=10, what="condition", step=0.05):
    """call fn till it returns something true; that is returned"""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {seconds * PATIENCE} s")
        time.sleep(step)


def one(name, fn):
    """how it went: (good, the lines to print behind "ok N - ")"""
    t = time.monotonic()
    try:
        fn()
    except Skip as e:
        return True, f"{name} # SKIP {e}"
    except BaseException as e:
        traceback.print_exc(file=sys.stdout)
        text = str(e).replace("\n", " ")[:300]
        if isinstance(e, KeyboardInterrupt):
            raise
        return False, f"{name}: {type(e).__name__} {text}"
    return True, f"{name} ({time.monotonic() - t:.1f}s)"


def main(names, teardown=None, jobs=1):
    """jobs: tests that mostly wait, and share nothing, may run so many at a time"""
    tests = [(k, v) for k, v in names.items() if k.startswith("test_") and callable(v)]
    if len(sys.argv) > 1:
        tests = [t for t in tests if any(a in t[0] for a in sys.argv[1:])]
    print(f"1..{len(tests)}", flush=True)
    bad = 0
    try:
        if jobs > 1:
            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                results = list(pool.map(lambda t: one(*t), tests))
        else:
            results = (one(*t) for t in tests)
        for n, (good, line) in enumerate(results, 1):
            bad += not good
            print(f"{'ok' if good else 'not ok'} {n} - {line}", flush=True)
    finally:
        if teardown is not None:
            teardown()
    sys.exit(1 if bad else 0)
