"""pyserial URL handlers. `dosebench.link.ports.register()` adds this package to pyserial's list."""
