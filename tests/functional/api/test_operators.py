"""What operators look at: daemons, hypervisors, availability zones."""

import pytest

from tests.functional.api.client import HOST, SERVICE, Client, World


def test_services_are_listed_and_filtered(world: World, admin: Client) -> None:
    world.conductor.services.append(
        SERVICE.evolve(id='s3', binary='cloudplane-api', host='host2', up=False, disabled=True, updated_at=None)
    )
    services = admin.get('/os-services').body['services']
    assert services[0] == {
        'id': 2,
        'binary': 'cloudplane-compute',
        'host': 'host1',
        'zone': 'nova',
        'status': 'enabled',
        'state': 'up',
        'disabled_reason': None,
        'updated_at': '2026-01-01T00:00:00.000000',
    }
    assert (services[1]['id'], services[1]['status'], services[1]['state']) == ('s3', 'disabled', 'down')
    for query, hosts in (('host=host2', ['host2']), ('binary=cloudplane-compute', ['host1']), ('host=x', [])):
        assert [each['host'] for each in admin.get(f'/os-services?{query}').body['services']] == hosts


def test_hypervisors_count_what_the_host_keeps_as_used(admin: Client) -> None:
    assert admin.get('/os-hypervisors').body == {
        'hypervisors': [{'id': 1, 'hypervisor_hostname': 'host1.example', 'state': 'up', 'status': 'enabled'}]
    }
    shown = admin.get('/os-hypervisors/1').body['hypervisor']
    assert admin.get('/os-hypervisors/detail').body == {'hypervisors': [shown]}
    assert (shown['memory_mb'], shown['memory_mb_used'], shown['free_ram_mb']) == (16384, 1536, 14848)
    assert (shown['local_gb'], shown['local_gb_used'], shown['free_disk_gb']) == (100, 15, 85)
    assert (shown['vcpus'], shown['vcpus_used'], shown['running_vms']) == (8, 2, 2)
    assert shown['service'] == {'host': 'host1', 'id': 2, 'disabled_reason': None}
    assert admin.get('/os-hypervisors/2').status == 404
    assert admin.get('/os-hypervisors/host1').status == 404


def test_a_zone_is_available_while_one_of_its_hosts_is(world: World, admin: Client, alice: Client) -> None:
    world.conductor.hosts += [
        HOST.evolve(id=2, name='host2', zone='east', up=False),
        HOST.evolve(id=3, name='host3', zone='west', disabled=True),
    ]
    zones = alice.get('/os-availability-zone').body['availabilityZoneInfo']
    assert {zone['zoneName']: zone['zoneState']['available'] for zone in zones} == {
        'east': False,
        'nova': True,
        'west': False,
    }
    detailed = admin.get('/os-availability-zone/detail').body['availabilityZoneInfo']
    assert detailed[0]['hosts']['host2']['cloudplane-compute']['available'] is False


@pytest.mark.parametrize(
    'path',
    ['/os-services', '/os-hypervisors', '/os-hypervisors/detail', '/os-hypervisors/1', '/os-availability-zone/detail'],
)
def test_members_look_at_none_of_it(alice: Client, path: str) -> None:
    assert alice.get(path).status == 403
