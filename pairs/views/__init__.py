"""What a photo is to a backend: view, grid, mask, cameras, digests."""
