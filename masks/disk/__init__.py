"""Files on disk, written so that a kill or a full disk leaves nothing half done."""
