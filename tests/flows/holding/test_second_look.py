"""Some pictures of a batch are looked at again, by the worker that has read them."""

from pathlib import Path

import pytest

from flows.holding import look_jobs
from flows.predict import predict
from flows.terminal.console import Console
from tasks.holding.batches import BatchLog
from tasks.monitoring.batch_profile import BatchProfile
from tasks.results.summary import Summary
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded

pytestmark = pytest.mark.processes

PICTURES = 12


def read(folder: Path, model_file: Path) -> Summary:
    for number in range(PICTURES):
        (folder / f"{number}.png").write_bytes(encoded(bar(number % 10)))
    settings = PredictSettings(source=str(folder), model=str(model_file), workers=1, hold=True)
    return predict(settings, Console(quiet=True))


def profile_of(home: Path, folder: Path) -> BatchProfile:
    [batch] = BatchLog(str(home / "results")).last(str(folder), 1)
    return BatchProfile.from_dict(batch.profile)


def test_a_batch_is_compared_with_what_its_pictures_and_control_digits_tell(
    home: Path, tmp_path: Path, model_file: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    summary = read(folder, model_file)
    profile = profile_of(home, folder)
    assert profile.control and profile.control.drawn == 4
    assert profile.views and profile.views.pictures == PICTURES
    assert summary.found == summary.read == PICTURES  # control digits are no results


def test_where_the_worker_dies_of_it_the_batch_is_compared_without(
    home: Path, tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    # which the worker cannot unpickle
    monkeypatch.setattr(look_jobs.SecondLook, "__reduce__", lambda _: (int, ("no number",)))
    summary = read(folder, model_file)
    assert summary.found == summary.read == PICTURES
    assert profile_of(home, folder).control is None
