"""What `digitflow.toml` may hold reaches the deployments; anything else is refused by name."""

import re
from pathlib import Path

import pytest

from flows.deploying.declared import DECLARATION, declaration
from flows.deploying.origins import settings_of
from flows.deploying.settings_file import (
    FILE,
    SettingsFile,
    notify_settings,
    read_settings_file,
)
from tasks.errors import InputError
from tasks.settings.reading import InboxSettings, PredictSettings


def said(home: Path, text: str) -> SettingsFile:
    home.mkdir(exist_ok=True)
    (home / FILE).write_text(text)
    return read_settings_file()


def deployments(file: SettingsFile) -> dict[str, dict[str, object]]:
    return {each.name: each.facts for each in declaration(file).deployments}


def test_without_a_file_everything_is_as_declared(home: Path) -> None:
    usual = deployments(read_settings_file())
    assert set(usual) == {"weekly", "nightly", "inbox", "on-promotion", "held"}
    assert usual == deployments(said(home, ""))


def test_inboxes_have_their_own_settings_and_the_time_zone_of_all(home: Path) -> None:
    file = said(
        home,
        """
        timezone = "Europe/Berlin"
        [inbox.post]
        source = "/mnt/post"
        cron = "*/5 * * * *"
        max_error = 0.01
        [inbox.desk]
        timezone = "UTC"
        [train]
        cron = false
        data = "/data/digits"
        [maintain]
        keep_days = 30
        """,
    )
    declared = deployments(file)
    assert set(declared) == {
        *("weekly", "nightly", "held"),
        *("post", "desk", "post-on-promotion", "desk-on-promotion"),
    }
    assert declared["post"]["parameters"] == {
        "settings": {"source": "/mnt/post", "max_error": 0.01}
    }
    when = {"cron": "*/5 * * * *", "timezone": "Europe/Berlin", "day_or": True}
    assert declared["post"]["schedules"] == {"1": when}
    assert declared["desk"]["schedules"] == {
        "1": {"cron": "*/5 * * * *", "timezone": "UTC", "day_or": True}
    }
    assert declared["weekly"]["schedules"] == {}
    assert declared["nightly"]["parameters"] == {"settings": {"keep_days": 30}}
    assert declared["weekly"]["parameters"] == {
        "settings": {"data": "/data/digits", "recipe": "standard"}
    }


def test_what_is_in_review_of_each_inbox_is_read_again_by_its_own_settings(home: Path) -> None:
    file = said(
        home,
        """
        [inbox.post]
        source = "/mnt/post"
        max_error = 0.01
        include = ["*.png"]
        after = "move"
        move_to = "/mnt/read"
        retry_review = false
        [inbox.desk]
        cron = "0 4 * * *"
        """,
    )
    declared = deployments(file)
    again = declared["post-on-promotion"]
    assert again["parameters"] == {
        "settings": {**file.inboxes["post"].settings, "retry_review": True}
    }
    assert again["tags"] == {"digitflow": True, "on-promotion": True}
    desk = declared["desk-on-promotion"]
    assert (desk["parameters"], desk["schedules"]) == ({"settings": {"retry_review": True}}, {})
    assert "on-promotion" not in declared
    with pytest.raises(InputError, match=r"\[inbox.a-on-promotion\]: give it another name"):
        declaration(said(home, "[inbox.a]\n[inbox.a-on-promotion]"))


def test_who_is_told_is_what_the_file_says_then_variables_and_no_secret_is_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_NOTIFY_URL", "json://elsewhere/h4sh")
    monkeypatch.setenv("DIGITFLOW_NOTIFY_MAX_REJECTED", "0.5")
    file = said(home, '[notify]\nurl = "json://127.0.0.1/h4sh"\non = ["late"]')
    told = notify_settings(file)
    assert told.url
    assert told.url.get_secret_value() == "json://127.0.0.1/h4sh"
    assert (told.on, told.max_rejected) == (["late"], 0.5)
    shown = {each.name: each.line for each in settings_of(file) if each.table == "notify"}
    assert shown == {
        "url": f"**********  ({FILE})",
        "on": f"['late']  ({FILE})",
        "max_rejected": "0.5  (variable DIGITFLOW_NOTIFY_MAX_REJECTED)",
    }
    assert "h4sh" not in repr((file, told))


