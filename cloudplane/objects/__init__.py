"""The frozen, versioned records that travel between services."""

from cloudplane.objects import flavor, host, image, keypair, operation, server, service

__all__ = ['flavor', 'host', 'image', 'keypair', 'operation', 'server', 'service']
