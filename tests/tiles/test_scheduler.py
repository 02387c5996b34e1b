from stainapp.tiles.grid import TileKey
from stainapp.tiles.scheduler import TileJob, TileScheduler

A, B, C = (TileKey(0, column, 0) for column in range(3))


def start(scheduler: TileScheduler) -> TileJob:
    job = scheduler.next()
    assert job is not None
    return job


def test_jobs_come_in_the_order_of_the_last_wish() -> None:
    scheduler = TileScheduler(max_running=2)
    scheduler.want([A, B])
    scheduler.want([C, B])

    assert [start(scheduler).key, start(scheduler).key] == [C, B]


def test_no_more_jobs_run_than_there_are_workers() -> None:
    scheduler = TileScheduler(max_running=1)
    scheduler.want([A, B])
    first = start(scheduler)

    assert scheduler.next() is None

    scheduler.done(first)
    assert start(scheduler).key == B


def test_a_running_job_that_leaves_the_view_is_cancelled() -> None:
    scheduler = TileScheduler()
    scheduler.want([A])
    job = start(scheduler)

    scheduler.want([B])

    assert job.token.cancelled
    assert scheduler.done(job) is False


def test_a_running_job_that_is_wished_again_runs_on_alone() -> None:
    scheduler = TileScheduler(max_running=2)
    scheduler.want([A])
    job = start(scheduler)

    scheduler.want([A])

    assert scheduler.next() is None
    assert scheduler.done(job) is True


def test_a_tile_that_comes_back_into_view_after_its_cancelling_is_a_new_job() -> None:
    scheduler = TileScheduler(max_running=2)
    scheduler.want([A])
    cancelled = start(scheduler)
    scheduler.want([])

    scheduler.want([A])

    again = start(scheduler)
    assert again is not cancelled
    assert not again.token.cancelled
