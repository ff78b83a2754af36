"""The bus: transports and what travels over them. Leaves to rpcapi/ who may call whom."""
