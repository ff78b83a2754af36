"""The whole way of a server, through HTTP."""

from tests.functional.cloud import Cloud, wait_for


def test_a_server_boots_and_is_deleted(cloud: Cloud) -> None:
    server_id = cloud.boot()
    server = cloud.server(server_id)
    assert server['OS-EXT-STS:power_state'] == 1
    assert server['OS-EXT-SRV-ATTR:host'] == 'host-1'
    assert server['addresses']
    assert [guest.server_id for guest in cloud.driver.guests()] == [server_id]
    assert cloud.audit() == ()

    answer = cloud.client.request('DELETE', f'/v2.1/servers/{server_id}')
    assert answer.status == 204
    cloud.wait_gone(server_id)
    assert cloud.driver.guests() == []
    assert cloud.audit() == ()


def test_stop_start_and_both_reboots(cloud: Cloud) -> None:
    server_id = cloud.boot()
    cloud.act(server_id, 'os-stop')
    assert cloud.wait_status(server_id, 'SHUTOFF')['OS-EXT-STS:power_state'] == 4
    cloud.act(server_id, 'os-start')
    cloud.wait_status(server_id, 'ACTIVE')
    before = cloud.driver.guest(server_id).run_id
    cloud.act(server_id, 'reboot', {'type': 'SOFT'})
    cloud.wait_status(server_id, 'ACTIVE')
    cloud.act(server_id, 'reboot', {'type': 'HARD'})
    cloud.wait_status(server_id, 'ACTIVE')
    assert cloud.driver.guest(server_id).run_id != before
    assert cloud.audit() == ()


def test_a_snapshot_becomes_an_active_image_and_boots(cloud: Cloud) -> None:
    server_id = cloud.boot()
    answer = cloud.act(server_id, 'createImage', {'name': 'snap'})
    image_id = answer.headers['Location'].rsplit('/', 1)[1]
    wait_for(lambda: cloud.images.get(image_id).status == 'active', 'the snapshot')
    cloud.wait_status(server_id, 'ACTIVE')
    assert cloud.images.get(image_id).name == 'snap'
    cloud.boot(imageRef=image_id)
    assert cloud.audit() == ()


def test_many_servers_of_one_request(cloud: Cloud) -> None:
    cloud.boot(wait=False, min_count=8, max_count=8)
    wait_for(
        lambda: [s['status'] for s in cloud.client.get('/v2.1/servers/detail')['servers']] == ['ACTIVE'] * 8,
        'eight servers to be ACTIVE',
    )
    names = {s['name'] for s in cloud.client.get('/v2.1/servers')['servers']}
    assert names == {f'server-{index}' for index in range(1, 9)}
    assert cloud.audit() == ()


def test_no_valid_host_says_why(cloud: Cloud) -> None:
    flavor = cloud.make_flavor(ram=10_000_000)
    server_id = cloud.boot(wait=False, flavorRef=flavor)
    server = cloud.wait_status(server_id, 'ERROR')
    assert server['fault']['message'].startswith('No valid host: 1 host')
    assert '10000000 MB' in server['fault']['message']
    cloud.client.request('DELETE', f'/v2.1/servers/{server_id}')
    cloud.wait_gone(server_id)
    assert cloud.audit() == ()


def test_a_flavor_with_disks_that_no_host_can_make_is_refused_in_words(cloud: Cloud) -> None:
    for disks in ({'OS-FLV-EXT-DATA:ephemeral': 1}, {'swap': 512}):
        server = {'name': 's', 'imageRef': cloud.make_image(), 'flavorRef': cloud.make_flavor(**disks)}
        refused = cloud.client.request('POST', '/v2.1/servers', {'server': server})
        assert refused.status == 400, refused
        assert 'use a flavor with a root disk alone' in refused.body['badRequest']['message']
    assert cloud.audit() == ()


def test_a_build_that_fails_on_the_only_host_says_what_failed_there(cloud: Cloud) -> None:
    cloud.driver.failures['start_paused'] = -1
    server_id = cloud.boot(wait=False)
    message = cloud.wait_status(server_id, 'ERROR')['fault']['message']
    assert message.startswith('No valid host: 1 host')
    assert 'The last host that was tried said: Build failed on host host-1' in message
