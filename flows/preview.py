"""Look at a folder: what a reading would make of some of its pictures, on one page."""

from collections import Counter
from collections.abc import Sequence

from flows.terminal.console import Console
from tasks.atomic import write_text
from tasks.device import reading_device
from tasks.inference.batch import ReadPlan
from tasks.inference.decision import guaranteed
from tasks.inference.shard import read_rows
from tasks.inference.worker import WorkerStart
from tasks.inference.worker_pool import WorkerPool
from tasks.inputs.base import Inputs
from tasks.inputs.listing import discover
from tasks.inputs.open import open_inputs
from tasks.metrics.calibration import Calibration
from tasks.outcomes import Status
from tasks.processes.page_process import DecodedPage
from tasks.registry.registry import Registry, find_model
from tasks.reporting.document import to_html
from tasks.reporting.preview import Preview, evenly_spaced, preview_report
from tasks.reporting.samples import pages_at
from tasks.results.picture_row import PictureRow, picture_rows
from tasks.runs import LISTING_FILE, REPORT_FILE, open_run
from tasks.settings.base import home, models_place
from tasks.settings.reading import PreviewSettings


def preview(settings: PreviewSettings, console: Console) -> Preview:
    """Decide on some files of a folder as a reading would, and write a page instead of results.

    Raises:
        InputError: the folder, the model or the device cannot be used, or the model cannot
            guarantee the error that is accepted.
    """
    inputs = open_inputs(settings.source, settings.include, settings.exclude)
    model = find_model(settings.model, Registry(models_place()))
    start = WorkerStart(model, reading_device(settings.device), settings.decode_timeout)
    with WorkerPool(start) as processes:
        reader = processes.session_facts()
        calibration = Calibration.from_json(reader.calibration)
        promise, thresholds = guaranteed(settings.max_error, calibration)
        run = open_run("preview", home())
        listing = discover(inputs, run / LISTING_FILE)
        some = evenly_spaced(listing, settings.limit)
        plan = ReadPlan(run.name, inputs, thresholds)
        table, _ = read_rows(plan, some, processes)
        rows = picture_rows(table)
        decoded = [number for number, ink in enumerate(table["ink"].is_valid().to_pylist()) if ink]
        pictures = pictures_of(rows, decoded, inputs, processes)
    counts = Counter(row.status for row in rows)
    found = Preview(
        folder=str(inputs.roots),
        files=listing.count,
        shown=len(some),
        outcomes={status: counts[status] for status in Status},
        threshold=promise.whole,
        promise=promise.sentence(),
        model_version=reader.version,
        instead_of=model.instead_of.why if model.instead_of else None,
        report=str(run / REPORT_FILE),
    )
    report = preview_report(found, rows, pictures)
    write_text(run / REPORT_FILE, to_html(report))
    console.log("Preview", report.lead)
    console.log("Report", found.report)
    return found


def pictures_of(
    rows: Sequence[PictureRow], decoded: Sequence[int], inputs: Inputs, processes: WorkerPool
) -> dict[int, DecodedPage | str]:
    """Return the pages that are pictures, by the number of their row, or why they cannot be shown.

    They are decoded a second time: a reading hands rows over, and no pictures.
    """
    shown = [rows[number] for number in decoded]
    places = [(inputs.roots.path(row.root, row.path), row.page) for row in shown]
    limit = processes.start.decode_timeout
    pages = pages_at(
        inputs,
        places,
        acquire=processes.acquire,
        thumbnails=True,
        page_seconds=limit,
        seconds=None,
    )
    return dict(zip(decoded, pages, strict=True))
