from __future__ import annotations

import pytest

from audioclf.base.errors import ConfigError
from audioclf.engines import make_engine


@pytest.mark.parametrize(("scheduler", "insecure"), [("tcp://127.0.0.1:9", False), (None, True)])
def test_a_scheduler_for_the_local_engine_is_refused(scheduler: str | None, insecure: bool) -> None:
    with pytest.raises(ConfigError, match="the engine is local, which needs none") as caught:
        make_engine("local", jobs=1, scheduler=scheduler, insecure=insecure)
    assert (
        caught.value.hint == "Add --engine dask, or leave out --scheduler and --insecure-cluster."
    )
