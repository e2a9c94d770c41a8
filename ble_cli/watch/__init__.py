"""The nodes that run on this host, seen through their status sockets: once, or for as long as one likes."""
