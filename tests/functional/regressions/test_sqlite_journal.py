"""What was committed after an operator had run `cloudplane-manage audit` was lost when the all-in-one was killed.

The process closed a file descriptor of its own on the database, and with it SQLite's locks: the next process that
looked at the database took itself for the only one, and removed the journal that the all-in-one still wrote to.
"""

from pathlib import Path

from cloudplane import concurrency
from tests.functional.cloud import write_config
from tests.functional.process import AllInOne


def test_a_commit_outlives_a_kill_after_another_process_has_looked_at_the_database(tmp_path: Path) -> None:
    process = AllInOne(write_config(tmp_path, {}), concurrency.active_backend())
    assert process.manage('db', 'upgrade').returncode == 0
    process.start()
    try:
        process.client.get('/v2.1/servers')  # reads and writes have a connection each
        assert process.manage('audit').stdout == 'Everything agrees\n'
        flavor = {'id': 'kept', 'name': 'kept', 'ram': 64, 'vcpus': 1, 'disk': 1}
        assert process.client.request('POST', '/v2.1/flavors', {'flavor': flavor}).status == 200
        process.kill()
        process.start()
        assert [found['id'] for found in process.client.get('/v2.1/flavors')['flavors']] == ['kept']
    finally:
        process.kill()
