"""Where an installation lives, its secret key and its locks."""

from __future__ import annotations

import multiprocessing

import pytest
from django.db import connection

from tracehub.cli import config, listening, locks
from tracehub.cli.connect import application


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("TRACEHUB_DATA_DIR", "TRACEHUB_SECRET_KEY", "DATABASE_URL", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_data_folder_is_the_platform_s_unless_named(home, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert config.data_dir() == home / ".local/share/tracehub"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "x"))
    assert config.data_dir() == home / "x" / "tracehub"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # to be ignored, says the specification
    assert config.data_dir() == home / ".local/share/tracehub"
    monkeypatch.setenv("TRACEHUB_DATA_DIR", str(home / "named"))
    assert config.data_dir() == home / "named"


def _key(_number: int) -> str:
    return config.secret_key()


def test_the_secret_key_is_made_once_kept_and_private(home):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        keys = set(pool.map(_key, range(8)))
    assert keys == {config.secret_key()}
    assert len(config.secret_key()) > 50
    kept = config.data_dir() / "secret_key"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert config.data_dir().stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_named_with_the_mend(home):
    (home / "file").write_text("")
    with pytest.raises(config.ConfigError, match=r"cannot be made: .*Choose another with --data"):
        config.make_data_dir(home / "file" / "data")


def test_a_lock_has_one_holder_or_many_sharers(tmp_path):
    path = tmp_path / "lock"
    with locks.held(path):
        assert locks.is_held(path)
        with pytest.raises(locks.Busy), locks.held(path):
            pass
        with pytest.raises(locks.Busy), locks.shared(path):
            pass
    with locks.shared(path), locks.shared(path):
        assert not locks.is_held(path)
        with pytest.raises(locks.Busy), locks.held(path):
            pass


def test_an_address_that_is_none_of_this_machine_is_refused_by_name():
    with pytest.raises(config.ConfigError, match="--host must be an address of this machine"):
        listening.listen("no such host.invalid", 0)
    with pytest.raises(config.ConfigError, match=r"Cannot listen on port 80 of 192\.0\.2\.1"):
        listening.listen("192.0.2.1", 80)


def test_the_address_printed_can_be_opened():
    with listening.listen("0.0.0.0", 0) as everywhere:
        port = everywhere.getsockname()[1]
        assert listening.base_url(everywhere) == f"http://127.0.0.1:{port}"


def test_tables_that_are_not_made_yet_are_named_with_the_mend(committed_db, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", committed_db)
    waits = pytest.raises(config.ConfigError, match="Wait until `tracehub up` says")
    with waits, application(migrate=False), connection.cursor() as cursor:
        cursor.execute("SELECT FROM a_table_of_tomorrow")
