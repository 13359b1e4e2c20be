"""What a pump is."""
