"""One pump on one port."""
