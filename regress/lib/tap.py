"""TAP for the system tests: test functions named test_*, one line each.

    from tap import main, check
    def test_something(): ...
    main(globals())

A test fails by raising; check(condition, text) raises with the text.
"""
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


def main(names, teardown=None):
    tests = [(k, v) for k, v in names.items() if k.startswith("test_") and callable(v)]
    if len(sys.argv) > 1:
        tests = [t for t in tests if any(a in t[0] for a in sys.argv[1:])]
    print(f"1..{len(tests)}", flush=True)
    bad = 0
    try:
        for n, (name, fn) in enumerate(tests, 1):
            t = time.monotonic()
            try:
                fn()
            except Skip as e:
                print(f"ok {n} - {name} # SKIP {e}", flush=True)
                continue
            except BaseException as e:
                bad += 1
                traceback.print_exc(file=sys.stdout)
                text = str(e).replace("\n", " ")[:300]
                print(f"not ok {n} - {name}: {type(e).__name__} {text}", flush=True)
                if isinstance(e, KeyboardInterrupt):
                    break
                continue
            print(f"ok {n} - {name} ({time.monotonic() - t:.1f}s)", flush=True)
    finally:
        if teardown is not None:
            teardown()
    sys.exit(1 if bad else 0)
