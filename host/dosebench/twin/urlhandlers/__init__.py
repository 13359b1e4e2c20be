"""pyserial URL handlers. `dosebench.link.ports.register_sim()` adds this package to pyserial's list."""
