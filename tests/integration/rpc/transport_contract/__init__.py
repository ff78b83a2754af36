"""What a transport must do for cloudplane: promises that RabbitMQ's driver and inproc:// both keep.

`test_transport_contract.py` beside this package runs it once more under eventlet.
"""
