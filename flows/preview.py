"""Look at a folder: what a reading would make of some of its pictures, on one page."""

from collections import Counter

from flows.engine import Engine
from tasks.calibrate import threshold_for
from tasks.decide import Thresholds
from tasks.device import reading_device, usable_cores
from tasks.discover import discover
from tasks.files import write_text
from tasks.inputs import open_inputs
from tasks.preview import Preview, preview_report, spread
from tasks.reader import Reader
from tasks.reasons import Status
from tasks.registry import Registry, find_model
from tasks.report import to_html
from tasks.runs import LISTING_FILE, REPORT_FILE, open_run
from tasks.settings import PreviewSettings, home, models_place
from tasks.stretch import ReadPlan, read_stretch


def preview(settings: PreviewSettings, engine: Engine) -> Preview:
    """Decide on some files of a folder as a reading would, and write a page instead of results.

    Raises:
        InputError: the folder, the model or the device cannot be used, or the model cannot promise
            the error that is accepted.
    """
    inputs = open_inputs(settings.source, settings.include, settings.exclude)
    model = find_model(settings.model, Registry(models_place()))
    reader = Reader(model, reading_device(settings.device), usable_cores())
    threshold = threshold_for(settings.max_error, reader.calibration.curve)
    run = open_run("preview", home())

    listing = engine.stage(discover, inputs, run / LISTING_FILE)
    thresholds = Thresholds(
        threshold.confidence,
        reader.calibration.min_digit_score,
        reader.calibration.sure_digit_score,
    )
    plan = ReadPlan(run.name, inputs, thresholds)
    some = spread(listing, settings.limit)
    stretch = engine.stage(read_stretch, plan, some, reader)
    decided = list(zip(stretch.pages, stretch.rows.to_pylist(), strict=True))
    counts = Counter(row["status"] for _, row in decided)
    found = Preview(
        folder=inputs.root,
        files=listing.count,
        shown=len(some),
        outcomes={status: counts[status] for status in Status},
        threshold=threshold,
        model_version=reader.version,
        report=str(run / REPORT_FILE),
    )
    report = preview_report(found, inputs, decided)
    write_text(run / REPORT_FILE, to_html(report))
    engine.say("Preview", report.lead)
    engine.say("Report", found.report)
    return found
