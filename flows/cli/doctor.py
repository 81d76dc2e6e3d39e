"""What this machine has for digitflow, what is missing, and how to get it."""

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass

from flows.deploying.declared import Declaration, declaration
from flows.deploying.origins import settings_of
from flows.deploying.settings_file import notify_settings, read_settings_file
from flows.maintenance.upgrade import trouble_of_reading
from flows.server.server_process import running_server, without_login
from tasks.device import Device, cpu, cuda_provider_problem, nvidia_gpu
from tasks.errors import DigitflowError, InputError
from tasks.provenance import package_versions
from tasks.registry.registry import Registry, serving
from tasks.settings.base import NotifySettings, home, models_place

SUPPORTED_PYTHON = ((3, 11), (3, 14))  # from, and below
ENOUGH_DISK = 2 * 2**30  # bytes: MNIST, models, and room for results


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; advice where it is missing or will be in the way."""

    name: str
    found: str
    good: bool = True
    advice: str = ""


def examine() -> list[Finding]:
    """Return what was found, in the order in which a person would look."""
    return [
        _python(),
        *(Finding(name, version) for name, version in package_versions().items()),
        _training(),
        Finding("cpu", f"{cpu().name} ({cpu().detail})"),
        _gpu(),
        _provider(),
        _home(),
        *_models(),
        _prefect(),
        *_settings(),
    ]


def _python() -> Finding:
    low, below = SUPPORTED_PYTHON
    good = low <= tuple(map(int, platform.python_version_tuple()[:2])) < below
    advice = "" if good else "use Python 3.11, 3.12 or 3.13"
    return Finding("python", f"{platform.python_version()} on {platform.platform()}", good, advice)


def _training() -> Finding:
    missing = [name for name in ("tensorflow", "tf2onnx") if not importlib.util.find_spec(name)]
    if missing:
        return Finding(
            "training",
            f"not possible: no {' and no '.join(missing)}",
            False,
            "pip install 'digitflow[train]' (reading does not need it)",
        )
    return Finding("training", "possible")


def _gpu() -> Finding:
    gpu = nvidia_gpu()
    if isinstance(gpu, Device):
        return Finding("gpu", f"{gpu.name} ({gpu.detail})")
    return Finding("gpu", gpu, True, "everything runs on the CPU")


def _provider() -> Finding:
    if isinstance(nvidia_gpu(), str):
        return Finding("reading on", "CPUExecutionProvider")
    problem = cuda_provider_problem()
    if problem is None:
        return Finding("reading on", "CUDAExecutionProvider, its libraries load")
    return Finding("reading on", f"CPU only: {problem}", False, "pip install 'digitflow[gpu]'")


def _home() -> Finding:
    folder = home()
    # what may not be looked at is as good as not there
    existing = next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
    free = shutil.disk_usage(existing).free
    text = f"{folder} ({free / 2**30:,.0f} GiB free)"
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        advice = "no folder that can be written: set DIGITFLOW_HOME to another"
        return Finding("home", text, False, advice)
    advice = (
        "" if free >= ENOUGH_DISK else "less than 2 GiB free: make room, or move DIGITFLOW_HOME"
    )
    return Finding("home", text, not advice, advice)


def _prefect() -> Finding:
    configured = os.environ.get("PREFECT_API_URL")
    if configured:
        return Finding("prefect", without_login(configured))
    running = running_server()
    if running is None:
        return Finding("prefect", "a server for each command: none is configured, none runs")
    asks = "asks for the login of its user" if running.login else "asks for no login (--no-auth)"
    return Finding("prefect", f"{running.url}, of `digitflow up`, {asks}")


def _alerts(notify: NotifySettings) -> Finding:
    if notify.url and notify.on:
        return Finding("alerts", f"of {', '.join(notify.on)}, once deployed")
    return Finding("alerts", "off, unless the server has a place for them: see `digitflow status`")


def _models() -> list[Finding]:
    try:
        registry = Registry(models_place())
        registry.history()
    except (DigitflowError, OSError) as error:
        return [Finding("models", str(error), False, "see DIGITFLOW_MODELS")]
    return [Finding("models", registry.place), _champion(registry), *_reading()]


def _reading() -> list[Finding]:
    try:
        trouble = trouble_of_reading()
    except DigitflowError:  # said of the champion already
        return []
    return [Finding("reading", trouble, False, "digitflow models upgrade")] if trouble else []


def _champion(registry: Registry) -> Finding:
    try:
        champion = serving(registry)
    except DigitflowError as error:
        return Finding("champion", str(error), False, "promote another version")
    if champion is None:
        return Finding("champion", "none yet", False, "digitflow train, or digitflow demo")
    accuracy = "not measured" if champion.accuracy is None else f"{champion.accuracy:.4f}"
    return Finding("champion", f"{champion.name}, test accuracy {accuracy}")


def _settings() -> list[Finding]:
    """Return what deployments are set to, where that comes from, and what is deployed."""
    try:
        said = read_settings_file()
        settings = list(settings_of(said))
        declared, notify = declaration(said), notify_settings(said)
    except InputError as error:
        return [Finding("settings", str(error), False, "mend that: nothing is deployed before")]
    there = "" if said.file.exists() else " (not there: all defaults)"
    return [
        Finding("settings", f"{said.file}{there}"),
        *(Finding(f"{each.table} {each.name}", each.line) for each in settings),
        *_deployed(declared),
        _alerts(notify),
    ]


def _deployed(declared: Declaration) -> list[Finding]:
    """Return how the server that lasts, if there is one, differs from what is declared."""
    if not (os.environ.get("PREFECT_API_URL") or running_server()):
        return []
    from flows.orchestration.launch import lasting_server

    try:
        with lasting_server():
            from flows.deploying.deploy import apply

            notes = apply(declared, dry_run=True).notes
    except DigitflowError as error:
        return [Finding("deployed", str(error), False, "see deployments/README.md")]
    return [
        Finding("deployed", f"{note.line}, on the server")
        if note.kind in ("kept", "left")
        else Finding("deployed", f"not yet: {note.line}", False, "digitflow deploy")
        for note in notes
        if note.kind != "as declared"
    ]
