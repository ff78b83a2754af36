"""The HTTP edge: what clients of OpenStack's APIs speak to. It keeps no state; the conductor is asked and told."""