@pytest.mark.parametrize(
    ("variable", "value"), [("URL", "h4sh"), ("ON", "h4sh"), ("ON", '["h4sh"]')]
)
def test_a_variable_of_alerts_that_is_wrong_is_named_without_its_value(
    variable: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DIGITFLOW_NOTIFY_{variable}", value)
    with pytest.raises(InputError) as refused:
        notify_settings(said(home, ""))
    assert str(refused.value).startswith(f"DIGITFLOW_NOTIFY_{variable}: ")
    assert "h4sh" not in str(refused.value)


def test_a_pool_of_containers_has_the_image_that_is_named(home: Path) -> None:
    file = said(home, '[pool]\nname = "boxes"\ntype = "docker"\nimage = "here/digitflow:3"')
    facts = deployments(file)["inbox"]
    assert facts["work_pool_name"] == "boxes"
    assert isinstance(facts["job_variables"], dict)
    assert facts["job_variables"]["image"] == "here/digitflow:3"
    with pytest.raises(InputError, match="a pool of type process has none"):
        declaration(said(home, '[pool]\nimage = "x"'))


def test_variables_of_where_it_is_read_are_no_settings_of_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_MAX_ERROR", "0.5")
    monkeypatch.setenv("DIGITFLOW_WORKERS", "many")
    file = said(home, '[inbox.a]\nsource = "s3://bucket/scans"')
    assert file.inboxes["a"].settings == {"source": "s3://bucket/scans"}


def test_every_setting_of_an_inbox_may_be_given(home: Path) -> None:
    with pytest.raises(InputError) as refused:
        said(home, "[inbox.a]\nsorce = 1")
    for name in (*InboxSettings.model_fields, "cron", "timezone"):
        assert name in str(refused.value)
    assert "did you mean source?" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ("tz = 1", "tz", "timezone"),
        ("timezone = 'Berlin'", "timezone", "Europe/Berlin"),
        ("inbox = 3", "inbox", "a table"),
        ("[inbox]\nsource = '/x'", "inbox.source", "a table"),
        ("[inbox.Big_One]", "[inbox.Big_One]", "a-z, 0-9"),
        ("[inbox.a]\ncron = '* * * *'", "[inbox.a] cron", "five fields"),
        ("[inbox.a]\ncron = '99 * * * *'", "[inbox.a] cron", "five fields"),
        ("[inbox.a]\ncron = true", "[inbox.a] cron", "or false"),
        ("[inbox.a]\nmax_error = 7", "[inbox.a] max_error", "less than or equal to 1"),
        ("[inbox.a]\ndevice = 'gpu'", "[inbox.a] device", "'auto', 'cpu' or 'cuda'"),
        ("[inbox.a]\nsource = 'scans'", "[inbox.a] source", "the whole path, or a URL"),
        ("[inbox.a]\nsource = ['/x', 'y']", "[inbox.a] source", "the whole path, or a URL"),
        ("[train]\nrecipe = 'slow'", "[train] recipe", "'standard' or 'quick'"),
        ("[train]\ndata = 'digits'", "[train] data", "the whole path"),
        ("[maintain]\nkeep = 3", "[maintain] keep", "keep_days, keep_runs"),
        ("[pool]\ntype = 'k8s'", "[pool] type", "'kubernetes'"),
        ("[pool]\nkind = 'k8s'", "[pool] kind", "name, type, image"),
        ("[notify]\nurls = 'x'", "[notify] urls", "did you mean url?"),
        ("[notify]\nurl = 'nobody'", "[notify] url", "Apprise knows no such place"),
        ("[notify]\non = ['faild']", "[notify] on", "'failed', 'late'"),
        ("notify = 3", "notify", "a table"),
        ("[inbox", "", "Expected"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_its_key_and_what_is_allowed(
    text: str, key: str, allowed: str, home: Path
) -> None:
    with pytest.raises(InputError) as refused:
        said(home, text)
    message = str(refused.value)
    assert message.startswith(f"{home / FILE}: {key}")
    assert allowed in message


def test_a_secret_in_a_source_is_refused_and_not_repeated(home: Path) -> None:
    with pytest.raises(InputError) as refused:
        said(home, '[inbox.a]\nsource = "https://user:h4sh@host/x"')
    assert "h4sh" not in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff", b"\x00"])
def test_a_file_that_is_no_text_is_refused(content: bytes, home: Path) -> None:
    home.mkdir()
    (home / FILE).write_bytes(content)
    with pytest.raises(InputError, match=FILE):
        read_settings_file()


def test_a_folder_of_its_name_is_refused(home: Path) -> None:
    (home / FILE).mkdir(parents=True)
    with pytest.raises(InputError, match="directory"):
        read_settings_file()


def test_the_settings_of_a_flow_are_those_of_its_parameters(home: Path) -> None:
    file = said(home, '[inbox.a]\nsource = "/x"\nretry_rejected = "all"\nworkers = 2')
    parameters = deployments(file)["a"]["parameters"]
    assert isinstance(parameters, dict)
    assert PredictSettings(**parameters["settings"]).workers == 2


def test_the_example_of_the_readme_is_one(home: Path) -> None:
    page = (DECLARATION.parent / "README.md").read_text()
    [example] = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    file = said(home, example)
    assert set(deployments(file)) >= {"weekly", "nightly", "post", "desk"}
    assert file.notify
