"""The database could be read by everybody; a state_path that cannot be written was told of by a traceback."""

from pathlib import Path

from tests.functional.cloud import write_config
from tests.functional.process import manage, run_main


def test_the_database_is_for_nobody_else(tmp_path: Path) -> None:
    assert manage(write_config(tmp_path, {}), 'db', 'upgrade').returncode == 0
    found = {path.name: oct(path.stat().st_mode & 0o077) for path in (tmp_path / 'state').glob('*.sqlite*')}
    assert set(found.values()) == {'0o0'}


def test_a_database_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = write_config(tmp_path, {'database': {'connection': f'sqlite:///{tmp_path}/missing/db.sqlite'}})
    refused = manage(file, 'db', 'upgrade')
    assert (refused.returncode, 'Traceback' in refused.stderr) == (1, False)
    assert 'missing/db.sqlite cannot be written: No such file or directory' in refused.stderr


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = write_config(tmp_path, {})
    assert manage(file, 'db', 'upgrade').returncode == 0
    (tmp_path / 'state' / 'agent.lock').mkdir()  # root may write everywhere else
    refused = run_main('all_in_one', file)
    assert (refused.returncode, 'Traceback' in refused.stderr) == (1, False)
    assert 'agent.lock' in refused.stderr
