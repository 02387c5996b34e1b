from dataclasses import replace
from pathlib import Path

import pytest

from stainapp.errors import SettingsError
from stainapp.settings import (
    RECENT_SLIDES,
    Settings,
    SlideNote,
    home,
    load_note,
    load_settings,
    save_note,
    save_settings,
    with_recent,
)


def test_what_was_saved_is_loaded() -> None:
    settings = replace(Settings(), theme="dark", recent=("a.svs", "b.svs"))

    save_settings(settings)

    assert load_settings() == settings


def test_an_unreadable_file_gives_the_defaults() -> None:
    home().mkdir(parents=True)
    (home() / "settings.json").write_text("{ half", encoding="utf-8")

    assert load_settings() == Settings()


def test_a_field_of_a_newer_program_is_skipped() -> None:
    home().mkdir(parents=True)
    (home() / "settings.json").write_text('{"theme": "dark", "wings": 2}', encoding="utf-8")

    assert load_settings() == Settings(theme="dark")


def test_the_slide_opened_last_comes_first_and_only_once() -> None:
    settings = Settings()
    for name in ("a", "b", "a"):
        settings = with_recent(settings, name)

    assert settings.recent == ("a", "b")


def test_only_so_many_slides_are_remembered() -> None:
    settings = Settings()
    for number in range(RECENT_SLIDES + 5):
        settings = with_recent(settings, str(number))

    assert len(settings.recent) == RECENT_SLIDES


def test_a_note_belongs_to_one_slide() -> None:
    save_note("sha256:aa/..", SlideNote(mpp=0.25, stain="PAS"))

    assert load_note("sha256:aa/..") == SlideNote(mpp=0.25, stain="PAS")
    assert load_note("sha256:bb") == SlideNote()


def test_a_home_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "a file"
    blocker.write_text("")
    monkeypatch.setenv("STAINAPP_HOME", str(blocker / "home"))

    with pytest.raises(SettingsError, match="a file"):
        save_settings(Settings())
