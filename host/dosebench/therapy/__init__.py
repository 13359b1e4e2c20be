"""What a pump stores, and what a perfect one delivers."""
