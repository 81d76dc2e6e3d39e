"""What events say of a batch and of a model."""

from pathlib import Path

from flows.predict import predict
from flows.status.events import REJECTED_PERCENT, batch_event, model_event
from tasks.registry.registry import Registry
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.helpers import register_champion


def test_a_batch_says_what_came_out_of_which_source_and_why_pictures_were_rejected(
    home: Path, tmp_path: Path, model_file: Path
) -> None:
    register_champion(home, model_file)
    folder = tmp_path / "a\nb"  # as any name may be
    folder.mkdir()
    for digit in range(2):
        (folder / f"{digit}.png").write_bytes(encoded(bar(digit)))
    (folder / "broken.png").write_bytes(b"no picture")
    summary = predict(PredictSettings(source=str(folder)))
    event = batch_event(summary)
    assert event.name == "digitflow.batch.completed"
    assert event.resource["prefect.resource.id"] == f"digitflow.batch.{summary.run_id}"
    assert event.resource[REJECTED_PERCENT] == "33"
    name = str(folder).replace("\n", "\\n")
    counts = "2 read, 0 for review, 1 rejected (1 unsupported_format)"
    assert event.payload["message"] == f"{name}: {counts}"
    assert event.payload["rejects"] == {"unsupported_format": 1}
    assert [event.payload[key] for key in ("source", "model", "found")] == [name, "tiny", 3]


def test_a_model_event_is_the_same_whoever_tells_it_and_other_entries_are_none(
    home: Path, model_file: Path
) -> None:
    register_champion(home, model_file, "first")
    register_champion(home, model_file, "second")
    entries = Registry(home / "models").history()
    events = {entry["version"]: model_event(entry) for entry in entries}
    promoted = events["second"]
    assert promoted
    assert promoted.name == "digitflow.model.promoted"
    assert promoted.payload["message"] == "second serves now, in place of first: made for a test"
    again = model_event(entries[-1])
    assert again
    assert again.identity == promoted.identity
    first = events["first"]
    assert first
    assert first.identity != promoted.identity
    assert [model_event(e) for e in entries if e["action"] == "register"] == [None, None]
