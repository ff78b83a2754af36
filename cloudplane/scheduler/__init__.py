"""The scheduler: chooses hosts for servers, and says why. The conductor's claim decides whether they get them."""
