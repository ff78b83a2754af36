"""Several hosts: builds that move, hosts that fall silent and come back, and hosts that are forced down."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudplane.context import service_context
from tests.functional.cloud import Cloud, wait_for


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud with three fake hosts of four vCPUs."""
    options = {'fake': {'vcpus': '4'}, 'compute': {'vcpu_ratio': '1.0'}}
    with Cloud(tmp_path, options, host_count=3) as running:
        yield running


def check(cloud: Cloud) -> None:
    """Nothing ran twice, and all that must agree does."""
    assert cloud.ran_at_once() == []
    assert cloud.audit() == ()


def test_equal_servers_spread_over_equal_hosts(hosts: Cloud) -> None:
    hosts.boot(wait=False, min_count=6, max_count=6)
    wait_for(lambda: len(hosts.guests()) == 6, 'six guests')
    on = list(hosts.guests().values())
    assert sorted(on.count(host) for host in hosts.agents) == [2, 2, 2]


def test_parallel_requests_never_overcommit_and_each_refusal_names_its_reason(hosts: Cloud) -> None:
    image, flavor = hosts.make_image(), hosts.make_flavor(vcpus=1)
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda _: hosts.boot(wait=False, imageRef=image, flavorRef=flavor), range(16)))

    def ended() -> bool:
        return all(hosts.server(server_id)['status'] in ('ACTIVE', 'ERROR') for server_id in ids)

    wait_for(ended, 'all servers to end')
    servers = [hosts.server(server_id) for server_id in ids]
    assert [server['status'] for server in servers].count('ACTIVE') == 12  # what three hosts of four can hold
    for server in servers:
        if server['status'] == 'ERROR':
            assert server['fault']['message'].startswith('No valid host: 3 hosts')
            assert '3 without 1 VCPUs free' in server['fault']['message']
    check(hosts)


def test_a_build_that_fails_on_one_host_goes_to_another(hosts: Cloud) -> None:
    hosts.agents['host-1'].driver.failures['start_paused'] = -1
    hosts.agents['host-2'].driver.failures['make_disk'] = -1
    for _ in range(3):
        server_id = hosts.boot()
        assert hosts.guests()[server_id] == 'host-3'
    check(hosts)


def test_a_build_that_fails_everywhere_says_what_failed_and_where(hosts: Cloud) -> None:
    for agent in hosts.agents.values():
        agent.driver.failures['start_paused'] = -1
    server_id = hosts.boot(wait=False)
    fault = hosts.wait_status(server_id, 'ERROR')['fault']
    assert 'tried on 3 hosts' in fault['message']
    assert hosts.guests() == {}
    hosts.client.request('DELETE', f'/v2.1/servers/{server_id}')
    hosts.wait_gone(server_id)
    check(hosts)


def test_a_server_deleted_in_the_middle_of_its_build_is_gone_everywhere(hosts: Cloud) -> None:
    for agent in hosts.agents.values():
        agent.driver.delays['make_disk'] = 1.0
    server_id = hosts.boot(wait=False)
    wait_for(
        lambda: any(('make_disk', server_id) in agent.driver.calls for agent in hosts.agents.values()), 'the build'
    )
    hosts.client.request('DELETE', f'/v2.1/servers/{server_id}')
    hosts.wait_gone(server_id)
    assert hosts.guests() == {}
    check(hosts)


