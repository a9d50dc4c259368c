"""The state of the process before and after foreign code."""

import subprocess
import sys


def test_reading_the_state_for_the_first_time_is_no_change() -> None:
    script = (
        "from audioclf.base.process_state import restored_process_state\n"
        "with restored_process_state() as changed: pass\n"
        "assert changed == [], changed\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
