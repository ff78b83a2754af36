"""cloudplane-manage: what an operator does on the machine itself. `cloudplane-manage --help` lists the commands."""

import sys

from cloudplane.cmd import start

NAME = 'cloudplane-manage'


def main() -> None:
    """Run one command. Exit code 0: done; 1: it failed, or the audit found differences; 2: wrong arguments."""
    from cloudplane import concurrency

    concurrency.activate('threading')  # one command at a time: nothing to do side by side
    from cloudplane import exceptions
    from cloudplane.cmd.manage_commands import add_commands

    add_commands()
    conf = start.read_configuration(sys.argv[1:], NAME)
    try:
        sys.exit(conf.command.run(conf))
    except exceptions.CloudplaneException as error:
        sys.exit(f'{NAME}: {error}')


if __name__ == '__main__':
    main()