def test_a_build_moves_away_from_a_host_that_is_cut_off_and_whose_late_worker_is_refused(hosts: Cloud) -> None:
    for agent in hosts.agents.values():
        agent.driver.delays['make_disk'] = 2.5
    server_id = hosts.boot(wait=False)

    def building_on() -> str | None:
        calls = {host: agent.driver.calls for host, agent in hosts.agents.items()}
        return next((host for host, made in calls.items() if ('make_disk', server_id) in made), None)

    silent = wait_for(building_on, 'the build')
    assert silent is not None
    hosts.cut_off(silent)
    hosts.make_silent(silent)
    for host, agent in hosts.agents.items():
        if host != silent:
            agent.driver.delays.clear()
    hosts.wait_status(server_id, 'ACTIVE')
    host = hosts.server(server_id)['OS-EXT-SRV-ATTR:host']
    assert host != silent
    # The late worker has its guest ready, paused, and cannot say so.
    late = hosts.agents[silent].driver
    wait_for(lambda: server_id in {guest.server_id for guest in late.guests()}, 'the late guest')

    hosts.reconnect()
    wait_for(lambda: silent in hosts.hosts_up(), 'the silent host to be up again')
    assert hosts.guests() == {server_id: host}
    assert hosts.server(server_id)['status'] == 'ACTIVE'
    check(hosts)


def test_a_delete_does_not_wait_for_a_silent_host_which_cleans_up_when_it_is_back(hosts: Cloud) -> None:
    server_id = hosts.boot()
    host = hosts.guests()[server_id]
    hosts.stop_agent(host)
    hosts.make_silent(host)
    hosts.client.request('DELETE', f'/v2.1/servers/{server_id}')
    hosts.wait_gone(server_id)
    check(hosts)  # its capacity is still held, by a residue

    hosts.start_agent(host)
    wait_for(lambda: host in hosts.hosts_up(), 'the host to be up again')
    assert hosts.guests() == {}
    used = {each['hypervisor_hostname']: each['vcpus_used'] for each in _hypervisors(hosts)}
    assert set(used.values()) == {0}
    check(hosts)


def test_a_guest_that_dies_by_itself_is_shown_as_shut_off(hosts: Cloud) -> None:
    server_id = hosts.boot()
    driver = hosts.agents[hosts.guests()[server_id]].driver
    wait_for(lambda: driver.guest(server_id).committed, 'the guest to run')
    driver.die(server_id)
    hosts.wait_status(server_id, 'SHUTOFF')
    hosts.act(server_id, 'os-start')
    hosts.wait_status(server_id, 'ACTIVE')
    check(hosts)


def test_an_agent_that_starts_again_keeps_its_guests_running(hosts: Cloud) -> None:
    server_id = hosts.boot()
    host = hosts.guests()[server_id]
    before = hosts.agents[host].driver.guest(server_id).run_id
    hosts.stop_agent(host)
    hosts.start_agent(host)
    wait_for(lambda: host in hosts.hosts_up(), 'the host to be up')
    assert hosts.agents[host].driver.guest(server_id).run_id == before
    assert hosts.server(server_id)['status'] == 'ACTIVE'
    check(hosts)


def test_what_runs_on_a_host_that_is_forced_down_fails_and_its_late_worker_is_refused(hosts: Cloud) -> None:
    server_id = hosts.boot()
    host = hosts.guests()[server_id]
    driver = hosts.agents[host].driver
    driver.delays['power_off'] = 1.5
    hosts.act(server_id, 'os-stop')
    wait_for(lambda: ('power_off', server_id) in driver.calls, 'the stop')
    conductor = hosts.bus.conductor
    conductor.host_force_down(service_context(), host, True)
    server = hosts.wait_status(server_id, 'ERROR')
    assert 'was forced down' in server['fault']['message']
    assert host not in hosts.hosts_up()

    conductor.host_force_down(service_context(), host, False)
    wait_for(lambda: host in hosts.hosts_up(), 'the host to be up again')
    assert hosts.server(server_id)['status'] == 'ERROR'
    hosts.act(server_id, 'reboot', {'type': 'HARD'})
    hosts.wait_status(server_id, 'ACTIVE')
    check(hosts)


def _hypervisors(cloud: Cloud) -> list[dict[str, object]]:
    found: list[dict[str, object]] = cloud.client.get('/v2.1/os-hypervisors/detail')['hypervisors']
    return found
